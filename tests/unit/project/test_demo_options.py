"""`make demo` chooses a cluster by its own command line alone."""

import os
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

TOP = Path(__file__).parents[3]


def planned(*options: str, **env: str) -> str:
    """The command that make would run."""
    done = subprocess.run(
        ["make", "--dry-run", "demo", *options],
        cwd=TOP,
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1].partition("-m demo")[2]


def test_the_current_cluster_is_asked_for_and_agreed_to() -> None:
    assert planned("CLUSTER=current").split() == ["--cluster=current"]
    assert planned("CLUSTER=current", "YES=1").split() == ["--cluster=current", "--yes"]


def test_variables_of_the_environment_choose_no_cluster() -> None:
    assert planned(CLUSTER="current", YES="1").split() == []
