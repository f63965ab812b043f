"""Every setting of the operator can be set through the chart, and arrives as it was given."""

import argparse
import subprocess
from typing import Any

import pytest
import yaml
from pydantic.alias_generators import to_camel

from artifact_index.cli import run
from artifact_index.setting_values import OneOf
from artifact_index.settings import SettingError, Settings, load_settings, setting_fields
from support.chart import CHART, render

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("helm")]

ELECTION = {
    "leader_elect": "enabled",
    "lease_duration": "leaseDuration",
    "renew_deadline": "renewDeadline",
    "retry_period": "retryPeriod",
}
"""Settings that are in the group `leaderElection`."""
CLUSTER_KINDS = {
    "cluster_kinds": "enabled",
    "cluster_resource_namespace": "resourceNamespace",
    "cluster_kinds_namespaces": "namespaces",
}
"""Settings that are in the group `clusterKinds`."""
GROUPED = {*ELECTION, *CLUSTER_KINDS}
LISTS = {
    "cluster_kinds_namespaces": ["team-*", "!team-b"],
    "operator_identity_namespaces": ["team-a", "team-b=arn:aws:codeartifact:*"],
    "allowed_hosts": ["*.example.com", "[2001:db8::1]:8443"],
}


def chart_values() -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
    return values


def settings_of(values: dict[str, Any]) -> Settings:
    """What the operator makes of the container's arguments."""
    parser = argparse.ArgumentParser()
    run.register(parser.add_subparsers())
    return load_settings(vars(parser.parse_args(arguments(values))), {})


def arguments(values: dict[str, Any]) -> list[str]:
    """The container's arguments."""
    (deployment,) = [manifest for manifest in render(values) if manifest["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    found: list[str] = container["args"]
    return found


def another(name: str, default: Any) -> Any:
    """A value of the chart that is not the setting's default."""
    if name in LISTS:
        return LISTS[name]
    (setting,) = [field for field in setting_fields() if field.name == name]
    parse = setting.metadata["parse"]
    if isinstance(parse, OneOf):
        return next(choice for choice in parse.choices if choice != default)
    if isinstance(default, bool):
        return not default
    if isinstance(default, int):
        return default + 1
    if isinstance(default, float):
        return "1h2m3s"
    return "https://other.example/path" if name.endswith("_url") else "other"


def test_each_setting_has_a_value_and_each_value_a_setting() -> None:
    settings = {
        to_camel(field.name)
        for field in setting_fields()
        if field.name != "namespaces" and field.name not in GROUPED
    }
    former = {
        to_camel(name) for field in setting_fields() if (name := field.metadata["former_name"])
    }
    assert set(chart_values()["settings"]) == settings | former
    assert chart_values().keys() >= {"watchNamespaces", "leaderElection"}
    assert chart_values()["leaderElection"].keys() == {*ELECTION.values(), "flowSchema"}
    assert chart_values()["clusterKinds"].keys() == {*CLUSTER_KINDS.values()}


def test_without_values_the_operator_elects_a_leader_and_serves_the_cluster_kinds() -> None:
    assert settings_of({}) == load_settings({"leader_elect": "true", "cluster_kinds": "true"}, {})


@pytest.mark.parametrize(
    ("values", "serves"),
    [
        ({"clusterKinds": {"enabled": True}}, True),
        ({"clusterKinds": {"enabled": None}}, True),
        ({"clusterKinds": None}, True),
        ({"clusterKinds": {"enabled": False}}, False),
        ({"watchNamespaces": ["a"]}, False),
        (
            {"watchNamespaces": ["a"], "clusterKinds": {"enabled": False, "namespaces": ["b"]}},
            False,
        ),
    ],
)
def test_cluster_kinds_are_served_where_the_whole_cluster_is(
    values: dict[str, Any], serves: bool
) -> None:
    manifests = render(values)
    rules = [rule for each in manifests if "Role" in each["kind"] for rule in each.get("rules", ())]
    granted = {resource for rule in rules for resource in rule["resources"]}

    assert settings_of(values).cluster_kinds is serves
    assert ("namespaces" in granted) is serves
    assert ("clusterindexoptions/status" in granted) is serves
    tenants = [
        rule
        for each in manifests
        if "aggregate-to-edit" in str(each["metadata"].get("labels"))
        for rule in each["rules"]
    ]
    assert "cluster" not in str([rule["resources"] for rule in tenants])


def test_cluster_kinds_are_impossible_in_a_namespaced_installation() -> None:
    values = {"watchNamespaces": ["a"], "clusterKinds": {"enabled": True}}
    with pytest.raises(subprocess.CalledProcessError) as caught:
        render(values)
    assert "clusterKinds.enabled is true and watchNamespaces is not empty" in caught.value.stderr
    with pytest.raises(SettingError, match="--cluster-kinds needs an installation for the whole"):
        load_settings({"namespaces": ["a"], "cluster_kinds": "true"}, {})


def test_one_replica_without_election_has_the_operators_own_defaults() -> None:
    values = {
        "replicaCount": 1,
        "leaderElection": {"enabled": False, "leaseDuration": "1m"},
        "clusterKinds": {"enabled": False, "namespaces": ["a"]},
    }
    assert settings_of(values) == load_settings({}, {})


def test_a_value_like_the_default_makes_no_flag() -> None:
    """So that `kubectl describe` shows what was set, and a variable in `extraEnv` counts."""
    defaults = chart_values()["settings"]
    election = chart_values()["leaderElection"]
    unchanged = {"settings": defaults, "leaderElection": election}
    assert arguments(unchanged) == ["run", "--leader-elect=true", "--cluster-kinds=true"]
    changed = {"settings": {"logLevel": "debug"}, "watchNamespaces": ["a"]}
    flags = ["--namespace=a", "--leader-elect=true", "--log-level=debug"]
    assert arguments(changed) == ["run", *flags]


def test_every_value_arrives_as_the_operators_setting() -> None:
    given = {field.name: another(field.name, field.default) for field in setting_fields()}
    del given["namespaces"]
    given |= {"cluster_kinds": True, "cluster_resource_namespace": "logins"}
    given |= {"lease_duration": "1m30s", "renew_deadline": "1m", "retry_period": "7s"}
    election = {key: given[name] for name, key in ELECTION.items()}
    cluster = {key: given[name] for name, key in CLUSTER_KINDS.items()}
    values = {to_camel(name): value for name, value in given.items() if name not in GROUPED}
    groups = {"settings": values, "leaderElection": election, "clusterKinds": cluster}
    found = settings_of(groups)

    wanted = {
        name: value if isinstance(value, list) else [str(value).lower()]
        for name, value in given.items()
    }
    lists = {field.name for field in setting_fields() if field.metadata["repeatable"]}
    expected = load_settings(
        {name: text if name in lists else text[0] for name, text in wanted.items()}, {}
    )
    assert found == expected
    unchanged = [
        field.name for field in setting_fields() if getattr(found, field.name) == field.default
    ]
    assert unchanged == ["namespaces"]
    assert settings_of({"watchNamespaces": ["team-b", "team-a"]}).namespaces == ("team-b", "team-a")


def test_a_value_of_a_former_name_still_counts() -> None:
    assert settings_of({"settings": {"resyncInterval": "7m"}}).relist_interval == 420
    assert settings_of({}).relist_interval == 600
