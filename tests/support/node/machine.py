"""What a machine needs to be a node, and getting it."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from tools.release.containers import KEYRING

from support.control_plane.binaries import Binaries
from support.control_plane.builder import ensure_built
from support.control_plane.errors import ControlPlaneUnavailable
from support.control_plane.releases import DEFAULT

CNI_PLUGINS = Path("/usr/lib/cni")
# Debian's names: a program that is looked for, and the package that has it.
PACKAGES = {
    "buildah": "buildah",
    "busybox": "busybox-static",
    "containerd": "containerd",
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "iptables": "iptables",
    "jq": "jq",
    "runc": "runc",
    "unshare": "util-linux",
}
PROGRAMS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
)
APT_SECONDS = 600


def why_not() -> str | None:
    """Why there can be no node on this machine; None where nothing is in the way."""
    if sys.platform != "linux":
        return f"a node runs on Linux only, and this is {platform.system()}"
    if os.geteuid() != 0:
        return "a node needs root: namespaces, mounts and cgroups"
    if _missing() and shutil.which("apt-get") is None:
        return f"{', '.join(_missing())} missing, and there is no apt-get to install them with"
    return None


def ensure_packages() -> None:
    """Install what is missing with apt-get; raises ControlPlaneUnavailable."""
    if reason := why_not():
        raise ControlPlaneUnavailable(f"no node: {reason}")
    missing = _missing()
    if not missing:
        return
    print(f"the node tier installs Debian packages: {' '.join(missing)}", file=sys.stderr)
    _apt("update")
    _apt("install", "--yes", "--no-install-recommends", *missing)
    if still := _missing():
        raise ControlPlaneUnavailable(f"no node: apt-get did not bring {', '.join(still)}")


def ensure_programs() -> tuple[Binaries, Path]:
    """Return the control plane's programs and the folder that has kubelet and scheduler beside.

    All are built together where one is missing; raises ControlPlaneUnavailable.
    """
    kubectl = shutil.which("kubectl")
    folder = ensure_built(PROGRAMS if kubectl else (*PROGRAMS, "kubectl"), DEFAULT.toolchain)
    binaries = Binaries(
        etcd=folder / "etcd",
        kube_apiserver=folder / "kube-apiserver",
        kubectl=Path(kubectl) if kubectl else folder / "kubectl",
        kube_controller_manager=folder / "kube-controller-manager",
    )
    return binaries, folder


def _missing() -> list[str]:
    missing = [package for program, package in PACKAGES.items() if shutil.which(program) is None]
    if not (CNI_PLUGINS / "bridge").exists():
        missing.append("containernetworking-plugins")
    if not KEYRING.is_file():
        missing.append("debian-archive-keyring")
    return missing


def _apt(*arguments: str) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    result = subprocess.run(
        ["apt-get", "-qq", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=APT_SECONDS,
    )
    if result.returncode != 0:
        last = "\n".join(result.stderr.splitlines()[-5:])
        raise ControlPlaneUnavailable(f"no node: apt-get {arguments[0]} failed:\n{last}")
