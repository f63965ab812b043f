"""Settings: each one named, explained and checked; what is unusable stops the start."""

import argparse
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

from artifact_index import settings as settings_module
from artifact_index.cli import run
from artifact_index.credentials.tokens.freshness import Margins, margins_of
from artifact_index.setting_flags import environment_of, flag_of
from artifact_index.setting_values import parse_duration
from artifact_index.settings import SettingError, Settings, load_settings, setting_fields

pytestmark = pytest.mark.unit


def load(*arguments: str, **environ: str) -> Settings:
    parser = argparse.ArgumentParser()
    run.register(parser.add_subparsers())
    return load_settings(vars(parser.parse_args(["run", *arguments])), environ)


@pytest.mark.parametrize("setting", setting_fields(), ids=lambda item: item.name)
def test_every_setting_is_explained_and_shows_its_names(
    setting: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        load("--help")
    shown = "".join(capsys.readouterr().out.split())  # argparse wraps, also at hyphens
    assert len(setting.metadata["help"]) > 10
    explanation = f"{setting.metadata['help']}[{environment_of(setting)}]".replace(" ", "")
    assert explanation in shown
    assert flag_of(setting) in shown[: shown.index(explanation)]


def test_no_two_settings_share_a_name() -> None:
    fields = setting_fields()
    assert len({flag_of(field) for field in fields}) == len(fields)
    assert len({environment_of(field) for field in fields}) == len(fields)


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().workers = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("30s", 30), ("10m", 600), ("1h30m", 5400), ("1.5h", 5400), ("250ms", 0.25),
     ("1m1m", 120)],
)  # fmt: skip
def test_durations_are_gos(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "s", "-5s", "5 s", "5s ", "1d", "5S", ".5s", "5s\n"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a duration such as"):
        parse_duration(text)


PERIODS = [
    "relist-interval",
    "source-reread-interval",
    "cloud-connect-timeout",
    "cloud-read-timeout",
]


@pytest.mark.parametrize("name", PERIODS)
def test_a_period_of_nothing_is_refused(name: str) -> None:
    # It would list everything again without a pause, or fail every call.
    with pytest.raises(SettingError, match=f"^--{name} must be a duration of more than 0s$"):
        load(f"--{name}=0s")


UNUSABLE = {
    "--relist-interval": ("10", "must be a duration such as"),
    "--clock-skew": ("-1s", "must be a duration such as"),
    "--workers": ("²", "must be a whole number of at least 1"),
    "--cloud-threads": ("1.5", "must be a whole number of at least 1"),
    "--writes-per-second": ("-1", "must be a whole number; 0 means no limit"),
    "--write-burst": ("0", "must be a whole number of at least 1"),
    "--health-port": ("-1", "must be a port number from 0 to 65535"),
    "--allow-http": ("perhaps", "must be true or false"),
    "--google-token-url": ("oauth2.example", "must be an absolute http or https URL"),
    "--google-sts-url": ("https://", "must be an absolute http or https URL"),
    "--google-iam-credentials-url": ("https:///x", "must be an absolute http or https URL"),
    "--log-format": ("xml", "must be one of text, json"),
    "--log-level": ("INFO", "must be one of debug, info, warning, error"),
    "--namespace": ("", "must not be empty"),
    "--operator-identity-namespaces": (" , ", "must not be empty"),
}


@pytest.mark.parametrize("flag", UNUSABLE)
def test_what_cannot_be_used_is_refused_with_its_flag_or_variable(flag: str) -> None:
    text, message = UNUSABLE[flag]
    with pytest.raises(SettingError) as caught:
        load(f"{flag}={text}")
    assert str(caught.value).startswith(f"{flag} {message}")

    if text:  # an empty variable is as good as none
        (setting,) = [field for field in setting_fields() if flag_of(field) == flag]
        with pytest.raises(SettingError) as caught:
            load(**{environment_of(setting): text})
        assert str(caught.value).startswith(f"{environment_of(setting)} {message}")


def test_an_unusable_setting_ends_the_start_with_its_message(
    capsys: pytest.CaptureFixture[str],
) -> None:
    parser = argparse.ArgumentParser()
    run.register(parser.add_subparsers())
    chosen = parser.parse_args(["run", "--workers=none"])
    assert run.execute(chosen) == 2
    assert "--workers must be a whole number" in capsys.readouterr().err


def test_an_empty_variable_is_as_good_as_none() -> None:
    empty = {environment_of(setting): "" for setting in setting_fields()}
    assert load(**empty) == load()


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [([], False), (["--allow-http"], True), (["--allow-http=false"], False),
     (["--allow-http", "true"], True)],
)  # fmt: skip
def test_a_switch_may_stand_alone(arguments: list[str], allowed: bool) -> None:
    assert load(*arguments).allow_http is allowed


