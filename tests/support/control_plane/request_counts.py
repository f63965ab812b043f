"""How many requests the API server answered, from its own metrics."""

import re
from collections import Counter
from typing import NamedTuple

_SAMPLE = re.compile(r"^apiserver_request_total\{(?P<labels>.*)\} (?P<value>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class RequestKey(NamedTuple):
    """What a count is for; verbs as the metric has them: GET, LIST, POST, PUT, PATCH, APPLY."""

    verb: str
    resource: str
    subresource: str
    code: int


def parse_request_counts(metrics: str) -> Counter[RequestKey]:
    """Sum `apiserver_request_total` of a Prometheus text over all labels but those of the key."""
    counts: Counter[RequestKey] = Counter()
    for sample in _SAMPLE.finditer(metrics):
        labels = dict(_LABEL.findall(sample["labels"]))
        key = RequestKey(
            labels["verb"], labels["resource"], labels["subresource"], int(labels["code"])
        )
        counts[key] += int(float(sample["value"]))
    return counts
