"""An API server that is used through kubectl alone."""

import json
import subprocess
from pathlib import Path
from typing import Any, Protocol

Object = dict[str, Any]

KINDS = "artifactindexes,indexoptions"


class Kubectl(Protocol):
    """Runs kubectl; raises CalledProcessError with its stderr as a note, if `check`."""

    def __call__(
        self, *args: str, input: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]: ...


class KubectlCluster:
    """What the demo reads and writes in one namespace."""

    listing = f"kubectl get {KINDS}"

    def __init__(self, kubectl: Kubectl, namespace: str) -> None:
        self.kubectl = kubectl
        self.namespace = namespace
        version = json.loads(kubectl("version", "-o", "json").stdout)
        self.title = f"kube-apiserver {version['serverVersion']['gitVersion']}"

    def apply_overlay(self, overlay: Path) -> list[str]:
        """Apply the demo's objects; returns what was created."""
        # The Secrets' file is next to the kustomization of examples/, but not part of it.
        outside = "--load-restrictor=LoadRestrictionsNone"
        built = self.kubectl("kustomize", outside, str(overlay)).stdout
        applied = self.kubectl("apply", "--validate=strict", "-f", "-", "-o", "name", input=built)
        return applied.stdout.splitlines()

    def table(self) -> str:
        return self.kubectl("get", KINDS, "-n", self.namespace).stdout

    def get(self, plural: str, name: str) -> Object:
        found = self.kubectl(
            "get", plural, name, "-n", self.namespace, "-o", "json", "--ignore-not-found"
        ).stdout
        parsed: Object = json.loads(found) if found.strip() else {}
        return parsed

    def set_secret(self, name: str, key: str, value: str) -> None:
        patch = json.dumps({"stringData": {key: value}})
        self.kubectl(
            "patch", "secret", name, "-n", self.namespace, "--patch-file=/dev/stdin", input=patch
        )
