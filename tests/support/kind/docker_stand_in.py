"""Answers kind as docker would on a machine where every container starts, and keeps its files.

It runs as a program of its own: the first line is put before it.
"""

import json
import os
import pathlib
import sys

NODES = pathlib.Path(os.environ["KIND_NODES"])
ROLE = "io.x-k8s.kind.role"
INFO = {
    "CgroupDriver": "systemd",
    "CgroupVersion": "2",
    "MemoryLimit": True,
    "PidsLimit": True,
    "CPUShares": True,
    "SecurityOptions": [],
}


def run(name: str, options: list[str]) -> None:
    """Keep the role of a node that is started."""
    (role,) = [each.partition("=")[2] for each in options if each.startswith(f"{ROLE}=")]
    (NODES / f"{name}.role").write_text(role)


def inside(node: str, command: list[str]) -> int:
    """Run a command in a node; returns its exit status."""
    match command:
        case ["cat", "/kind/version"]:
            print("v1.34.0")
        case ["cp", "/dev/stdin", "/kind/kubeadm.conf"]:
            (NODES / f"{node}.conf").write_text(sys.stdin.read())
        case ["kubeadm", *_]:
            print("no kubeadm here")
            return 1
    return 0


def answer(arguments: list[str]) -> int:
    """Carry a command out; returns its exit status."""
    match arguments:
        case ["info", *_]:
            print(json.dumps(INFO))
        case ["network", "ls", *_]:
            print("kind")
        case ["network", "inspect", "-f", *_]:
            print("172.18.0.0/16")
        case ["network", "inspect", *_]:
            print(json.dumps([{"ID": "kind", "Name": "kind", "Containers": {}}]))
        case ["ps", *_]:
            for path in sorted(NODES.glob("*.role")):
                print(path.stem)
        case ["run", "--name", name, *options]:
            run(name, options)
        case ["logs", *_]:
            print("Reached target Multi-User System.")
        case ["inspect", _, form, node] if ROLE in form:
            print((NODES / f"{node}.role").read_text())
        case ["inspect", _, form, _] if "IPAddress" in form:
            print("172.18.0.2,")
        case ["exec", *rest]:
            node, *command = [each for each in rest if each not in ("--privileged", "-i")]
            return inside(node, command)
    return 0


sys.exit(answer(sys.argv[1:]))
