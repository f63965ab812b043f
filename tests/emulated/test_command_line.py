"""`status` and `why` against an API server: exit statuses, requests, missing rights."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from artifact_index.api.timestamps import format_time
from artifact_index.cli import main
from artifact_index.cli.reports import StatusReport, WhyReport
from support.emulator import Emulator
from support.reconcile_builders import CANARY, NAMESPACE, secret_body, source

pytestmark = pytest.mark.emulated

OPERATOR: Final = Path(__file__).parents[2] / "operator"
PLURALS: Final = ("artifactindexes", "indexoptions")


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as started:
        yield started


def condition(type_: str, reason: str, status: str = "True") -> dict[str, str]:
    return {
        "type": type_, "status": status, "reason": reason, "message": f"about {reason}",
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    }  # fmt: skip


def put(
    emulator: Emulator,
    plural: str,
    name: str,
    spec: dict[str, Any],
    *conditions: Any,
    **status: Any,
) -> None:
    """Create an object with the status that an operator would write."""
    body = {"metadata": {"name": name, "namespace": NAMESPACE, "labels": {"of": name}}}
    emulator.create(plural, {**body, "spec": spec})
    written = {"observedGeneration": 1, "conditions": list(conditions), **status}
    emulator.patch(plural, NAMESPACE, name, {"status": written}, subresource="status")


def served(seconds: float) -> dict[str, str]:
    now = time.time()
    return {"expiresAt": format_time(now + seconds), "refreshAt": format_time(now + seconds / 2)}


@pytest.fixture
def world(emulator: Emulator) -> Emulator:
    """A file of two indexes, one of which is refused."""
    put(
        emulator, PLURALS[0], "good", source("codeArtifact"), condition("Ready", "Available"),
        credential=served(7230), url="https://acme.example/simple/",
    )  # fmt: skip
    put(
        emulator, PLURALS[0], "bad", source("googleArtifactRegistry"),
        condition("Ready", "AccessDenied", "False"), condition("Stalled", "AccessDenied"),
    )  # fmt: skip
    item = {"uid": "u", "reason": "AccessDenied"}
    put(
        emulator, PLURALS[1], "uv-config", {}, condition("Ready", "IndexesNotReady", "False"),
        condition("DependencyConfusionRisk", "PublicIndexFirst"),
        indexCount=2, readyIndexCount=1, earliestExpiry=format_time(time.time() + 7230),
        indexes=[{"artifactIndex": "bad", "ready": False, **item}],
        outputs=[{"kind": "Secret", "name": "uv-config", "keys": ["uv.toml"]}],
    )  # fmt: skip
    emulator.create("secrets", secret_body("aws-key", {"a": CANARY}))
    return emulator


def run(emulator: Emulator, *arguments: str) -> int:
    emulator.requests.clear()
    command, *others = arguments
    return main([command, "--kubeconfig", str(emulator.kubeconfig()), *others])


def test_status(world: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(world, "status", "-n", NAMESPACE) == 1

    printed = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    assert "builders Secret/uv-config 1/2 False 2h DependencyConfusionRisk" in lines
    assert "builders good True Available 2h 1h secret/aws-key" in lines
    assert "builders bad False AccessDenied - - secret/gcp-key" in lines
    assert "→ artifact-index why -n builders bad" in lines
    assert "→ artifact-index why -n builders indexoptions/uv-config" in lines
    assert "\033" not in printed and "acme.example" not in printed
    assert all(world.requests.count("list", plural) == 1 for plural in PLURALS)
    assert len(world.requests) == 2


def test_an_index_that_nobody_selects_has_no_static_login(
    world: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    ready = condition("Ready", "NotSelected")
    put(world, PLURALS[0], "spare", source("codeArtifact"), ready)
    assert run(world, "status", "-n", NAMESPACE, "-l", "of=spare") == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "builders spare True NotSelected - - secret/aws-key" in lines


def test_status_as_json(world: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(world, "status", "-A", "-o", "json") == 1

    report = StatusReport.model_validate_json(capsys.readouterr().out)
    assert {each.name: each.ready for each in report.indexes} == {"good": "True", "bad": "False"}
    assert [each.severity for each in report.problems] == ["error", "error", "warning"]


ELSEWHERE = "; -n names another, -A looks in all, and at ClusterIndexOptions\n"


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ((), f"in namespace default{ELSEWHERE}"),
        (("-n", "other"), f"in namespace other{ELSEWHERE}"),
        (("-A", "-l", "of=none"), "with labels of=none in any namespace\n"),
    ],
)
def test_nothing_to_show(
    flags: tuple[str, ...], says: str, world: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(world, "status", *flags) == 0
    assert capsys.readouterr().out.endswith(says)


def test_a_selector_chooses_objects(world: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(world, "status", "-A", "-l", "of=good") == 0
    assert "bad" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ((), 0),
        (("--expiring-within", "1h"), 0),
        (("--expiring-within", "3h"), 1),
        (("--fail-on", "warning"), 0),
    ],
)
def test_what_counts_as_good(flags: tuple[str, ...], expected: int, world: Emulator) -> None:
    assert run(world, "status", "-A", "-l", "of=good", *flags) == expected


def test_nothing_is_there(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(emulator, "status") == 0
    assert "no ArtifactIndex and no IndexOptions" in capsys.readouterr().out


def test_why(world: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(world, "why", "-n", NAMESPACE, "indexoptions/uv-config") == 1

    printed = capsys.readouterr().out
    assert "✗ ArtifactIndex builders/bad: AccessDenied since 2026-01-02T03:04:05Z\n" in printed
    assert "IndexesNotReady" not in printed
    assert "    → Grant the permission that the message names" in printed
    assert len(world.requests) == 2

    assert run(world, "why", "-n", NAMESPACE, "good", "-o", "json") == 0
    report = WhyReport.model_validate_json(capsys.readouterr().out)
    assert report.roots == []
    assert "selected by IndexOptions uv-config" in report.holds


def test_what_is_not_there(world: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(world, "why", "-n", NAMESPACE, "best") == 1
    assert "no ArtifactIndex best in namespace builders; there are: bad, good" in (
        capsys.readouterr().err
    )
    assert run(world, "why", "-n", NAMESPACE, "uv-config") == 1
    assert "; did you mean artifact-index why -n builders indexoptions/uv-config\n" in (
        capsys.readouterr().err
    )
    assert run(world, "why", "-n", NAMESPACE, "secret/a") == 2
    assert run(world, "why", "-n", NAMESPACE, "indexoptions/") == 2


@pytest.mark.parametrize("command", [("status",), ("why", "good")])
def test_what_cannot_be_found_out(
    command: tuple[str, ...], world: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    for status, says in (
        (
            403,
            "may not list artifactindexes.artifactindex.dev in builders: ask for the ClusterRole",
        ),
        (401, "does not accept your login: log in again"),
        (404, "there is no CustomResourceDefinition artifactindexes.artifactindex.dev; install"),
        (400, "; test with `kubectl --kubeconfig {path} get artifactindexes.artifactindex.dev -n"),
    ):
        world.fail("list", PLURALS[0], status, count=None)
        assert run(world, *command, "-n", NAMESPACE) == 3
        printed = capsys.readouterr()
        assert printed.err.startswith(f"artifact-index {command[0]}: ")
        assert says.format(path=world.kubeconfig()) in printed.err and printed.err.count("\n") == 1
        world.clear_faults()
    world.stop()
    assert run(world, *command, "-n", NAMESPACE) == 3
    assert "cannot be listed: the API server cannot be reached: " in capsys.readouterr().err


def test_a_context_that_is_not_there(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(emulator, "status", "-A", "--context", "other") == 3
    assert "context" in capsys.readouterr().err


def test_the_namespace_is_that_of_the_context(
    world: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = world.kubeconfig(tmp_path / "config")
    path.write_text(path.read_text().replace("user: emulator", "user: emulator\n    namespace: x"))

    assert main(["status", "--kubeconfig", str(path)]) == 0
    assert "no ArtifactIndex" in capsys.readouterr().out


def fill(emulator: Emulator, count: int) -> None:
    """Many indexes with the status that an operator would write."""
    bodies = [
        (PLURALS[0], {"metadata": {"name": f"i-{number}"}, "spec": source("codeArtifact")})
        for number in range(count)
    ]
    emulator.create_all(bodies, namespace=NAMESPACE)
    status = {
        "observedGeneration": 1, "conditions": [condition("Ready", "Available")],
        "credential": served(3600), "url": "https://acme.example/simple/",
    }  # fmt: skip
    for number in range(count):
        emulator.corrupt(
            PLURALS[0], NAMESPACE, f"i-{number}", lambda body: body.update(status=status)
        )


def cpu_of_status(emulator: Emulator, indexes: int) -> float:
    """Seconds of CPU of one `status`, which asks at most three times for a kind."""
    emulator.requests.clear()
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-m", "artifact_index", "status", "-A", "-o", "json"],
        env={"PYTHONPATH": str(OPERATOR), "KUBECONFIG": str(emulator.kubeconfig())},
        capture_output=True,
        text=True,
        check=False,
    )
    after = os.times()
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["indexes"]) == indexes
    assert all(emulator.requests.count("list", plural) <= 3 for plural in PLURALS)
    used = after.children_user + after.children_system
    return used - before.children_user - before.children_system


def test_a_thousand_indexes_take_at_most_a_second_and_a_half_of_cpu(emulator: Emulator) -> None:
    """One of three: the others may share a core with whatever else runs."""
    fill(emulator, 1000)
    assert any(cpu_of_status(emulator, 1000) <= 1.5 for _ in range(3))


def test_ten_thousand_indexes_take_less_than_200_mib(emulator: Emulator) -> None:
    fill(emulator, 10_000)
    emulator.requests.clear()
    code = (
        "import sys; from artifact_index.cli import main; main(['status', '-A'])\n"
        "sys.stderr.write(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(OPERATOR), "KUBECONFIG": str(emulator.kubeconfig())},
        capture_output=True,
        text=True,
        check=True,
    )

    lines = [line.split() for line in done.stdout.splitlines()]
    assert sum(line[2:4] == ["True", "Available"] for line in lines) == 10_000
    assert int(done.stderr) < 200 * 1024
    assert emulator.requests.count("list", PLURALS[0]) == 10_000 / 500
