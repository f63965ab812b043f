"""krew, kubectl's package manager for plugins, and the validation of its index."""

from pathlib import Path
from typing import Final

from support.control_plane.builder import Program, Toolchain, ensure_built

_TOOLS: Final = Toolchain(
    name="krew",
    version="v0.4.3",
    modules=Path(__file__).parent,
    ldflags="-s -w",
    programs={
        "krew": Program("sigs.k8s.io/krew/cmd/krew", "krew"),
        "validate-krew-manifest": Program("sigs.k8s.io/krew/cmd/validate-krew-manifest", "krew"),
    },
)


def programs() -> Path:
    """The folder with `krew` and `validate-krew-manifest`, built if they are not cached.

    Raises ControlPlaneUnavailable where they cannot be.
    """
    return ensure_built(list(_TOOLS.programs), _TOOLS)
