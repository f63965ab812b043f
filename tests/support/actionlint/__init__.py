"""actionlint, which checks GitHub's workflows."""

from pathlib import Path
from typing import Final

from support.control_plane.builder import Program, Toolchain, ensure_built

_TOOLS: Final = Toolchain(
    name="actionlint",
    version="v1.7.12",
    modules=Path(__file__).parent,
    ldflags="-s -w",
    programs={"actionlint": Program("github.com/rhysd/actionlint/cmd/actionlint", "actionlint")},
)


def program() -> Path:
    """The program, built in some ten seconds if it is not cached.

    Raises ControlPlaneUnavailable where it cannot be.
    """
    return ensure_built(["actionlint"], _TOOLS) / "actionlint"
