"""The example of recording rules and alerts names what there is, and the reference names them."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from artifact_index.metrics.catalogue import CATALOGUE, LABELS, PREFIX
from artifact_index.metrics.reference import ALERTS

pytestmark = pytest.mark.unit

RULES = Path(__file__).parents[3] / "examples" / "monitoring" / "prometheus-rules.yaml"
SERIES = {
    f"{item.name}{suffix}"
    for item in CATALOGUE
    for suffix in (("_bucket", "_sum", "_count") if item.type == "histogram" else ("",))
}
GIVEN = {"le", "pod"}
"""Labels that are not the operator's: of a histogram's buckets, and of the scrape."""


def rules() -> list[dict[str, Any]]:
    found = yaml.safe_load(RULES.read_text())
    assert (found["apiVersion"], found["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    return [rule for group in found["spec"]["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_uses_metrics_and_labels_that_exist(rule: dict[str, Any]) -> None:
    used = set(re.findall(rf"\b{PREFIX}\w+", rule["expr"]))
    assert used and used <= SERIES
    labels = set(re.findall(r"(\w+)(?:!=|=~|!~|=)\"", rule["expr"]))
    for group in re.findall(r"\bby \(([^)]*)\)", rule["expr"]):
        labels |= set(group.split(", "))
    [metric] = [item for item in CATALOGUE if any(name.startswith(item.name) for name in used)]
    assert labels <= set(metric.labels) | GIVEN
    texts = " ".join(rule.get("annotations", {}).values())
    told = set(re.findall(r"\$labels\.(\w+)", texts))
    grouped = labels if " by (" in rule["expr"] else set(metric.labels)
    assert told <= grouped | GIVEN <= set(LABELS) | GIVEN


def test_the_reference_explains_every_alert() -> None:
    alerts = [rule["alert"] for rule in rules() if "alert" in rule]
    assert alerts == [name for name, _, _ in ALERTS]
    assert all({"summary"} <= rule["annotations"].keys() for rule in rules() if "alert" in rule)
