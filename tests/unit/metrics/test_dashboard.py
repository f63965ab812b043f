"""The Grafana dashboard asks for metrics that exist, in PromQL, and can be imported."""

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools.monitoring.dashboard import dashboard

from artifact_index.metrics.catalogue import CATALOGUE, PREFIX
from support import grafana
from support.promtool import promtool

pytestmark = pytest.mark.unit

DASHBOARD: dict[str, Any] = json.loads(dashboard())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
METRICS = {
    f"{item.name}{suffix}": item
    for item in CATALOGUE
    for suffix in (("_bucket",) if item.type == "histogram" else ("",))
}
GIVEN = {"le", "namespace", "job", "pod"}
"""Labels of a histogram's buckets, and those that Prometheus gives the operator's own series."""


def queries() -> list[str]:
    return [target["expr"] for panel in PANELS for target in panel["targets"]]


def test_each_metric_of_the_catalogue_is_shown_and_no_other() -> None:
    used = {name for expr in queries() for name in re.findall(rf"\b{PREFIX}\w+", expr)}
    assert used == set(METRICS)


def test_queries_and_legends_use_labels_that_their_metrics_have() -> None:
    for panel in PANELS:
        for target in panel["targets"]:
            [metric, *same] = {METRICS[n] for n in re.findall(rf"\b{PREFIX}\w+", target["expr"])}
            assert not same
            named = re.findall(r"(\w+)(?:!=|=~|!~|=)\"", target["expr"])
            grouped = [
                label
                for group in re.findall(r"\bby \(([^)]*)\)", target["expr"])
                for label in group.split(", ")
            ]
            assert {*named, *grouped} <= {*metric.labels, *GIVEN}, panel["title"]
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert shown <= set(grouped), panel["title"]


@pytest.mark.usefixtures("prometheus")
def test_promtool_parses_every_query(tmp_path: Path) -> None:
    plain = [
        expr.replace("$namespace", ".*").replace("$__rate_interval", "4m") for expr in queries()
    ]
    assert not [expr for expr in plain if "$" in expr]
    rules = [{"record": f"query:{number}", "expr": expr} for number, expr in enumerate(plain)]
    path = tmp_path / "queries.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", path).stdout
    rules[0]["expr"] += ")"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert promtool("check", "rules", path, check=False).returncode == 1


@pytest.mark.usefixtures("grafana_schema")
def test_grafanas_own_schema_knows_every_field_and_misses_none() -> None:
    assert grafana.problems(dashboard()) == []
    (unknown,) = grafana.problems(dashboard().replace('"graphTooltip"', '"graphTip"'))
    assert "graphTip" in unknown
    assert grafana.problems(dashboard().replace('"showHeader": true', '"showHeader": 1'))


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
    for one, other in combinations([panel["gridPos"] for panel in DASHBOARD["panels"]], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)


def test_it_works_with_any_prometheus_and_any_grafana() -> None:
    sources = {json.dumps(panel["datasource"]) for panel in PANELS}
    sources |= {json.dumps(target["datasource"]) for panel in PANELS for target in panel["targets"]}
    assert sources == {json.dumps({"type": "prometheus", "uid": "${datasource}"})}
    names = [variable["name"] for variable in DASHBOARD["templating"]["list"]]
    assert names == ["datasource", "namespace"]
    # An id of its own would collide with another dashboard's at the import; the uid is the name.
    assert "id" not in DASHBOARD and DASHBOARD["uid"]
    for panel in PANELS:
        assert panel["description"] and panel["title"] and panel["fieldConfig"]["defaults"]["unit"]
        instant = panel["type"] == "table"
        assert all(target["instant"] is instant for target in panel["targets"])
