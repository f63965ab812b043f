"""The cluster of the current kubeconfig context, used in a namespace of the demo's own."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from demo.kubectl import KINDS, Kubectl, KubectlCluster
from demo.stage import TOP
from support.control_plane.processes import run_noted

ACCOUNT = "artifact-index-operator"
MARK = "artifactindex.dev/demo"
"""Label of the definitions that a demo created; its value is the demo's namespace."""

DELETE_SECONDS = 120
CRD_SECONDS = 60.0
_OPERATORS = "app.kubernetes.io/name=artifact-index-operator"
_INSTALLED = ("get", "deployments", "--all-namespaces", "-l", _OPERATORS, "-o", "json")


class CannotUseError(Exception):
    """The current context's cluster is not used; the message says why and what to do instead."""


class Context:
    """The current context, kept in a file of our own: a later switch must not redirect the demo."""

    def __init__(self, folder: Path) -> None:
        """Copy the context into the folder; raises CannotUseError where there is none."""
        program = shutil.which("kubectl")
        if program is None:
            raise CannotUseError("there is no kubectl on PATH; `make demo` needs none")
        self._program = program
        self._folder = folder
        self._kubeconfig = folder / "current.kubeconfig"
        view = [program, "config", "view", "--minify", "--flatten", "--raw", "-o", "json"]
        shown = run_noted(view, check=False)
        if shown.returncode != 0:
            raise CannotUseError(f"kubectl knows no current context: {shown.stderr.strip()}")
        self.config: dict[str, Any] = json.loads(shown.stdout)
        self.name: str = self.config["current-context"]
        self.server: str = self.config["clusters"][0]["cluster"]["server"]
        _write_private(self._kubeconfig, self.config)

    def kubectl(
        self, *args: str, input: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl with this context."""
        # The user's cache of a cluster's kinds would not know those that the demo creates.
        env = os.environ | {"KUBECACHEDIR": str(self._folder / "kubectl-cache")}
        command = [self._program, f"--kubeconfig={self._kubeconfig}", *args]
        return run_noted(command, input=input, check=check, env=env)

    def login_of(self, token: str) -> Path:
        """Write a kubeconfig with the same server and another login, and nothing of the user's."""
        context = {"cluster": self.config["clusters"][0]["name"], "user": "operator"}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": self.config["clusters"],
            "users": [{"name": "operator", "user": {"token": token}}],
            "contexts": [{"name": "demo", "context": context}],
            "current-context": "demo",
        }
        path = self._folder / "operator.kubeconfig"
        _write_private(path, config)
        return path


class CurrentCluster(KubectlCluster):
    """The cluster; the operator runs as a process here and may only use the demo's namespace."""

    applying = "kubectl: CRDs if missing, a Role, examples/ with loopback addresses"

    def __init__(self, context: Context, namespace: str) -> None:
        super().__init__(context.kubectl, namespace)
        self._context = context
        self.title += f" at {context.server}, context {context.name}, namespace {namespace}"
        self.operator_namespace = namespace
        self.operator_flags: Sequence[str] = ("--namespace", namespace)

    def apply(self, overlay: Path) -> list[str]:
        self.prepare()
        return self.apply_overlay(overlay)

    def prepare(self) -> None:
        """Create the namespace, the definitions that are missing, and the operator's rights."""
        self.kubectl("create", "namespace", self.namespace)
        if missing := _missing_definitions(self.kubectl):
            _mark(missing, self.namespace)
            self.kubectl("create", "-f", "-", input=yaml.safe_dump_all(missing))
        # Returns once both kinds are served.
        _objects(self.kubectl, KINDS)
        self.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(_permissions(self.namespace)))

    def kubeconfig(self) -> Path:
        made = self.kubectl("create", "token", ACCOUNT, "-n", self.namespace, "--duration=1h")
        return self._context.login_of(made.stdout.strip())

    def pids(self) -> list[int]:
        return []

    def operator_requests(self) -> int | None:
        return None


