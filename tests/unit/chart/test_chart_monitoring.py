"""The chart's alerts and dashboard are those that the tests of both try."""

import json

import pytest
from tools.monitoring.dashboard import dashboard
from tools.monitoring.rules import RUNBOOKS, rule_groups

from support.chart import render
from support.operator_process import OPERATOR_NAMESPACE

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("helm")]


@pytest.mark.parametrize(
    ("page", "replicas"), [(RUNBOOKS, 2), ("https://runbooks.example.com/artifact-index", 3)]
)
def test_the_rules_are_those_of_the_source_for_the_release(page: str, replicas: int) -> None:
    rules = {"enabled": True, "runbookUrl": page}
    objects = render({"prometheusRule": rules, "replicaCount": replicas})
    [rule] = [item for item in objects if item["kind"] == "PrometheusRule"]
    operator = f'namespace="{OPERATOR_NAMESPACE}"'
    assert rule["spec"] == rule_groups(runbooks=page, operator=operator, replicas=str(replicas))


def test_the_dashboard_is_in_a_config_map_that_the_sidecar_finds() -> None:
    annotations = {"grafana_folder": "Kubernetes"}
    objects = render({"grafanaDashboard": {"enabled": True, "annotations": annotations}})
    [item] = [found for found in objects if found["kind"] == "ConfigMap"]
    assert item["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert item["metadata"]["annotations"] == annotations
    [(name, text)] = item["data"].items()
    assert name.endswith(".json") and json.loads(text) == json.loads(dashboard())


def test_neither_is_there_without_being_asked_for() -> None:
    kinds = {item["kind"] for item in render()}
    assert not kinds & {"PrometheusRule", "ConfigMap"}
