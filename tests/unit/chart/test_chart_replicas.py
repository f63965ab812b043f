"""How many replicas the chart makes, how it replaces them, and what their election needs."""

import subprocess
from typing import Any

import pytest

from artifact_index.cli.cluster.operators import lease_name
from support.chart import CHART, HELM_VERSIONS, RELEASE, render, run_helm, with_image
from support.operator_process import OPERATOR_NAMESPACE

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("helm")]

ALONE = {"replicaCount": 1, "leaderElection": {"enabled": False}}


def objects(values: dict[str, Any], kind: str, name: str = "") -> list[dict[str, Any]]:
    """The rendered objects of a kind whose name ends so."""
    return [
        item
        for item in render(values)
        if item["kind"] == kind and item["metadata"]["name"].endswith(name)
    ]


def deployment(values: dict[str, Any]) -> dict[str, Any]:
    """The spec of the Deployment."""
    [found] = objects(values, "Deployment")
    spec: dict[str, Any] = found["spec"]
    return spec


def test_two_replicas_are_replaced_one_by_one_and_drains_evict_one_at_a_time() -> None:
    spec = deployment({})
    assert spec["replicas"] == 2
    rolling = {"maxUnavailable": 0, "maxSurge": 1}
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": rolling}
    [budget] = objects({}, "PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == 1


def test_one_replica_without_election_ends_before_the_next_begins() -> None:
    spec = deployment(ALONE)
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert "topologySpreadConstraints" not in spec["template"]["spec"]
    assert objects(ALONE, "Role", "-election") == []


@pytest.mark.parametrize("version", sorted(HELM_VERSIONS))
def test_two_replicas_without_election_are_refused(version: str) -> None:
    values = with_image({"leaderElection": {"enabled": False}})
    with pytest.raises(subprocess.CalledProcessError) as refused:
        run_helm("template", RELEASE, CHART, version=version, values=values)
    step = "set leaderElection.enabled=true, or replicaCount=1"
    assert step in refused.value.stderr


def test_replicas_spread_over_nodes_and_zones_unless_values_say_how() -> None:
    spread = deployment({})["template"]["spec"]["topologySpreadConstraints"]
    selector = deployment({})["selector"]
    topologies = ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    assert [each["topologyKey"] for each in spread] == topologies
    for each in spread:
        # A cluster with one node runs both, and an upgrade's pods count by themselves.
        assert each["whenUnsatisfiable"] == "ScheduleAnyway"
        assert each["matchLabelKeys"] == ["pod-template-hash"]
        assert each["labelSelector"] == selector

    own = {"maxSkew": 2, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}
    pod = deployment({"topologySpreadConstraints": [own]})["template"]["spec"]
    assert pod["topologySpreadConstraints"] == [own]


@pytest.mark.parametrize(
    "served", [[], ["team-a"], ["team-b", "team-a"], ["b", "a", "b"], ["a-b"], ["12345"]]
)
def test_the_role_allows_the_very_lease_that_the_operator_takes(served: list[str]) -> None:
    [role] = objects({"watchNamespaces": served}, "Role", "-election")
    [by_name, for_all] = role["rules"]
    assert role["metadata"]["namespace"] == OPERATOR_NAMESPACE
    assert by_name["resourceNames"] == [lease_name(OPERATOR_NAMESPACE, served)]
    assert (by_name["verbs"], for_all["verbs"]) == (["watch", "update"], ["get", "create"])


def test_the_lease_is_beside_the_operators_key() -> None:
    values = {"settings": {"operatorNamespace": "keys"}, "leaderElection": {"flowSchema": True}}
    [role] = objects(values, "Role", "-election")
    assert role["metadata"]["namespace"] == "keys"
    [schema] = objects(values, "FlowSchema")
    [rule] = schema["spec"]["rules"]
    assert rule["resourceRules"][0]["namespaces"] == ["keys"]


def test_the_flow_schema_holds_the_renewals_of_this_release_alone() -> None:
    assert objects({}, "FlowSchema") == []
    assert objects({**ALONE, "leaderElection": {"enabled": False, "flowSchema": True}},
                   "FlowSchema") == []  # fmt: skip
    [schema] = objects({"leaderElection": {"flowSchema": True}}, "FlowSchema")
    # Its kind has no namespaces.
    assert schema["metadata"]["name"] == f"{OPERATOR_NAMESPACE}-{RELEASE}"
    assert schema["spec"]["priorityLevelConfiguration"] == {"name": "leader-election"}
    account = {"name": RELEASE, "namespace": OPERATOR_NAMESPACE}
    [rule] = schema["spec"]["rules"]
    assert rule["subjects"] == [{"kind": "ServiceAccount", "serviceAccount": account}]
    assert rule["resourceRules"][0]["resources"] == ["leases"]
