"""`refresh`, `suspend` and `resume` against an API server: what they write, and what they say."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from artifact_index.api.timestamps import format_time
from artifact_index.cli import main
from artifact_index.cli.cluster import refresh
from artifact_index.cli.reports import ChangeReport
from support.emulator import Emulator
from support.reconcile_builders import NAMESPACE, source

pytestmark = pytest.mark.emulated

INDEXES, OPTIONS = "artifactindexes", "indexoptions"
ANNOTATION: Final = "artifactindex.dev/refresh-requested-at"
DENIED: Final = (
    'artifactindexes.artifactindex.dev "a" is forbidden: User "dev" cannot patch resource '
    '"artifactindexes" in API group "artifactindex.dev" in the namespace "builders"'
)
READY: Final = {
    "type": "Ready", "status": "True", "reason": "Available", "message": "it is available",
    "lastTransitionTime": "2026-01-02T03:04:05Z",
}  # fmt: skip


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    monkeypatch.setattr(refresh, "READ_EVERY", 0.01)
    with Emulator() as started:
        for name in ("a", "b"):
            labels = {"of": name}
            put(started, INDEXES, name, source("codeArtifact"), labels)
        put(started, OPTIONS, "uv-config", {}, {})
        yield started


def put(world: Emulator, plural: str, name: str, spec: Any, labels: dict[str, str]) -> None:
    world.create(
        plural,
        {"metadata": {"name": name, "namespace": NAMESPACE, "labels": labels}, "spec": spec},
    )
    status = {"observedGeneration": 1, "conditions": [READY]}
    world.patch(plural, NAMESPACE, name, {"status": status}, subresource="status")


def run(world: Emulator, *arguments: str) -> int:
    world.requests.clear()
    command, *others = arguments
    flags = ["--kubeconfig", str(world.kubeconfig())]
    return main([command, *flags, *([] if "-A" in others else ["-n", NAMESPACE]), *others])


def requested(world: Emulator, plural: str, name: str) -> str | None:
    found = world.get(plural, NAMESPACE, name)["metadata"].get("annotations") or {}
    text: str | None = found.get(ANNOTATION)
    return text


def suspended(world: Emulator, plural: str, name: str) -> bool:
    return bool(world.get(plural, NAMESPACE, name)["spec"].get("suspend"))


def test_refresh_writes_the_time_as_the_caller(
    world: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    before = format_time(time.time())
    assert run(world, "refresh", "a", "indexoptions/uv-config") == 0

    asked = requested(world, INDEXES, "a")
    assert asked is not None and before <= asked <= format_time(time.time())
    assert requested(world, OPTIONS, "uv-config") == asked
    assert requested(world, INDEXES, "b") is None
    assert f"✓ ArtifactIndex builders/a: requested at {asked}" in capsys.readouterr().out
    managers = {
        entry["manager"]
        for entry in world.get(INDEXES, NAMESPACE, "a")["metadata"]["managedFields"]
    }
    assert "artifact-index" in managers and "artifact-index-operator" not in managers
    assert len(world.requests) == 4


@pytest.mark.parametrize(
    ("flags", "chosen"),
    [
        (["--all"], {(INDEXES, "a"), (INDEXES, "b")}),
        (["-l", "of=b"], {(INDEXES, "b")}),
        (["-A", "--all", "indexoptions"], {(OPTIONS, "uv-config")}),
        (["-A", "-l", "of=a", "aidx"], {(INDEXES, "a")}),
        (["a", "artifactindex/a"], {(INDEXES, "a")}),
    ],
)
def test_what_is_chosen(flags: list[str], chosen: set[tuple[str, str]], world: Emulator) -> None:
    everything = [(INDEXES, "a"), (INDEXES, "b"), (OPTIONS, "uv-config")]
    assert run(world, "refresh", *flags) == 0
    assert {each for each in everything if requested(world, *each)} == chosen
    assert len(world.requests.writes()) == len(chosen)

    assert run(world, "suspend", *flags) == 0
    assert {each for each in everything if suspended(world, *each)} == chosen

    assert run(world, "resume", *flags) == 0
    assert not any(suspended(world, *each) for each in everything)


@pytest.mark.parametrize(
    ("flags", "status", "says"),
    [
        ([], 2, "give names, or choose objects with -l or --all"),
        (["-A", "a"], 2, "-A goes with -l or --all"),
        (["secret/a"], 2, "names another kind"),
        (["indexoptions/"], 2, "give NAME"),
        (["--all", "a"], 2, "give one kind"),
        (["--all", "aidx", "idxopt"], 2, "give one kind"),
        (["-l", "of=c"], 1, "no ArtifactIndex with labels of=c in namespace builders"),
        (["a", "best"], 1, "no ArtifactIndex best in namespace builders: `artifact-index status"),
    ],
)
def test_what_cannot_be_chosen(
    flags: list[str],
    status: int,
    says: str,
    world: Emulator,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(world, "suspend", *flags) == status
    assert says in capsys.readouterr().err
    assert not world.requests.writes()


def test_suspend_and_resume_say_what_they_did(
    world: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(world, "suspend", "a", "idxopt/uv-config") == 0
    index, options = capsys.readouterr().out.splitlines()
    assert "`artifact-index resume -n builders a`: no token is requested" in index
    assert "`artifact-index resume -n builders indexoptions/uv-config`: its files are" in options

    assert run(world, "suspend", "a") == 0
    assert "suspended already" in capsys.readouterr().out
    assert not world.requests.writes()

    assert run(world, "refresh", "a", "b", "-o", "json") == 1
    report = ChangeReport.model_validate_json(capsys.readouterr().out)
    assert [each.outcome for each in report.objects] == ["Refused", "Requested"]
    assert "artifact-index resume -n builders a" in report.objects[0].message
    assert requested(world, INDEXES, "a") is None

    assert run(world, "resume", "a", "b", "-o", "json") == 0
    report = ChangeReport.model_validate_json(capsys.readouterr().out)
    assert [each.outcome for each in report.objects] == ["Resumed", "Unchanged"]


@pytest.mark.parametrize(
    ("verb", "status", "message", "says"),
    [
        ("get", 403, "", "you may not get artifactindexes.artifactindex.dev in builders: ask for "
         "the ClusterRole `view`"),
        ("get", 404, "404 page not found", "install them with `artifact-index crds"),
        ("get", 401, "", "log in again"),
        ("get", 400, "", "cannot be read: 400"),
        ("patch", 403, DENIED, "you may not patch artifactindexes.artifactindex.dev in builders: "
         "ask for the ClusterRole `edit` there, and test with `kubectl{flags} auth can-i patch "
         "artifactindexes.artifactindex.dev -n builders`"),
        ("patch", 403, 'admission webhook "freeze" denied the request', '"freeze" denied'),
        ("patch", 401, "", "log in again"),
        ("patch", 422, "spec.name is wrong", "cannot be changed: 422 Unknown: spec.name is wrong"),
    ],
)  # fmt: skip
def test_what_the_api_server_refuses(
    verb: str,
    status: int,
    message: str,
    says: str,
    world: Emulator,
    capsys: pytest.CaptureFixture[str],
) -> None:
    world.fail(verb, INDEXES, status, count=None, message=message)
    assert run(world, "refresh", "a") == 3
    printed = capsys.readouterr()
    assert says.format(flags=f" --kubeconfig {world.kubeconfig()}") in printed.out + printed.err
    assert (printed.out == "") is (verb == "get")


def answering(world: Emulator, name: str, answer: Callable[[str], dict[str, Any]]) -> Any:
    """An operator that answers a request with a status, in a thread."""

    def answer_once() -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if asked := requested(world, INDEXES, name):
                status = answer(asked)
                world.patch(INDEXES, NAMESPACE, name, {"status": status}, subresource="status")
                return

    thread = threading.Thread(target=answer_once)
    thread.start()
    return thread


def test_a_wait_ends_with_the_new_token(
    world: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    until = format_time(time.time() + 7200)
    operator = answering(
        world,
        "a",
        lambda asked: {"lastHandledRefreshAt": asked, "credential": {"expiresAt": until}},
    )
    assert run(world, "refresh", "a", "--wait", "-o", "json") == 0
    operator.join()

    (each,) = ChangeReport.model_validate_json(capsys.readouterr().out).objects
    assert (each.outcome, each.expires_at) == ("Refreshed", until)


def test_a_wait_ends_with_the_refusal(world: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    failing = {**READY, "type": "RefreshFailing", "reason": "AccessDenied", "message": "grant it"}
    operator = answering(world, "a", lambda _: {"conditions": [READY, failing]})
    assert run(world, "refresh", "a", "--wait") == 1
    operator.join()

    assert "✗ ArtifactIndex builders/a: AccessDenied: grant it; more:" in capsys.readouterr().out


def test_a_wait_for_what_failed_before_ends_when_it_was_tried_again(
    world: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """The conditions are as before: only the operator's word tells that they are the answer."""
    denied = {**READY, "status": "False", "reason": "AccessDenied", "message": "grant it"}
    status = {"observedGeneration": 1, "conditions": [denied]}
    world.patch(INDEXES, NAMESPACE, "a", {"status": status}, subresource="status")
    operator = answering(world, "a", lambda asked: {"lastRefusedRefreshAt": asked})

    assert run(world, "refresh", "a", "--wait") == 1
    operator.join()

    assert "✗ ArtifactIndex builders/a: AccessDenied: grant it; more:" in capsys.readouterr().out


