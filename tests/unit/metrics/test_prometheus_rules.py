"""The rules name what there is, and each alert leads to a section that helps."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools.monitoring.rules import ALERTS, FAILURES, RUNBOOKS, chart_rules

from artifact_index.metrics.catalogue import CATALOGUE, PREFIX
from support.promtool import promtool

pytestmark = pytest.mark.unit

TOP = Path(__file__).parents[3]
PAGE = TOP / "docs" / "reference" / "alerts.md"
EXAMPLE = TOP / "examples" / "monitoring" / "prometheus-rules.yaml"
SERIES = {
    f"{item.name}{suffix}": item
    for item in CATALOGUE
    for suffix in (("_bucket", "_sum", "_count") if item.type == "histogram" else ("",))
}
GIVEN = {"le", "namespace", "job", "pod"}
"""Labels of a histogram's buckets, and those that Prometheus gives the operator's own series."""


def rules() -> list[dict[str, Any]]:
    found = yaml.safe_load(EXAMPLE.read_text())
    assert (found["apiVersion"], found["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    return [rule for group in found["spec"]["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_uses_metrics_and_labels_that_exist(rule: dict[str, Any]) -> None:
    used = set(re.findall(rf"\b{PREFIX}\w+", rule["expr"]))
    assert used and used <= SERIES.keys()
    matched = set(re.findall(r"(\w+)(?:!=|=~|!~|=)\"", rule["expr"]))
    grouped: set[str] = set()
    for group in re.findall(r"\bby \(([^)]*)\)", rule["expr"]):
        grouped |= set(group.split(", "))
    for name in used:
        assert matched | grouped <= {*SERIES[name].labels, *GIVEN}
    texts = " ".join(rule.get("annotations", {}).values())
    assert set(re.findall(r"\$labels\.(\w+)", texts)) <= grouped


@pytest.mark.parametrize(
    "rule", [each for each in rules() if "alert" in each], ids=lambda r: r["alert"]
)
def test_an_alert_names_its_object_and_the_next_command(rule: dict[str, Any]) -> None:
    notes = rule["annotations"]
    assert notes.keys() == {"summary", "description", "runbook_url"}
    assert re.search(r"artifact-index (why|status) |kubectl (get|logs|top) ", notes["description"])
    of_objects = "by (kind, namespace, name" in rule["expr"] or "output" in rule["expr"]
    if of_objects:
        # An object of cluster scope has no namespace.
        where = "{{ if $labels.namespace }}{{ $labels.namespace }}/{{ end }}{{ $labels."
        flag = "{{ if $labels.namespace }}-n {{ $labels.namespace }} {{ end }}"
        assert where in notes["summary"]
        assert f"artifact-index why {flag}" in notes["description"]


def test_each_alert_has_a_section_with_all_that_it_needs_and_its_link_leads_there() -> None:
    _, *sections = re.split(r"^## (?=ArtifactIndex)", PAGE.read_text(), flags=re.MULTILINE)
    by_anchor = {section.split("\n")[0].lower(): section for section in sections}
    alerts = [rule for rule in rules() if "alert" in rule]
    assert [rule["alert"].lower() for rule in alerts] == list(by_anchor)
    assert RUNBOOKS.endswith(str(PAGE.relative_to(TOP)))
    for rule in alerts:
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert page == RUNBOOKS
        parts = ("**Severity:**", "**How long until builds stop:**", "**Find the cause:**",
                 "**Remedy:**", "```bash")  # fmt: skip
        assert all(part in by_anchor[anchor] for part in parts)
    assert {failure.alert for failure in FAILURES.values()} <= {rule["alert"] for rule in alerts}


@pytest.mark.usefixtures("prometheus")
def test_promtool_accepts_the_rules_of_the_chart_and_of_the_example(tmp_path: Path) -> None:
    example = tmp_path / "example.yaml"
    example.write_text(yaml.safe_dump(yaml.safe_load(EXAMPLE.read_text())["spec"]))
    chart = tmp_path / "chart.yaml"
    chart.write_text(
        chart_rules().replace("@OPERATOR@", 'namespace="operators"').replace("@REPLICAS@", "2")
    )
    for path in (example, chart):
        said = promtool("check", "rules", "--lint-fatal", path).stdout
        assert f"{len(rules())} rules found" in said


def test_no_placeholder_is_left_in_the_example() -> None:
    assert "@" not in EXAMPLE.read_text()
    for alert in ALERTS:
        assert "@" not in alert["expr"].replace("{@OPERATOR@}", "").replace("@REPLICAS@", "")
