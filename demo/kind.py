"""`make kind-demo`: the tour of the node tier, on a cluster that kind runs in Docker.

The node tier's tests run the same steps and manifests; only kind itself is untested. Linux only:
pods reach the stand-ins at the gateway of Docker's network, which on other systems is inside a
virtual machine.
"""

import argparse
import ipaddress
import json
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from demo.narrator import Narrator
from demo.pods import perform
from demo.stage import TOP
from support.control_plane.processes import run_noted
from support.tour import Images, Tour, load, open_stand_ins

NAME = "artifact-index"
NETWORK = "kind"
IMAGE = "artifact-index-operator:demo"
# The kubelet syncs within 60 s times 1.5; the rest is for the mount.
FOLLOW_SECONDS = 120.0


class KindCluster:
    """A running cluster, used with administrator rights."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig

    @property
    def kubeconfig_admin(self) -> Path:
        """The kubeconfig that kind wrote."""
        return self._kubeconfig

    def kubectl(
        self, *args: str, input: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl; raises CalledProcessError with its stderr as a note."""
        command = ["kubectl", f"--kubeconfig={self._kubeconfig}", *args]
        return run_noted(command, input=input, check=check)

    def read(self, path: str) -> dict[str, Any] | None:
        """Return the JSON object at an API path, or None if it does not exist."""
        answer = self.kubectl("get", "--raw", path, check=False)
        if answer.returncode != 0:
            if "NotFound" in answer.stderr:
                return None
            answer.check_returncode()
        found: dict[str, Any] = json.loads(answer.stdout)
        return found


def main() -> int:
    """Run the demo; returns 0 if every step succeeded, or prints the reason and returns 1."""
    parser = argparse.ArgumentParser(prog="make kind-demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the cluster running")
    chosen = parser.parse_args()
    if reason := why_not():
        print(f"No demo on kind: {reason}", file=sys.stderr)
        return 1
    narrator = Narrator()
    try:
        with _cluster(narrator, keep=chosen.keep) as cluster, open_stand_ins(_gateway()) as clouds:
            images = Images(operator=IMAGE, builder=_builder_image())
            perform(narrator, Tour(cluster, clouds, images), follow_seconds=FOLLOW_SECONDS)
    except Exception as error:
        print(f"\nThe demo failed: {error or type(error).__name__}", file=sys.stderr)
        for note in getattr(error, "__notes__", ()):
            print(note, file=sys.stderr)
        return 1
    narrator.say(f"\nDone in {narrator.seconds:.0f} s.")
    return 0


def why_not() -> str | None:
    """Return what this machine lacks for the demo, or None."""
    if sys.platform != "linux":
        return f"it runs on Linux only, and this is {platform.system()}"
    for program, where in {
        "docker": "https://docs.docker.com/engine/install/",
        "kind": "https://kind.sigs.k8s.io/docs/user/quick-start/",
        "kubectl": "https://kubernetes.io/docs/tasks/tools/",
    }.items():
        if shutil.which(program) is None:
            return f"there is no {program} on PATH; see {where}"
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode != 0:
        return "`docker info` fails: is the daemon running, and may this user reach it?"
    return None


@contextmanager
def _cluster(narrator: Narrator, *, keep: bool) -> Iterator[KindCluster]:
    """Create a cluster with the operator's image loaded; delete it afterwards unless `keep`."""
    with tempfile.TemporaryDirectory(prefix="kind-demo-") as scratch:
        kubeconfig = Path(scratch, "kubeconfig")
        with narrator.step("docker build the operator's image from the Dockerfile"):
            _run("docker", "build", "--tag", IMAGE, str(TOP))
        try:
            with narrator.step("kind create cluster with kind-config.yaml"):
                config = str(TOP / "kind-config.yaml")
                _run(
                    *("kind", "create", "cluster", "--name", NAME, "--config", config),
                    *("--kubeconfig", str(kubeconfig), "--wait", "120s"),
                )
            with narrator.step("kind load docker-image"):
                _run("kind", "load", "docker-image", IMAGE, "--name", NAME)
            yield KindCluster(kubeconfig)
        finally:
            if keep:
                narrator.say(f"Left running: kind export kubeconfig --name {NAME}")
            else:
                _run("kind", "delete", "cluster", "--name", NAME)


def _gateway() -> str:
    """Return the IPv4 address of this machine on kind's network."""
    answer = json.loads(_run("docker", "network", "inspect", NETWORK))
    gateways: list[str] = [config.get("Gateway", "") for config in answer[0]["IPAM"]["Config"]]
    return next(
        gateway for gateway in gateways if gateway and ipaddress.ip_address(gateway).version == 4
    )


def _builder_image() -> str:
    """Return the image of the examples: it has uv, and pip from the Python image."""
    (job,) = load("builders/uv-job.yaml")
    image: str = job["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


def _run(*command: str) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        result.check_returncode()
    except subprocess.CalledProcessError as error:
        error.add_note(result.stderr)
        raise
    return result.stdout


if __name__ == "__main__":
    sys.exit(main())