def test_a_wait_for_an_operator_that_does_not_answer_runs_out(
    world: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(world, "refresh", "--all", "--wait", "--timeout", "50ms") == 4

    printed = capsys.readouterr()
    assert printed.out.count("the operator has not answered; see whether the operator runs") == 2
    assert printed.err == ""


def test_a_wait_that_runs_out_tells_what_is_wrong(
    world: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    throttled = {**READY, "type": "RefreshFailing", "reason": "CloudThrottled", "message": "slow"}
    ignored = {**READY, "message": f"available. The annotation {ANNOTATION} is in the future"}
    for name, conditions in (("a", [READY, throttled]), ("b", [ignored])):
        status = {"conditions": conditions}
        world.patch(INDEXES, NAMESPACE, name, {"status": status}, subresource="status")

    assert run(world, "refresh", "a", "b", "--wait", "--timeout", "50ms") == 4

    first, second = capsys.readouterr().out.splitlines()
    assert "not refreshed within 0s: CloudThrottled: slow; more: `artifact-index why" in first
    assert "set the clock of this machine" in second


def test_progress_is_for_a_terminal(
    world: Emulator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    denied = {**READY, "status": "False", "reason": "AccessDenied"}
    status = {"observedGeneration": 1, "conditions": [denied]}
    world.patch(INDEXES, NAMESPACE, "a", {"status": status}, subresource="status")
    assert run(world, "refresh", "a", "--wait", "--timeout", "50ms") == 4

    printed = capsys.readouterr()
    assert "0 of 1 done; giving up in 0s; a: AccessDenied" in printed.err
    assert printed.err.endswith("\r\033[K")
    assert "\033" not in printed.out


def test_an_object_that_is_deleted_meanwhile(
    world: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    def delete() -> None:
        deadline = time.monotonic() + 30
        while not requested(world, INDEXES, "a") and time.monotonic() < deadline:
            pass
        world.delete(INDEXES, NAMESPACE, "a")

    handled = {"lastHandledRefreshAt": "2062-01-01T00:00:00Z"}
    world.patch(INDEXES, NAMESPACE, "b", {"status": handled}, subresource="status")
    thread = threading.Thread(target=delete)
    thread.start()
    assert run(world, "refresh", "--all", "--wait") == 1
    thread.join()
    assert "builders/a: deleted meanwhile" in capsys.readouterr().out