CONSENT: list[tuple[list[str], dict[str, bool]]] = [
    ([], {"a": False}),
    (["--namespace=a"], {"a": True, "b": False}),
    (["--namespace=a", "--namespace=b"], {"a": False, "b": False}),
    (["--operator-identity-namespaces=a,b"], {"a": True, "b": True, "c": False}),
    # What the administrator says comes before what one namespace alone would mean.
    (["--namespace=a", "--operator-identity-namespaces=b"], {"a": False, "b": True}),
]


@pytest.mark.parametrize(("arguments", "consent"), CONSENT)
def test_the_operators_identity_is_for_whom_the_administrator_names(
    arguments: list[str], consent: dict[str, bool]
) -> None:
    settings = load(*arguments)
    assert {item: settings.may_use_operator_identity(item) for item in consent} == consent


@pytest.mark.parametrize(
    ("arguments", "namespace"),
    [
        ([], "artifact-index-system"),
        (["--namespace=a"], "a"),
        (["--namespace=a,b"], "artifact-index-system"),
        (["--namespace=a", "--operator-namespace=c"], "c"),
    ],
)
def test_the_operators_own_namespace_without_a_pod(
    arguments: list[str], namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings_module, "_POD_NAMESPACE_FILE", tmp_path / "none")
    assert load(*arguments).operator_namespace == namespace


def test_the_operators_own_namespace_is_its_pods(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "namespace"
    file.write_text("of-the-pod\n")
    monkeypatch.setattr(settings_module, "_POD_NAMESPACE_FILE", file)
    assert load("--namespace=a").operator_namespace == "of-the-pod"


def test_the_defaults_are_those_of_the_freshness_formula() -> None:
    assert margins_of(load()) == Margins()


def test_every_margin_can_be_set() -> None:
    names = ["outage-budget", "write-time", "propagation-time", "pod-start-time", "clock-skew",
             "min-refresh-interval"]  # fmt: skip
    margins = margins_of(load(*(f"--{name}={n}s" for n, name in enumerate(names, start=1))))
    assert margins == Margins(1, 2, 3, 4, 5, 6)


def test_a_former_name_still_sets_and_names_itself_in_errors() -> None:
    assert load("--resync-interval=7m").relist_interval == 420
    assert load_settings({}, {"ARTIFACT_INDEX_RESYNC_INTERVAL": "7m"}).relist_interval == 420
    both = {"ARTIFACT_INDEX_RESYNC_INTERVAL": "7m", "ARTIFACT_INDEX_RELIST_INTERVAL": "8m"}
    assert load_settings({}, both).relist_interval == 480
    with pytest.raises(SettingError, match="ARTIFACT_INDEX_RESYNC_INTERVAL must"):
        load_settings({}, {"ARTIFACT_INDEX_RESYNC_INTERVAL": "10"})


@pytest.mark.parametrize(
    ("globs", "served", "not_served"),
    [
        ((), ("a", "kube-system"), ()),
        (("team-*",), ("team-a", "team-"), ("a", "my-team-a")),
        (("!kube-*",), ("a", "team-a"), ("kube-system",)),
        (("team-*", "!team-b"), ("team-a",), ("team-b", "a")),
        (("a", "b?"), ("a", "b1"), ("b", "b12")),
    ],
)
def test_the_bound_of_the_cluster_kinds_goes_by_the_names_of_namespaces(
    globs: tuple[str, ...], served: tuple[str, ...], not_served: tuple[str, ...]
) -> None:
    settings = Settings(cluster_kinds_namespaces=globs)
    assert all(settings.may_serve_cluster_kinds_in(name) for name in served)
    assert not any(settings.may_serve_cluster_kinds_in(name) for name in not_served)


@pytest.mark.parametrize("glob", ["Team", "a b", "!", "", "!!a", "team=a", "*" * 64])
def test_a_bound_that_matches_no_namespace_is_refused(glob: str) -> None:
    with pytest.raises(SettingError, match="must"):
        load("--cluster-kinds-namespaces", glob)


def test_the_logins_of_the_cluster_kinds_are_in_the_operators_namespace_by_default() -> None:
    assert load("--operator-namespace", "home").cluster_resource_namespace == "home"
    both = load("--operator-namespace", "home", "--cluster-resource-namespace", "logins")
    assert (both.operator_namespace, both.cluster_resource_namespace) == ("home", "logins")


def test_the_cluster_kinds_need_the_whole_cluster() -> None:
    assert load("--cluster-kinds").cluster_kinds
    with pytest.raises(SettingError, match="needs an installation for the whole cluster"):
        load("--cluster-kinds", "--namespace", "a")


def test_a_bound_of_what_is_not_served_is_refused() -> None:
    bound = ("--cluster-kinds-namespaces", "team-*")
    assert load("--cluster-kinds", *bound).cluster_kinds_namespaces == ("team-*",)
    with pytest.raises(SettingError, match="add --cluster-kinds, or remove --cluster-kinds-name"):
        load(*bound)
