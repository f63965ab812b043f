"""The API servers that the demo can start: a real one or the in-tree emulator."""

import base64
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import yaml

from demo.kubectl import KINDS, KubectlCluster, Object
from demo.stage import NAMESPACE, TOP
from support.control_plane import ControlPlane, service_account_user
from support.emulator import Emulator
from support.operator_process import OPERATOR_NAMESPACE

OPERATOR_ACCOUNT = "artifact-index-operator"
_PLURALS = {"ArtifactIndex": "artifactindexes", "IndexOptions": "indexoptions", "Secret": "secrets"}


class Cluster(Protocol):
    """What the demo needs of an API server; `applying` and `listing` are titles of steps.

    `namespace` holds the demo's objects, `operator_namespace` those of the operator itself.
    """

    title: str
    applying: str
    listing: str
    namespace: str
    operator_namespace: str
    operator_flags: Sequence[str]

    def apply(self, overlay: Path) -> list[str]:
        """Apply CRDs, the operator's permissions and the overlay; returns what was created."""

    def kubeconfig(self) -> Path:
        """A kubeconfig for the operator."""

    def table(self) -> str:
        """The objects of both kinds in the namespace, as kubectl lists them."""

    def get(self, plural: str, name: str) -> Object:
        """Return an object of the namespace, or an empty dict."""

    def set_secret(self, name: str, key: str, value: str) -> None:
        """Change one key of a Secret in the namespace."""

    def pids(self) -> list[int]:
        """Its processes, which must have exited at the end."""

    def operator_requests(self) -> int | None:
        """The number of the operator's writes in the API server's audit log; None without one."""


class RealCluster(KubectlCluster):
    """kube-apiserver, etcd and kube-controller-manager, used only through kubectl."""

    applying = "kubectl apply: CRDs, permissions, examples/ with loopback addresses"
    operator_namespace = OPERATOR_NAMESPACE
    operator_flags: Sequence[str] = ()

    def __init__(self, plane: ControlPlane) -> None:
        super().__init__(plane.kubectl, NAMESPACE)
        self._plane = plane

    def apply(self, overlay: Path) -> list[str]:
        self._plane.apply_crds(TOP / "crds")
        self.kubectl("apply", "-f", str(TOP / "examples" / "operator-rbac.yaml"))
        self.kubectl("create", "namespace", self.namespace)
        return self.apply_overlay(overlay)

    def kubeconfig(self) -> Path:
        return self._plane.kubeconfig_for(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT)

    def pids(self) -> list[int]:
        return list(self._plane.pids.values())

    def operator_requests(self) -> int | None:
        user = service_account_user(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT)
        return len(self._plane.audit_events(user, verbs=("create", "patch")))


class EmulatedCluster:
    """The emulator: the operator sends the same requests, without kubectl, admission and RBAC."""

    title = "the in-tree API emulator"
    applying = "examples/ with loopback addresses, written into the emulator"
    listing = "artifactindexes and indexoptions"
    namespace = NAMESPACE
    operator_namespace = OPERATOR_NAMESPACE
    operator_flags: Sequence[str] = ()

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        emulator.create_namespace(OPERATOR_NAMESPACE)

    def apply(self, overlay: Path) -> list[str]:
        names = []
        for body in _kustomized(overlay):
            plural = _PLURALS[body["kind"]]
            self._emulator.create(plural, _stored(body))
            names.append(f"{plural}/{body['metadata']['name']}")
        return names

    def kubeconfig(self) -> Path:
        return self._emulator.kubeconfig()

    def table(self) -> str:
        lines = []
        for plural in KINDS.split(","):
            for found in self._emulator.list(plural, namespace=NAMESPACE):
                ready = condition(found, "Ready")
                name = f"{plural}/{found['metadata']['name']}"
                lines.append(f"{name:36} {ready.get('status', ''):6} {ready.get('reason', '')}")
        return "\n".join(lines)

    def get(self, plural: str, name: str) -> Object:
        return self._emulator.find(plural, NAMESPACE, name) or {}

    def set_secret(self, name: str, key: str, value: str) -> None:
        encoded = base64.b64encode(value.encode()).decode()
        self._emulator.patch("secrets", NAMESPACE, name, {"data": {key: encoded}})

    def pids(self) -> list[int]:
        return []

    def operator_requests(self) -> int | None:
        return None


@contextmanager
def real_cluster(plane: ControlPlane) -> Iterator[Cluster]:
    """Start a built control plane and stop it at the end."""
    with plane:
        yield RealCluster(plane)


@contextmanager
def emulated_cluster() -> Iterator[Cluster]:
    """Start the emulator and stop it at the end."""
    with Emulator() as emulator:
        yield EmulatedCluster(emulator)


def condition(found: Object, what: str) -> Object:
    """Return a condition of an object's status, or an empty dict."""
    conditions = found.get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == what), {})


def uv_toml(cluster: Cluster) -> str:
    """Return the uv.toml in the Secret that builder pods mount, or an empty string."""
    data = cluster.get("secrets", "uv-config").get("data", {})
    return base64.b64decode(data.get("uv.toml", "")).decode()


def wait_for(reached: Callable[[], bool], what: str, seconds: float) -> None:
    """Poll every 0.2 s until `reached` returns true; raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.2)


def _kustomized(overlay: Path) -> list[Object]:
    """Build the overlay like `kubectl kustomize`: resources, then merge patches by name."""
    resources: dict[tuple[str, str], Object] = {}
    plan = yaml.safe_load((overlay / "kustomization.yaml").read_text())
    for entry in plan["resources"]:
        for body in _documents(overlay / entry):
            resources[_key(body)] = body
    for entry in plan["patches"]:
        for patch in _documents(overlay / entry["path"]):
            if patch.get("$patch") == "delete":
                del resources[_key(patch)]
            else:
                resources[_key(patch)] = _merged(resources[_key(patch)], patch)
    return list(resources.values())


def _documents(path: Path) -> Iterator[Object]:
    if path.is_dir():
        for entry in yaml.safe_load((path / "kustomization.yaml").read_text())["resources"]:
            yield from _documents(path / entry)
    else:
        yield from yaml.safe_load_all(path.read_text())


def _key(body: Object) -> tuple[str, str]:
    return body["kind"], body["metadata"]["name"]


def _merged(base: Object, patch: Object) -> Object:
    merged = dict(base)
    for name, value in patch.items():
        inner = merged.get(name)
        nested = isinstance(inner, dict) and isinstance(value, dict)
        merged[name] = _merged(dict(inner or {}), value) if nested else value
    return merged


def _stored(body: Object) -> Object:
    """Move a Secret's `stringData` into `data`, as an API server does."""
    text = body.pop("stringData", {})
    if text:
        body["data"] = {k: base64.b64encode(v.encode()).decode() for k, v in text.items()}
    return body
