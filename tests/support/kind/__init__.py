"""kind, built from its Go module, and a docker that records what kind wants of it.

No container runs: `kind create cluster` validates its configuration, plans the nodes, and writes
each node's kubeadm configuration, until it starts kubeadm, which fails.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from support.control_plane.builder import Program, Toolchain, ensure_built

_RUN_SECONDS = 120.0
_TOOLS = Toolchain(
    name="kind",
    version="v0.33.0",
    modules=Path(__file__).parent,
    ldflags="-s -w",
    programs={"kind": Program("sigs.k8s.io/kind", "kind")},
)


@dataclass(frozen=True)
class Plan:
    """What kind said, and each node's role and kubeadm documents, by the node's name."""

    output: str
    roles: dict[str, str]
    kubeadm: dict[str, list[dict[str, Any]]]


def program() -> Path:
    """Return kind, built now if need be; raises ControlPlaneUnavailable where it cannot be."""
    return ensure_built(["kind"], _TOOLS) / "kind"


def plan(config: Path, folder: Path) -> Plan:
    """Create a cluster until kubeadm is to start; `folder` is empty and for this call only."""
    docker = folder / "docker"
    docker.write_text(
        f"#!{sys.executable} -IS\n{Path(__file__).with_name('docker_stand_in.py').read_text()}"
    )
    docker.chmod(0o755)
    nodes = folder / "nodes"
    nodes.mkdir()
    done = subprocess.run(
        [
            *(program(), "create", "cluster", "--name", "artifact-index"),
            *("--config", config, "--kubeconfig", folder / "kubeconfig"),
        ],
        env={
            **os.environ,
            "PATH": f"{folder}:{os.environ['PATH']}",
            "KIND_EXPERIMENTAL_PROVIDER": "docker",
            "KIND_NODES": str(nodes),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=_RUN_SECONDS,
    )
    return Plan(
        output=done.stdout,
        roles={path.stem: path.read_text() for path in sorted(nodes.glob("*.role"))},
        kubeadm={
            path.stem: [each for each in yaml.safe_load_all(path.read_text()) if each]
            for path in sorted(nodes.glob("*.conf"))
        },
    )
