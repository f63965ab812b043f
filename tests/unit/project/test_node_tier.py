"""Where there can be no node its tests say so in one line, and in CI that is a failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.node import machine

pytestmark = pytest.mark.unit

TOP = Path(__file__).parents[3]


def _run_without_programs(*command: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run Python where no program of a node is found, and no apt-get either."""
    machine = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST")}
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=TOP,
        env={**machine, "PATH": "/nowhere", "PYTHONPATH": "operator:tests:.", **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("ci", "status", "outcome"), [("", 0, "SKIPPED"), ("true", 1, "ERROR")], ids=["by hand", "CI"]
)
def test_without_a_node_its_tests_are_skipped_by_hand_and_fail_in_ci(
    ci: str, status: int, outcome: str
) -> None:
    result = _run_without_programs(
        *("pytest", "tests/node/test_canary.py", "-p", "no:cacheprovider", "-q"), CI=ci
    )
    assert result.returncode == status, result.stdout
    assert any(line.startswith(outcome) for line in result.stdout.splitlines())
    assert "no node: " in result.stdout


def test_debians_keys_are_installed_where_they_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "KEYRING", Path("/nowhere"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", "/nowhere")
    assert "debian-archive-keyring" in (machine.why_not() or "")


def test_preparing_a_machine_that_cannot_be_a_node_says_why_in_one_line() -> None:
    result = _run_without_programs("support.node")
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith("no node: ")
    assert len(result.stderr.splitlines()) == 1
