"""Every setting of the operator can be set through the chart, and arrives as it was given."""

import argparse
from typing import Any

import pytest
import yaml
from pydantic.alias_generators import to_camel

from artifact_index.cli import run
from artifact_index.settings import OneOf, Settings, load_settings, setting_fields
from support.chart import CHART, render

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("helm")]

NOT_UNDER_SETTINGS = {"namespaces": "watchNamespaces"}
LISTS = {
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
        to_camel(field.name) for field in setting_fields() if field.name not in NOT_UNDER_SETTINGS
    }
    former = {
        to_camel(name) for field in setting_fields() if (name := field.metadata["former_name"])
    }
    assert set(chart_values()["settings"]) == settings | former
    assert set(NOT_UNDER_SETTINGS.values()) <= set(chart_values())


def test_without_values_the_operator_runs_with_its_own_defaults() -> None:
    assert settings_of({}) == load_settings({}, {})


def test_a_value_like_the_default_makes_no_flag() -> None:
    """So that `kubectl describe` shows what was set, and a variable in `extraEnv` counts."""
    defaults = chart_values()["settings"]
    assert arguments({"settings": defaults}) == ["run"]
    changed = {"settings": {"logLevel": "debug"}, "watchNamespaces": ["a"]}
    assert arguments(changed) == ["run", "--namespace=a", "--log-level=debug"]


def test_every_value_arrives_as_the_operators_setting() -> None:
    given = {field.name: another(field.name, field.default) for field in setting_fields()}
    del given["namespaces"]
    values = {to_camel(name): value for name, value in given.items()}
    found = settings_of({"settings": values, "watchNamespaces": ["team-b", "team-a"]})

    wanted = {
        name: value if isinstance(value, list) else [str(value).lower()]
        for name, value in given.items()
    }
    lists = {field.name for field in setting_fields() if field.metadata["repeatable"]}
    expected = load_settings(
        {
            "namespaces": ["team-b", "team-a"],
            **{name: text if name in lists else text[0] for name, text in wanted.items()},
        },
        {},
    )
    assert found == expected
    unchanged = [
        field.name for field in setting_fields() if getattr(found, field.name) == field.default
    ]
    assert unchanged == []


def test_a_value_of_a_former_name_still_counts() -> None:
    assert settings_of({"settings": {"resyncInterval": "7m"}}).relist_interval == 420
    assert settings_of({}).relist_interval == 600
