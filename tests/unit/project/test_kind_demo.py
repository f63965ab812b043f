"""`make kind-demo` says what it lacks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

TOP = Path(__file__).parents[3]


def _program(folder: Path, name: str, status: int) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\nexit {status}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("programs", "says"),
    [
        ({}, "there is no docker on PATH; see https://docs.docker.com/"),
        ({"docker": 0}, "there is no kind on PATH; see https://kind.sigs.k8s.io/"),
        ({"docker": 0, "kind": 0}, "there is no kubectl on PATH; see https://kubernetes.io/"),
        ({"docker": 1, "kind": 0, "kubectl": 0}, "`docker info` fails"),
    ],
)
def test_the_demo_on_kind_says_what_the_machine_lacks(
    tmp_path: Path, programs: dict[str, int], says: str
) -> None:
    for name, status in programs.items():
        _program(tmp_path, name, status)
    result = subprocess.run(
        [sys.executable, "-m", "demo.kind"],
        cwd=TOP,
        env={**os.environ, "PATH": str(tmp_path), "PYTHONPATH": "operator:tests:."},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 1
    assert result.stderr.startswith(f"No demo on kind: {says}")
    assert result.stdout == ""
