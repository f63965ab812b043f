"""The bench in its small form: exact counts, and the budgets with slack for a small size."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.control_plane import ControlPlane, ControlPlaneUnavailable
from support.operator_process import REPOSITORY
from support.other_operator import RevisionUnavailable, environment_of

pytestmark = pytest.mark.scale


@pytest.fixture(scope="module", autouse=True)
def control_plane(request: pytest.FixtureRequest) -> None:
    """The programs of a control plane, built where they are missing."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    try:
        # A first build takes minutes: its progress has to be seen.
        with capture.global_and_fixture_disabled():
            ControlPlane()
    except ControlPlaneUnavailable as error:
        _skip_unless_in_ci(error, error.reason)


@pytest.mark.timeout(1000)
def test_the_small_bench_keeps_its_budgets() -> None:
    # Some 110 s; three rounds of each scene on a machine that is three times as slow.
    run = bench("--small", seconds=900)

    assert run.returncode == 0, run.stdout + run.stderr
    phases = ("cold start", "restart", "idle", "key rotated", "storm of edits", "secrets changed")
    assert all(f"| {phase} " in run.stdout for phase in phases), run.stdout
    assert "| no cause | 0 | 0 | 0 | 0 | 0 | 0 | 0 |" in run.stdout, run.stdout
    tenants = ("alone", "others arrive", "beside others", "restarted")
    assert all(f"| {phase} " in run.stdout for phase in tenants), run.stdout


def test_the_operator_of_the_same_commit_does_the_same_work(tmp_path: Path) -> None:
    try:
        environment_of("HEAD")
    except RevisionUnavailable as error:
        _skip_unless_in_ci(error, str(error))
    numbers = tmp_path / "numbers.json"

    run = bench("--small", "--against", "HEAD", "--scene", "logins", f"--json={numbers}")

    # A single small round on a busy machine proves nothing about time, nor about listings: watches
    # that begin apart are followed by one listing more.
    assert run.returncode in (0, 1), run.stdout + run.stderr
    found = json.loads(numbers.read_text())
    phases = ["cold start", "restart", "idle", "key rotated"]
    assert [line["phase"] for line in found["ratios"]] == phases, run.stdout
    differences = [
        difference
        for line in found["ratios"]
        for difference in line["differences"]
        if not difference.startswith("in the least of all rounds")
    ]
    assert differences == [], run.stdout + run.stderr
    [both] = found["rounds"]
    for name in ("theirs", "ours"):
        cold, _, _, rotated = both[name]
        assert cold["mints"] == rotated["mints"] == 100, run.stdout
        assert cold["writes"]["create secrets"] == 101, run.stdout
    compared = [line for line in found["ratios"] if line["phase"] != "idle"]
    assert all(line[what] for line in compared for what in ("time", "cpu", "memory")), run.stdout
    assert "| logins | cold start | " in run.stdout, run.stdout


def bench(*arguments: str, seconds: float = 500) -> subprocess.CompletedProcess[str]:
    """`python -m bench` with these arguments."""
    path = os.pathsep.join(str(REPOSITORY / part) for part in ("operator", "tests", "."))
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def _skip_unless_in_ci(error: Exception, reason: str) -> None:
    if os.environ.get("CI") == "true":
        raise error
    pytest.skip(reason)
