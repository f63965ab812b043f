"""Everything around the operator is real here: API server, stand-in clouds, index, kubectl."""

import base64
import contextlib
import json
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from support.chart import RELEASE
from support.clouds import AwsStandIn, GoogleStandIn
from support.control_plane import ControlPlane, service_account_user, wait_until
from support.control_plane.audit import AuditEvent
from support.control_plane.errors import ControlPlaneFailed
from support.index_server import IndexServer
from support.installation import granted_by_chart, install
from support.operator_process import OPERATOR_NAMESPACE, REPOSITORY, OperatorProcess

OPERATOR_ACCOUNT = RELEASE
OPERATOR_USER = service_account_user(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT)
_CUSTOM = "apis/artifactindex.dev/v1alpha1"
_PLURALS = {
    _CUSTOM: {"artifactindex": "artifactindexes", "indexoptions": "indexoptions"},
    "api/v1": {
        "secret": "secrets",
        "configmap": "configmaps",
        "event": "events",
        "serviceaccount": "serviceaccounts",
    },
}
_KINDS = {
    name: (group, plural)
    for group, names in _PLURALS.items()
    for singular, plural in names.items()
    for name in (singular, plural)
}
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_AS_KUBECTL = "fieldManager=kubectl-client-side-apply"
WRITES = ("create", "update", "patch", "delete", "deletecollection")
PATIENCE = 60.0
"""Seconds that a busy machine may take for one step. What the product promises has a bound of its
own."""


