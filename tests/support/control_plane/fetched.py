"""Fetches published programs of a control plane, which takes seconds where a build takes minutes.

setup-envtest knows the index of these archives, compares each with the checksum in the index, and
refuses one that differs. `ENVTEST_INDEX` names another index, such as a mirror.
"""

import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from support.control_plane.builder import Program, Toolchain, cache_root, ensure_built, locked
from support.control_plane.errors import ControlPlaneUnavailable
from support.control_plane.progress import progress

FETCH_SECONDS = 300.0
PROGRAMS = ("etcd", "kube-apiserver", "kubectl")
TOOLS = Toolchain(
    name="setup-envtest",
    version="v0.25.1",
    modules=Path(__file__).with_name("envtest"),
    ldflags="-s -w",
    programs={
        "setup-envtest": Program(
            "sigs.k8s.io/controller-runtime/tools/setup-envtest", "setup-envtest"
        )
    },
)


def ensure_fetched(minor: str) -> Path:
    """Return a folder with the three programs of a release such as `1.34`, fetched if need be.

    The newest published patch version is taken. Raises ControlPlaneUnavailable when the index
    cannot be read, has no such release, or its archive is not what the index says.
    """
    folder = cache_root() / "envtest" / f"{minor}-{sys.platform}-{platform.machine()}"
    if folder.is_dir():
        return folder
    tool = ensure_built(["setup-envtest"], TOOLS) / "setup-envtest"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_name(f"{folder.name}.lock")):
        if not folder.is_dir():
            _fetch(tool, minor, folder)
    return folder


def _fetch(tool: Path, minor: str, folder: Path) -> None:
    what = f"fetching {', '.join(PROGRAMS)} of Kubernetes {minor} (once)"
    # Moved into place when complete: an interrupted fetch leaves no half of a program.
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        command = [str(tool), "use", f"{minor}.x", "--print=path", f"--bin-dir={scratch}"]
        if index := os.environ.get("ENVTEST_INDEX"):
            command.append(f"--index={index}")
        try:
            with progress(what):
                done = subprocess.run(
                    command,
                    env={**os.environ, "TMPDIR": scratch},
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=FETCH_SECONDS,
                )
        except subprocess.TimeoutExpired:
            raise ControlPlaneUnavailable(
                f"setup-envtest did not end within {FETCH_SECONDS:.0f} s"
            ) from None
        if done.returncode != 0:
            said = done.stderr.strip().splitlines() or ["nothing"]
            raise ControlPlaneUnavailable(f"setup-envtest says: {said[-1]}")
        fetched = Path(done.stdout.strip())
        if missing := [name for name in PROGRAMS if not (fetched / name).is_file()]:
            raise ControlPlaneUnavailable(f"the archive has no {', '.join(missing)}")
        # The program leaves it read-only, and such a folder can only be moved by root.
        fetched.chmod(0o755)
        fetched.rename(folder)
