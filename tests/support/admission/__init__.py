"""What a newer API server than the one of the tests says when it refuses an object.

Its own validation library answers, in a program of its own: a whole API server takes many times as
long to build.
"""

import hashlib
import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support.control_plane.builder import Program, Toolchain, ensure_built

_MODULES = Path(__file__).parent
_FOLDER = _MODULES / "validate"
_RUN_SECONDS = 60.0
_TOOLS = Toolchain(
    name="admission",
    version=hashlib.sha256((_FOLDER / "main.go").read_bytes()).hexdigest()[:16],
    modules=_MODULES,
    ldflags="-s -w",
    programs={"validate": Program(".", "validate")},
)


def kubernetes_version() -> str:
    """The release that answers, such as `1.37.2`."""
    required = re.search(r"apiextensions-apiserver v0\.(\S+)", (_FOLDER / "go.mod").read_text())
    if required is None:
        raise ValueError("go.mod requires no API server")
    return f"1.{required[1]}"


def refusals(
    definitions: Sequence[dict[str, Any]], objects: Sequence[dict[str, Any]]
) -> list[list[str]]:
    """The messages about each object under these CustomResourceDefinitions; none if it is valid.

    The first time the program is built, in about a minute on two cores. Raises
    ControlPlaneUnavailable where it cannot be.
    """
    program = ensure_built(["validate"], _TOOLS) / "validate"
    done = subprocess.run(
        [program],
        input=json.dumps({"definitions": list(definitions), "objects": list(objects)}),
        capture_output=True,
        text=True,
        timeout=_RUN_SECONDS,
        check=True,
    )
    answers: list[list[str]] = json.loads(done.stdout)
    return answers
