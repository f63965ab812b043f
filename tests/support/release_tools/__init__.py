"""What pushes, signs and scans a release, and the registry of the tests: pinned Go modules."""

from pathlib import Path
from typing import Final

from support.control_plane.builder import Program, Toolchain, ensure_built

_COSIGN: Final = "v3.1.3"
_TOOLS: Final = Toolchain(
    name="release-tools",
    version=_COSIGN,
    modules=Path(__file__).parent,
    ldflags=f"-s -w -X sigs.k8s.io/release-utils/version.gitVersion={_COSIGN}",
    programs={
        # crane is made of packages that cosign has as well.
        "cosign": Program("github.com/sigstore/cosign/v3/cmd/cosign", "cosign"),
        "crane": Program("github.com/google/go-containerregistry/cmd/crane", "cosign"),
        "registry": Program(".", "registry"),
        "osv-scanner": Program("github.com/google/osv-scanner/v2/cmd/osv-scanner", "osv-scanner"),
    },
)
FOR_TESTS: Final = ("cosign", "crane", "registry")


def programs(*names: str) -> Path:
    """The folder with these programs, built where they are not cached.

    A cold build takes some minutes. Raises ControlPlaneUnavailable where it is impossible.
    """
    return ensure_built(names, _TOOLS)
