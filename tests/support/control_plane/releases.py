"""The releases of Kubernetes that the tests run: the one table."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from support.control_plane.builder import Program, Toolchain

VARIABLE = "KUBERNETES"
"""The environment variable that chooses a release of the table by its minor version."""

_BUILD = Path(__file__).with_name("build")


@dataclass(frozen=True)
class Release:
    """One release: `version` such as `v1.34.4`, and the programs of it that are built.

    What else a control plane needs is of the default release: building another controller manager
    would take a minute more, and tests ask the API server.
    """

    version: str
    programs: tuple[str, ...] = ("kube-apiserver",)

    @property
    def minor(self) -> str:
        """Major and minor version, such as `1.34`."""
        return self.version.removeprefix("v").rpartition(".")[0]

    @property
    def toolchain(self) -> Toolchain:
        """How its programs are built; its go.mod and go.sum pin them by hash."""
        programs = {
            name: Program(f"k8s.io/kubernetes/cmd/{name}", "kubernetes") for name in self.programs
        }
        if (_BUILD / self.minor / "etcd").is_dir():
            programs["etcd"] = Program("go.etcd.io/etcd/server/v3", "etcd")
        return Toolchain(
            name="control-plane",
            version=self.version,
            modules=_BUILD / self.minor,
            ldflags=self._ldflags(),
            programs=programs,
            instead="; KUBEBUILDER_ASSETS may name a folder that has them",
        )

    def _ldflags(self) -> str:
        major, minor = self.minor.split(".")
        # Unset, the server calls itself v0.0.0-master, and clients misjudge what it can do.
        values = {"gitVersion": self.version, "gitMajor": major, "gitMinor": minor}
        variables = [
            f"-X {package}.{name}={value}"
            for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
            for name, value in values.items()
        ]
        return " ".join(["-s", "-w", *variables])


DEFAULT = Release(
    "v1.34.4",
    ("kube-apiserver", "kube-controller-manager", "kubectl", "kubelet", "kube-scheduler"),
)
"""The release of the whole CI, of the node tier, and of every run that chooses none."""

NEWEST = Release("v1.37.2")

RELEASES: Mapping[str, Release] = {each.minor: each for each in (DEFAULT, NEWEST)}


def chosen() -> Release:
    """Return the release that `KUBERNETES` names; raises ValueError if the table has none."""
    name = os.environ.get(VARIABLE) or DEFAULT.minor
    if name not in RELEASES:
        raise ValueError(f"{VARIABLE} is {name!r}; the table has {', '.join(RELEASES)}")
    return RELEASES[name]
