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
    if empty. `slowdown` is how many times slower it runs than by itself, while it is counted.
    """

    env: dict[str, str]
    python: str | None = None
    processors: frozenset[int] = frozenset()
    slowdown: float = 1.0


def compile_ours(folder: Path) -> Build:
    """Load this checkout's operator and the bare loop once, so that later starts find bytecode."""
    path = os.pathsep.join(str(REPOSITORY / part) for part in ("operator", "tests", "."))
    env = _compile(_OPERATOR + _BARE_LOOP, folder, Path(sys.executable), path)
    return Build(env)


def compile_theirs(folder: Path, python: Path) -> Build:
    """The same for an operator that another interpreter's environment holds."""
    # `bench.both_clouds` is this checkout's, the operator that it runs is not.
    return Build(_compile(_OPERATOR, folder, python, str(REPOSITORY)), str(python))


def compile_counted(folder: Path, python: Path, *, ours: bool) -> Build:
    """The same for one whose instructions are counted: this checkout's, or what `python` holds."""
    path = os.pathsep.join([str(REPOSITORY / "operator")] * ours + [str(REPOSITORY)])
    env = _compile(_OPERATOR, folder, python, path)
    # An order of sets that changes from process to process costs now more, now less.
    return Build({**env, "PYTHONHASHSEED": "0"}, str(python))


def _compile(code: str, folder: Path, python: Path, path: str) -> dict[str, str]:
    env = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPATH": path}
    if sys.dont_write_bytecode:  # nothing is to be written beside the sources
        env["PYTHONPYCACHEPREFIX"] = str(folder)
    subprocess.run([python, "-c", code], env={**os.environ, **env}, check=True)
    return env
