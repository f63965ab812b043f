"""Compiled modules for the measured processes, as an image has them."""

import os
import subprocess
import sys
from pathlib import Path

from support.operator_process import REPOSITORY

_LOAD = """
import artifact_index.cli, artifact_index.app, bench.bare_loop, bench.both_clouds
import boto3
boto3.Session().client("codeartifact", region_name="eu-west-1")
"""


def compile_into(folder: Path) -> dict[str, str]:
    """Load everything once; returns the environment in which later processes find it compiled."""
    compiled = {"PYTHONPYCACHEPREFIX": str(folder), "PYTHONDONTWRITEBYTECODE": ""}
    path = os.pathsep.join(str(REPOSITORY / part) for part in ("operator", "tests", "."))
    environment = {**os.environ, **compiled, "PYTHONPATH": path}
    subprocess.run([sys.executable, "-c", _LOAD], env=environment, check=True)
    return {**compiled, "PYTHONPATH": path}
