"""Finds the programs of the control plane: given by the environment, cached, fetched, or built."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from support.control_plane import releases
from support.control_plane.builder import ensure_built, is_built
from support.control_plane.errors import ControlPlaneUnavailable
from support.control_plane.fetched import ensure_fetched
from support.control_plane.releases import Release


@dataclass(frozen=True)
class Binaries:
    """Paths of the programs; without a controller manager nothing collects garbage."""

    etcd: Path
    kube_apiserver: Path
    kubectl: Path
    kube_controller_manager: Path | None


def find_binaries() -> Binaries:
    """Return the programs of the chosen release.

    They come from `KUBEBUILDER_ASSETS` if set, else from an earlier build, else from the index of
    published programs, else from a build. In CI nothing is fetched: published programs are without
    a controller manager, which some tests need. Raises ControlPlaneUnavailable when the one folder
    is incomplete or the build is impossible.
    """
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        return _from_assets(Path(assets).absolute())
    release = releases.chosen()
    built = all(is_built(names, each.toolchain) for each, names in _wanted(release).items())
    if not built and os.environ.get("CI") != "true":
        try:
            return _from_assets(ensure_fetched(release.minor))
        except ControlPlaneUnavailable as error:
            print(
                f"Kubernetes {release.minor} is not fetched but built: {error.reason}",
                file=sys.stderr,
            )
    return build_binaries(release)


def build_binaries(release: Release) -> Binaries:
    """Return the programs of a release, built once into the cache.

    Raises ControlPlaneUnavailable when the build is impossible.
    """
    found = {
        name: ensure_built(names, each.toolchain) / name
        for each, names in _wanted(release).items()
        for name in names
    }
    return Binaries(
        etcd=found["etcd"],
        kube_apiserver=found["kube-apiserver"],
        kubectl=_installed_kubectl() or found["kubectl"],
        kube_controller_manager=found["kube-controller-manager"],
    )


def _wanted(release: Release) -> dict[Release, list[str]]:
    """The programs to build, by the release that they are of."""
    shared = ["etcd", "kube-controller-manager"]
    if _installed_kubectl() is None:
        shared.append("kubectl")
    if release == releases.DEFAULT:
        return {release: ["kube-apiserver", *shared]}
    return {release: ["kube-apiserver"], releases.DEFAULT: shared}


def _installed_kubectl() -> Path | None:
    found = shutil.which("kubectl")
    return Path(found) if found else None


def _from_assets(folder: Path) -> Binaries:
    kubectl = folder / "kubectl"
    if not kubectl.is_file() and (installed := _installed_kubectl()):
        kubectl = installed
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
