"""Scrapes of /metrics, parsed by the Prometheus client's own parser."""

import urllib.request
from typing import Any

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.cluster.index_options import ClusterIndexOptionsSpec
from artifact_index.api.constants import (
    EXPIRES_AT_ANNOTATION,
    OWNER_ANNOTATION,
    REFRESH_AT_ANNOTATION,
)
from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.credentials.aws.requests import CodeArtifactTokenRequest
from artifact_index.credentials.requests import Identity, SecretIdentity
from artifact_index.metrics.counters import Counters
from artifact_index.metrics.exposition import Exposition
from artifact_index.metrics.live import Snapshot
from artifact_index.reconcile.cache.objects import (
    IndexObject,
    OptionsObject,
    OutputObject,
    OutputRef,
    parse_custom_object,
)
from support.operator_process import OperatorProcess
from support.reconcile_builders import NAMESPACE, body_of, source

EXPIRY = 1_800_000_000
EXPIRY_TEXT = "2027-01-15T08:00:00Z"

CANARY_DIGEST = "canary-digest-of-a-secret"
"""A digest that records and requests hold; no scrape may."""


SECRET_UID = "uid-1"
SECRET = SecretIdentity(NAMESPACE, SECRET_UID, CANARY_DIGEST)


class Scrape:
    """One answer of a running operator's /metrics."""

    def __init__(self, operator: OperatorProcess) -> None:
        url = f"http://127.0.0.1:{operator.health_port}/metrics"
        with urllib.request.urlopen(url, timeout=30) as answer:
            self.text: str = answer.read().decode()
        families = text_string_to_metric_families(self.text)
        self._samples = [sample for family in families for sample in family.samples]

    def of(self, name: str, **where: str) -> dict[tuple[str, ...], float]:
        """The values of a series by its label values, in the order of the labels' names."""
        return {
            tuple(text for _, text in sorted(sample.labels.items())): sample.value
            for sample in self._samples
            if sample.name == name and where.items() <= sample.labels.items()
        }

    def total(self, name: str, **where: str) -> float:
        """The sum of a metric over the series with these labels."""
        return sum(self.of(name, **where).values())


def state(**parts: Any) -> Snapshot:
    """A live state of nothing but these parts."""
    nothing: dict[str, Any] = {
        **{kind: [] for kind in ("indexes", "options", "outputs", "logins")},
        "secret_names": {},
        "now": EXPIRY - 3600,
        "ready": True,
        "leads": True,
        "queue_depth": 0,
        "queue_age": 0,
        "by_object": True,
    }
    return Snapshot(**{**nothing, **parts})


def exposition(snapshot: Snapshot, counters: Counters | None = None) -> Exposition:
    """What answers a scrape of this state."""
    return Exposition(counters or Counters("1.2.3"), lambda: snapshot)


async def scraped(snapshot: Snapshot, counters: Counters | None = None) -> dict[str, Metric]:
    """The families of a scrape, by name without the suffix of a counter."""
    body, content_type = await exposition(snapshot, counters).scrape("")
    assert content_type.startswith("text/plain")
    assert CANARY_DIGEST not in body.decode()
    return {family.name: family for family in text_string_to_metric_families(body.decode())}


def values(family: Metric, *labels: str) -> dict[tuple[str, ...], float]:
    """The values of a gauge or counter by some of its labels."""
    return {
        tuple(sample.labels[label] for label in labels): sample.value for sample in family.samples
    }


def measured(family: Metric, **labels: str) -> tuple[float, float, list[str]]:
    """Count and sum of a histogram, and the bounds of the buckets that hold something."""
    found = {
        (sample.name.removeprefix(family.name), sample.labels.get("le", "")): sample.value
        for sample in family.samples
        if labels.items() <= sample.labels.items()
    }
    holding = [le for (part, le), value in found.items() if part == "_bucket" and value]
    return found["_count", ""], found["_sum", ""], holding


def output(
    name: str,
    *,
    owner: str = "uv-config",
    expires: str | None = EXPIRY_TEXT,
    refresh: str | None = None,
    namespace: str = NAMESPACE,
) -> OutputObject:
    """An output that an IndexOptions owns."""
    times = {EXPIRES_AT_ANNOTATION: expires, REFRESH_AT_ANNOTATION: refresh}
    annotations = {OWNER_ANNOTATION: owner} | {key: text for key, text in times.items() if text}
    ref = OutputRef("Secret", namespace, name)
    keys, digest = frozenset({"uv.toml"}), CANARY_DIGEST
    return OutputObject(
        ref, f"uid-{name}", 1, None, True, annotations, None, keys, digest, "Opaque", False
    )


def options(name: str = "uv-config", **status: Any) -> OptionsObject:
    """An IndexOptions."""
    return parse_custom_object(IndexOptionsSpec, body_of(name, {}, status=status))


def cluster_options(name: str = "uv-config", **status: Any) -> OptionsObject:
    """A ClusterIndexOptions."""
    body = body_of(name, {"namespaceSelector": {}}, namespace="", status=status)
    return parse_custom_object(ClusterIndexOptionsSpec, body)


def index(name: str, **how: Any) -> IndexObject:
    """An ArtifactIndex."""
    return parse_custom_object(ArtifactIndexSpec, body_of(name, source("anonymous"), **how))


def condition(kind: str, status: str, reason: str) -> dict[str, Any]:
    """A condition as the API server keeps it."""
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": "canary: see the log",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 1,
    }


def code_artifact(identity: Identity, **more: Any) -> CodeArtifactTokenRequest:
    """A login to one CodeArtifact domain."""
    return CodeArtifactTokenRequest("eu-west-1", "acme", "111122223333", 0, identity, **more)
