"""Operators ready to be measured: their modules compiled, as an image has them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from support.operator_process import REPOSITORY

_OPERATOR = """
import artifact_index.cli, artifact_index.app, bench.both_clouds
import boto3
boto3.Session().client("codeartifact", region_name="eu-west-1")
"""
_BARE_LOOP = "import bench.bare_loop\n"


class Build(NamedTuple):
    """The environment variables that an operator is started with, and its interpreter.

    `python` is None for the operator of this checkout. `processors` are those that it may use; all
    if empty.
    """

    env: dict[str, str]
    python: str | None = None
    processors: frozenset[int] = frozenset()


def compile_ours(folder: Path) -> Build:
    """Load this checkout's operator and the bare loop once, so that later starts find bytecode."""
    path = os.pathsep.join(str(REPOSITORY / part) for part in ("operator", "tests", "."))
    env = _compile(_OPERATOR + _BARE_LOOP, folder, Path(sys.executable), path)
    return Build(env)


def compile_theirs(folder: Path, python: Path) -> Build:
    """The same for an operator that another interpreter's environment holds."""
    # `bench.both_clouds` is this checkout's, the operator that it runs is not.
    return Build(_compile(_OPERATOR, folder, python, str(REPOSITORY)), str(python))


def _compile(code: str, folder: Path, python: Path, path: str) -> dict[str, str]:
    env = {
        "PYTHONPYCACHEPREFIX": str(folder),
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPATH": path,
    }
    subprocess.run([python, "-c", code], env={**os.environ, **env}, check=True)
    return env