class World:
    """One API server with the operator's CRDs, what the chart grants it, and its stand-ins.

    `forked` is how its operators start. Where not `installed`, CRDs and permissions are left to a
    test that installs the chart. Raises ControlPlaneUnavailable where Helm cannot be built.
    """

    def __init__(
        self, plane: ControlPlane, aws: AwsStandIn, google: GoogleStandIn, index: IndexServer,
        *, forked: bool, installed: bool,
    ) -> None:  # fmt: skip
        self.plane = plane
        self.aws = aws
        self.google = google
        self.index = index
        self._forked = forked
        aws.endpoint_template = f"http://{index.netloc}/pypi/{{repository}}/"
        self.namespace(OPERATOR_NAMESPACE)
        if installed:
            plane.apply_crds(REPOSITORY / "crds")
            install(plane, *granted_by_chart())

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig of the chart's ServiceAccount, with no more than the chart grants it."""
        return self.plane.kubeconfig_for(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT)

    def operator(
        self, *flags: str, module: str = "artifact_index", python: str | None = None, **env: str
    ) -> OperatorProcess:
        """The operator, set up to reach the stand-ins; not started yet.

        Where its start itself is looked at, name the `python`: then it is no fork.
        """
        google = [f"--{k.replace('_', '-')}={v}" for k, v in self.google.settings().items()]
        return OperatorProcess(
            self.kubeconfig,
            flags=["--allow-http", *google, *flags],
            env={**self.aws.env(), **self.google.env(), **env},
            module=module,
            python=python,
            forked=self._forked,
        )

    # Objects

    def namespace(self, name: str) -> str:
        """Create a namespace."""
        self.plane.write("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        return name

    def apply(self, *objects: dict[str, Any], namespace: str | None = None) -> None:
        """kubectl apply, strictly validated.

        What is new is created here as kubectl would, which itself takes a fifth of a second of a
        core. From the first object on that is there already, or is refused, kubectl does it.
        """
        for number, body in enumerate(objects):
            if not self._create_as_applied(body, namespace):
                text = yaml.safe_dump_all(objects[number:])
                where = ["-n", namespace] if namespace else []
                self.plane.kubectl("apply", "--validate=strict", *where, "-f", "-", input=text)
                return

    def _create_as_applied(self, body: dict[str, Any], namespace: str | None) -> bool:
        """Whether the object could be created; it says what was applied, for the next apply."""
        metadata = body["metadata"]
        namespace = metadata.get("namespace", namespace)
        if namespace is None or body["kind"].lower() not in _KINDS:
            return False
        annotations = metadata.get("annotations") or {}
        metadata = {**metadata, "namespace": namespace, "annotations": annotations}
        applied = json.dumps({**body, "metadata": metadata}, separators=(",", ":"), sort_keys=True)
        metadata["annotations"] = {**annotations, _APPLIED: applied + "\n"}
        path = f"{_collection(body['kind'], namespace)}?{_AS_KUBECTL}&fieldValidation=Strict"
        try:
            self.plane.write("POST", path, {**body, "metadata": metadata})
        except ControlPlaneFailed:
            return False
        return True

    def get(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """The object, or None where there is none."""
        return self.plane.read(f"{_collection(kind, namespace)}/{name}")

    def items(self, kind: str, namespace: str) -> list[dict[str, Any]]:
        """Every object of a kind in a namespace."""
        path = _collection(kind, namespace)
        answer = self.plane.read(path)
        assert answer is not None, path
        found: list[dict[str, Any]] = answer["items"]
        return found

    def events(self, namespace: str) -> Counter[tuple[str, str]]:
        """How many events there are of each object's name and reason."""
        events = self.items("events", namespace)
        return Counter((event["involvedObject"]["name"], event["reason"]) for event in events)

    def patch(self, kind: str, namespace: str, name: str, body: dict[str, Any]) -> None:
        """A merge patch."""
        path = f"{_collection(kind, namespace)}/{name}?fieldManager=kubectl-patch"
        self.plane.write("PATCH", path, body)

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete and do not wait for it."""
        options = {"propagationPolicy": "Background"}
        self.plane.write("DELETE", f"{_collection(kind, namespace)}/{name}", options)

    def uv_toml(self, namespace: str, name: str, kind: str = "Secret") -> str | None:
        """The text of an output's uv.toml, or None where there is none."""
        found = self.get(kind, namespace, name)
        if found is None:
            return None
        text: str = found["data"]["uv.toml"]
        return base64.b64decode(text).decode() if kind == "Secret" else text

    def indexes(self, namespace: str, name: str, kind: str = "Secret") -> dict[str, dict[str, Any]]:
        """The parsed [[index]] tables of an output by name, in file order; empty without a file."""
        text = self.uv_toml(namespace, name, kind)
        tables = tomllib.loads(text)["index"] if text else []
        return {table["name"]: table for table in tables}

    def versions(self, kind: str, namespace: str, name: str) -> list[dict[str, Any]]:
        """Every version of an object since its namespace was created, oldest first.

        What passes by at once on a slow machine cannot be waited for: it is in here.
        """
        created = self.plane.read(f"/api/v1/namespaces/{namespace}")
        present = self.get(kind, namespace, name)
        assert created is not None and present is not None, f"{namespace}/{name}"
        since, last = (body["metadata"]["resourceVersion"] for body in (created, present))
        found: list[dict[str, Any]] = []

        def complete() -> bool:
            found[:] = self.plane.changes(_collection(kind, namespace), name, since=since)
            return any(body["metadata"]["resourceVersion"] == last for body in found)

        wait_until(complete, f"the versions of {kind} {name}", PATIENCE)
        return found

    # Waiting

    def condition(
        self, kind: str, namespace: str, name: str, what: str = "Ready"
    ) -> dict[str, Any]:
        """A condition of an object's status; empty where it is not set."""
        return condition_in(self.get(kind, namespace, name) or {}, what)

    def wait_object(
        self, kind: str, namespace: str, name: str, reached: Callable[[dict[str, Any]], bool],
        what: str, *, seconds: float = PATIENCE,
    ) -> dict[str, Any]:  # fmt: skip
        """Wait until an object is as it is wanted; returns it as it was then."""
        found: dict[str, Any] = {}

        def is_reached() -> bool:
            nonlocal found
            found = self.get(kind, namespace, name) or {}
            return bool(found) and reached(found)

        try:
            wait_until(is_reached, f"{kind} {namespace}/{name} to be {what}", seconds)
        except TimeoutError as error:
            error.add_note(f"it is generation {found.get('metadata', {}).get('generation')} with")
            error.add_note(json.dumps(found.get("status"), indent=1))
            raise
        return found

    def wait_condition(
        self, kind: str, namespace: str, name: str, *, reason: str, seconds: float = PATIENCE,
        what: str = "Ready",
    ) -> dict[str, Any]:  # fmt: skip
        """Wait until a condition has a reason, for the object's present generation."""

        def reached(found: dict[str, Any]) -> bool:
            now = condition_in(found, what)
            current = found["metadata"]["generation"]
            return now.get("reason") == reason and now.get("observedGeneration") == current

        found = self.wait_object(kind, namespace, name, reached, reason, seconds=seconds)
        return condition_in(found, what)

    def wait_all_served(self, namespace: str, name: str) -> None:
        """Wait until an IndexOptions is Available with every ArtifactIndex of its namespace.

        One watch may be ahead of another, and what has been seen by then is served already.
        """
        there = {index["metadata"]["name"] for index in self.items("artifactindexes", namespace)}

        def listed(found: dict[str, Any]) -> bool:
            indexes = found["status"].get("indexes", [])
            return {item["artifactIndex"] for item in indexes} == there

        self.wait_object("indexoptions", namespace, name, listed, f"of {sorted(there)}")
        self.wait_condition("indexoptions", namespace, name, reason="Available")

    def wait_second_listing(self, since: int, namespaces: int, seconds: float) -> None:
        """Wait until an operator of some namespaces has listed all, its watches have, and it again.

        `since` is a mark of the audit log before its start. The last listing is five seconds after
        the watches began: by then every object has been worked on.
        """

        def listed() -> bool:
            events = self.plane.audit_events(OPERATOR_USER, verbs=["list"], since=since)
            lists = sum(each.resource == "configmaps" and each.code == 200 for each in events)
            return lists >= 3 * namespaces

        wait_until(listed, "the second own listing", seconds)

    def wait_served(
        self, namespace: str, name: str, needle: str, *, seconds: float = PATIENCE,
        there: bool = True,
    ) -> str:  # fmt: skip
        """Wait until the uv.toml of a Secret contains a text (or no longer does); returns it."""
        text = ""

        def reached() -> bool:
            nonlocal text
            text = self.uv_toml(namespace, name) or ""
            return (needle in text) is there

        what = f"{namespace}/{name} to {'contain' if there else 'lose'} {needle[:60]!r}"
        wait_until(reached, what, seconds)
        return text

    def wait_events(self, namespace: str, *expected: tuple[str, str]) -> Counter[tuple[str, str]]:
        """Wait for events of these names and reasons, each posted after its status.

        Returns the counts of all events.
        """
        found: Counter[tuple[str, str]] = Counter()

        def posted() -> bool:
            nonlocal found
            found = self.events(namespace)
            return all(event in found for event in expected)

        try:
            wait_until(posted, f"events of {namespace}", PATIENCE)
        except TimeoutError as error:
            missing = [event for event in expected if event not in found]
            raise TimeoutError(f"{error}: {missing} among {found}") from None
        return found

    def operator_writes(self, since: int) -> list[AuditEvent]:
        """Every write of the operator after a mark of the audit log."""
        return self.plane.audit_events(OPERATOR_USER, verbs=WRITES, since=since)


def _collection(kind: str, namespace: str) -> str:
    """The API's path of a kind's objects in a namespace; kinds as kubectl takes them."""
    group, plural = _KINDS[kind.lower()]
    return f"/{group}/namespaces/{namespace}/{plural}"


def condition_in(found: dict[str, Any], what: str = "Ready") -> dict[str, Any]:
    """A condition of an object as it was read; empty where it is not set."""
    conditions = found.get("status", {}).get("conditions", [])
    return next((entry for entry in conditions if entry["type"] == what), {})


@contextlib.contextmanager
def open_world(
    plane: ControlPlane, *, forked: bool = False, installed: bool = True
) -> Iterator[World]:
    """The stand-ins around a running control plane."""
    with AwsStandIn() as aws, GoogleStandIn() as google, IndexServer() as index:
        yield World(plane, aws, google, index, forked=forked, installed=installed)


def secret(name: str, values: dict[str, str], *, labelled: bool = True) -> dict[str, Any]:
    """A source Secret."""
    labels = {"artifactindex.dev/role": "source"} if labelled else {}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": labels},
        "stringData": values,
    }


def artifact_index(
    object_name: str, /, *, labels: dict[str, str] | None = None, **spec: Any
) -> dict[str, Any]:
    """An ArtifactIndex; the spec's fields as keywords, in the API's spelling."""
    return {
        "apiVersion": "artifactindex.dev/v1alpha1",
        "kind": "ArtifactIndex",
        "metadata": {"name": object_name, "labels": labels or {}},
        "spec": spec,
    }


def index_options(object_name: str, /, **spec: Any) -> dict[str, Any]:
    """An IndexOptions; the spec's fields as keywords, in the API's spelling."""
    return {
        "apiVersion": "artifactindex.dev/v1alpha1",
        "kind": "IndexOptions",
        "metadata": {"name": object_name},
        "spec": spec,
    }


def code_artifact(
    secret_name: str, *, domain: str = "acme", repository: str = "python", **more: Any
) -> dict[str, Any]:
    """The `codeArtifact` source of a spec, with an access key in a Secret."""
    return {
        "domain": domain,
        "domainOwner": "111122223333",
        "region": "eu-west-1",
        "repository": repository,
        "auth": {"secretRef": {"name": secret_name}},
        **more,
    }


def access_key_secret(world: World, name: str, principal: str, **more: Any) -> dict[str, Any]:
    """A labelled source Secret with an access key that the AWS stand-in knows."""
    key = world.aws.add_access_key(principal=principal)
    values = {
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
    }
    return secret(name, values, **more)


def google_key_secret(world: World, name: str, email: str, **more: Any) -> dict[str, Any]:
    """A labelled source Secret with a service account key that the Google stand-in knows."""
    return secret(name, {"key.json": world.google.make_key_json(email)}, **more)


def artifact_registry(secret_name: str, **more: Any) -> dict[str, Any]:
    """The `googleArtifactRegistry` source of a spec, with a service account key in a Secret."""
    return {
        "project": "acme-prod",
        "location": "europe-west1",
        "repository": "python",
        "auth": {"secretRef": {"name": secret_name}},
        **more,
    }


def basic_auth(url: str, secret_name: str, username: str | None = "ci") -> dict[str, Any]:
    """The `basicAuth` source of a spec; without a user name it is read from the Secret."""
    named = {} if username is None else {"username": username}
    return {"url": url, "secretRef": {"name": secret_name}, **named}


def in_namespace(namespace: str, objects: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The objects with their namespace set."""
    return [{**o, "metadata": {**o["metadata"], "namespace": namespace}} for o in objects]