def ask(context: Context, namespace: str, *, agreed: bool) -> None:
    """Say what the demo is going to do, and ask; raises CannotUseError unless the user agrees."""
    if running := _operators(context.kubectl):
        raise CannotUseError(
            f"the operator runs there already ({', '.join(running)}), and two would write the same "
            "objects. Use `make demo`, or another context"
        )
    names = [each["metadata"]["name"] for each in _missing_definitions(context.kubectl)]
    created = f"  the definitions {' and '.join(names)}" if names else "  no definition: all exist"
    print(
        f"The demo uses the cluster of context {context.name}, {context.server}.\n"
        f"It creates there, and deletes at the end:\n"
        f"  the namespace {namespace} with everything in it\n{created}\n"
        "It changes nothing else. The operator runs on this machine."
    )
    if agreed:
        return
    if not sys.stdin.isatty():
        raise CannotUseError("there is no terminal to ask on; repeat the command with YES=1")
    if input("Continue? [y/N] ").strip().lower() not in ("y", "yes"):
        raise CannotUseError("you did not agree")


def new_namespace() -> str:
    """A name that nobody else has."""
    return f"artifact-index-demo-{secrets.token_hex(4)}"


@contextmanager
def current_cluster(context: Context, namespace: str) -> Iterator[CurrentCluster]:
    """Use the cluster; at the end delete the namespace, and the definitions that the demo created.

    Registered first: an interrupted step leaves nothing behind either.
    """
    with ExitStack() as stack:
        stack.callback(_delete_definitions, context.kubectl, namespace)
        stack.callback(_delete_namespace, context.kubectl, namespace)
        yield CurrentCluster(context, namespace)


def _delete_namespace(kubectl: Kubectl, namespace: str) -> None:
    how = ("--ignore-not-found", f"--timeout={DELETE_SECONDS}s")
    try:
        kubectl("delete", "namespace", namespace, *how)
    except subprocess.CalledProcessError as error:
        error.add_note(f"Delete what is left: kubectl delete namespace {namespace}")
        raise


def _delete_definitions(kubectl: Kubectl, namespace: str) -> None:
    """Delete those that this demo created, unless somebody else uses them by now."""
    ours = ("crd", "-l", f"{MARK}={namespace}")
    created = kubectl("get", *ours, "-o", "name").stdout.split()
    if not created:
        return
    names = [each.partition("/")[2] for each in created]
    if others := _objects(kubectl, ",".join(names)):
        print(f"Left: {' '.join(names)}, in use by {', '.join(others)}.", file=sys.stderr)
        return
    kubectl("delete", *ours, f"--timeout={DELETE_SECONDS}s")


def _objects(kubectl: Kubectl, kinds: str) -> list[str]:
    """Return the names of all objects of these kinds; new ones are served after a moment.

    Raises CalledProcessError when they cannot be listed for a minute.
    """
    deadline = time.monotonic() + CRD_SECONDS
    while True:
        late = time.monotonic() > deadline
        listed = kubectl("get", kinds, "--all-namespaces", "-o", "name", check=late)
        if listed.returncode == 0:
            return listed.stdout.split()
        time.sleep(0.2)


def _missing_definitions(kubectl: Kubectl) -> list[dict[str, Any]]:
    ours = [yaml.safe_load(path.read_text()) for path in _definition_files()]
    names = [each["metadata"]["name"] for each in ours]
    listed = kubectl("get", "crd", *names, "--ignore-not-found", "-o", "name").stdout.split()
    present = {line.partition("/")[2] for line in listed}
    return [each for each in ours if each["metadata"]["name"] not in present]


def _definition_files() -> list[Path]:
    return sorted((TOP / "crds").glob("artifactindex.dev_*.yaml"))


def _mark(definitions: list[dict[str, Any]], namespace: str) -> None:
    for each in definitions:
        each["metadata"].setdefault("labels", {})[MARK] = namespace


def _permissions(namespace: str) -> list[dict[str, Any]]:
    """The operator's account and all its permissions, for one namespace only."""
    documents = yaml.safe_load_all((TOP / "examples" / "operator-rbac.yaml").read_text())
    rules = [rule for each in documents for rule in each.get("rules", [])]
    metadata = {"name": ACCOUNT, "namespace": namespace}
    subject = {"kind": "ServiceAccount", **metadata}
    rbac = "rbac.authorization.k8s.io"
    role = {"apiGroup": rbac, "kind": "Role", "name": ACCOUNT}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": role,
            "subjects": [subject],
        },
    ]


def _operators(kubectl: Kubectl) -> list[str]:
    """The Deployments of the operator, in whatever namespace, as `namespace/name`."""
    found = json.loads(kubectl(*_INSTALLED).stdout)["items"]
    return [f"{item['metadata']['namespace']}/{item['metadata']['name']}" for item in found]


def _write_private(path: Path, config: dict[str, Any]) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(config, file)
