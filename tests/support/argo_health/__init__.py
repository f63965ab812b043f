"""What Argo CD makes of an object with a health script from its ConfigMap.

Argo CD's own interpreter runs the script, with the few libraries that Argo CD opens for such a
script (argo-cd `util/lua/lua.go`).
"""

import hashlib
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support.control_plane.builder import Program, Toolchain, ensure_built

_MODULES = Path(__file__).parent
_SOURCE = _MODULES / "health" / "main.go"
_RUN_SECONDS = 60.0
_TOOLS = Toolchain(
    name="argo-health",
    version=hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:16],
    modules=_MODULES,
    ldflags="-s -w",
    programs={"health": Program(".", "health")},
)


def healths(script: str, objects: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """For each object `{status, message}`, or `{error}` where the script failed.

    The first time the program is built, in some ten seconds. Raises ControlPlaneUnavailable where
    it cannot be.
    """
    program = ensure_built(["health"], _TOOLS) / "health"
    done = subprocess.run(
        [program],
        input=json.dumps({"script": script, "objects": list(objects)}),
        capture_output=True,
        text=True,
        timeout=_RUN_SECONDS,
        check=True,
    )
    answers: list[dict[str, str]] = json.loads(done.stdout)
    return answers
