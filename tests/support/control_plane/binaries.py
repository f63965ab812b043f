"""Finds the programs of the control plane: given by the environment, cached, or built."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from support.control_plane.builder import ensure_built
from support.control_plane.errors import ControlPlaneUnavailable


@dataclass(frozen=True)
class Binaries:
    """Paths of the programs; without a controller manager nothing collects garbage."""

    etcd: Path
    kube_apiserver: Path
    kubectl: Path
    kube_controller_manager: Path | None


def find_binaries() -> Binaries:
    """Return the programs, from `KUBEBUILDER_ASSETS` if set, else built once into a cache.

    Raises ControlPlaneUnavailable when the one folder is incomplete or the build is impossible.
    """
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        return _from_assets(Path(assets).absolute())
    installed_kubectl = shutil.which("kubectl")
    names = ["etcd", "kube-apiserver", "kube-controller-manager"]
    folder = ensure_built(names if installed_kubectl else [*names, "kubectl"])
    return Binaries(
        etcd=folder / "etcd",
        kube_apiserver=folder / "kube-apiserver",
        kubectl=Path(installed_kubectl) if installed_kubectl else folder / "kubectl",
        kube_controller_manager=folder / "kube-controller-manager",
    )


def _from_assets(folder: Path) -> Binaries:
    kubectl = folder / "kubectl"
    if not kubectl.is_file() and (installed := shutil.which("kubectl")):
        kubectl = Path(installed)
    # The envtest archives come without a controller manager.
    manager = folder / "kube-controller-manager"
    binaries = Binaries(
        etcd=folder / "etcd",
        kube_apiserver=folder / "kube-apiserver",
        kubectl=kubectl,
        kube_controller_manager=manager if manager.is_file() else None,
    )
    needed = (binaries.etcd, binaries.kube_apiserver, binaries.kubectl)
    if missing := [path.name for path in needed if not path.is_file()]:
        raise ControlPlaneUnavailable(
            f"KUBEBUILDER_ASSETS is set to {folder}, which has no {', '.join(missing)}"
        )
    return binaries
