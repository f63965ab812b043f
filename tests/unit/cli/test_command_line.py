"""The command line and the settings behind it."""

import argparse
from typing import Any

import pytest
import yaml
from tools.settings_reference import settings_markdown

from artifact_index.cli import main, run
from artifact_index.setting_flags import environment_names_of, environment_of, flag_of, flags_of
from artifact_index.settings import SettingError, load_settings, setting_fields

pytestmark = pytest.mark.unit


def flags(*arguments: str) -> dict[str, Any]:
    """What `artifact-index run` makes of its arguments."""
    parser = argparse.ArgumentParser()
    run.register(parser.add_subparsers())
    return vars(parser.parse_args(["run", *arguments]))


def test_crds_prints_what_kubectl_apply_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crds"]) == 0

    documents = list(yaml.safe_load_all(capsys.readouterr().out))
    assert [document["kind"] for document in documents] == ["CustomResourceDefinition"] * 4


@pytest.mark.parametrize(
    "arguments",
    [
        ["--operator-identity-namespaces", "a", "--operator-identity-namespaces", "b"],
        ["--operator-identity-namespaces", "a,b"],
        ["--operator-identity-namespaces=a", "--operator-identity-namespaces= b ,"],
    ],
)
def test_a_repeatable_flag_is_also_a_list(arguments: list[str]) -> None:
    settings = load_settings(flags(*arguments), {})

    assert settings.operator_identity_namespaces == ("a", "b")


def test_flags_come_before_the_environment_and_that_before_defaults() -> None:
    environ = {"ARTIFACT_INDEX_WORKERS": "3", "ARTIFACT_INDEX_NAMESPACES": "a, b"}

    assert load_settings(flags("--workers", "5"), environ).workers == 5
    assert load_settings(flags(), environ).workers == 3
    assert load_settings(flags(), environ).namespaces == ("a", "b")
    assert load_settings(flags(), {}).workers == 16


@pytest.mark.parametrize("setting", setting_fields(), ids=lambda setting: setting.name)
def test_every_setting_has_a_flag_and_a_variable(setting: Any) -> None:
    flag, variable = flag_of(setting), environment_of(setting)
    opposite = str(not setting.default).lower()
    text = {bool: opposite, int: "7", float: "7m", str: "https://x.example"}.get(
        type(setting.default), "seven"
    )
    if setting.name.startswith("log_"):
        text = {"log_format": "json", "log_level": "error"}[setting.name]
    # Those of an election are held to each other.
    text = {"renew_deadline": "9s", "retry_period": "1s"}.get(setting.name, text)
    others = ["--cluster-kinds"] if setting.name == "cluster_kinds_namespaces" else []

    by_flag = load_settings(flags(flag, text, *others), {})
    by_variable = load_settings(flags(*others), {variable: text})

    assert by_flag == by_variable
    assert getattr(by_flag, setting.name) != setting.default


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--relist-interval", "10"], "--relist-interval must be a duration"),
        (["--workers", "0"], "--workers must be a whole number of at least 1"),
        (["--allow-http", "maybe"], "--allow-http must be true or false"),
        (["--health-port", "70000"], "--health-port must be a port number"),
        (["--google-token-url", "ftp://x"], "--google-token-url must be an absolute http"),
        (["--log-level", "loud"], "--log-level must be one of"),
    ],
)
def test_an_unusable_setting_names_its_flag_and_what_it_takes(
    arguments: list[str], message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        load_settings(flags(*arguments), {})


def named(name: str, former: str | None = None) -> str:
    return f"`{name}`, formerly `{former}`" if former else f"`{name}`"


def test_the_reference_has_a_row_for_every_setting_with_its_default() -> None:
    rows = {}
    for line in settings_markdown().splitlines():
        if line.startswith("| `--"):
            flag, variable, default, meaning = line.strip("| ").split(" | ")
            rows[flag] = (variable, default.strip(" `"), meaning)
    for setting in setting_fields():
        variable, default, meaning = rows.pop(named(*flags_of(setting)))
        assert variable == named(*environment_names_of(setting))
        assert meaning.lower() == setting.metadata["help"].lower()
        if default:
            assert setting.metadata["parse"](default) == setting.default
        else:
            assert setting.default in ("", ())
    assert rows == {}
