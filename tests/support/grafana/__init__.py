"""What Grafana's own schema says of a dashboard, by the module that Grafana generates from it."""

import hashlib
import subprocess
from pathlib import Path

from support.control_plane.builder import Program, Toolchain, ensure_built

_MODULES = Path(__file__).parent
_SOURCE = _MODULES / "schema" / "main.go"
_RUN_SECONDS = 60.0
_TOOLS = Toolchain(
    name="grafana-schema",
    version=hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:16],
    modules=_MODULES,
    ldflags="-s -w",
    programs={"schema": Program(".", "schema")},
)


def program() -> Path:
    """The program, built in some ten seconds if it is not cached.

    Raises ControlPlaneUnavailable where it cannot be.
    """
    return ensure_built(["schema"], _TOOLS) / "schema"


def problems(dashboard: str) -> list[str]:
    """Fields that are missing, unknown or of another type; none if Grafana writes it like this."""
    done = subprocess.run(
        [program()], input=dashboard, capture_output=True, text=True, timeout=_RUN_SECONDS,
        check=True,
    )  # fmt: skip
    # Where nothing is wrong, the module's error is one without text.
    return [line for line in done.stdout.splitlines() if line]
