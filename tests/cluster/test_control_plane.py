"""The test control plane itself: what the other cluster tests take for granted."""

import json
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.control_plane import (
    ControlPlane,
    ControlPlaneUnavailable,
    RequestKey,
    releases,
    service_account_user,
    wait_until,
)
from support.control_plane.processes import free_ports

pytestmark = pytest.mark.cluster

WIDGET_CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.harness.example}
spec:
  group: harness.example
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object}}
"""


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    name = f"harness-{uuid.uuid4().hex[:8]}"
    control_plane.write("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    control_plane.write("DELETE", f"/api/v1/namespaces/{name}")


def exists(plane: ControlPlane, namespace: str, plural: str, name: str) -> bool:
    return plane.read(f"/api/v1/namespaces/{namespace}/{plural}/{name}") is not None


def create_owned_secret(plane: ControlPlane, namespace: str, owner: dict[str, str]) -> None:
    kind = owner["kind"]
    uid = plane.kubectl(
        "get", kind, owner["name"], "-n", namespace, "-o", "jsonpath={.metadata.uid}"
    )
    metadata = {"name": "owned", "ownerReferences": [owner | {"uid": uid.stdout}]}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    plane.kubectl("create", "-n", namespace, "-f", "-", input=json.dumps(secret))


def require_garbage_collection(plane: ControlPlane) -> None:
    if not plane.has_garbage_collection:
        pytest.skip("KUBEBUILDER_ASSETS holds no kube-controller-manager")


def test_the_administrator_sees_the_initial_namespaces(control_plane: ControlPlane) -> None:
    listed = control_plane.kubectl("get", "ns", "-o", "name").stdout.split()
    assert {"namespace/default", "namespace/kube-system"} <= set(listed)


def test_the_server_is_of_the_chosen_release(control_plane: ControlPlane) -> None:
    version = json.loads(control_plane.kubectl("get", "--raw", "/version").stdout)
    assert version["major"] == "1"
    assert not version["gitVersion"].startswith("v0.")
    if not os.environ.get("KUBEBUILDER_ASSETS"):
        assert version["gitVersion"].startswith(f"v{releases.chosen().minor}.")


def test_a_failing_kubectl_raises_with_what_it_said(control_plane: ControlPlane) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        control_plane.kubectl("get", "no-such-kind")
    assert any("no-such-kind" in note for note in caught.value.__notes__)


def test_a_fresh_service_account_may_not_read_secrets(
    control_plane: ControlPlane, namespace: str
) -> None:
    kubeconfig = control_plane.kubeconfig_for(namespace, "stranger")
    denied = control_plane.kubectl("get", "secrets", kubeconfig=kubeconfig, check=False)
    assert denied.returncode != 0
    assert "Forbidden" in denied.stderr


def test_a_kubeconfig_acts_as_its_service_account(
    control_plane: ControlPlane, namespace: str
) -> None:
    kubeconfig = control_plane.kubeconfig_for(namespace, "builder")
    who = control_plane.kubectl("auth", "whoami", "-o", "json", kubeconfig=kubeconfig)
    user = json.loads(who.stdout)["status"]["userInfo"]["username"]
    assert user == service_account_user(namespace, "builder")


def test_a_kubeconfig_is_readable_for_its_owner_only(
    control_plane: ControlPlane, namespace: str
) -> None:
    kubeconfig = control_plane.kubeconfig_for(namespace, "builder")
    assert kubeconfig.stat().st_mode & 0o077 == 0


def test_kubectl_creates_tokens(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.kubectl("create", "serviceaccount", "builder", "-n", namespace)
    token = control_plane.kubectl("create", "token", "builder", "-n", namespace).stdout.strip()
    assert token.count(".") == 2


def test_an_owned_secret_goes_after_its_config_map(
    control_plane: ControlPlane, namespace: str
) -> None:
    require_garbage_collection(control_plane)
    control_plane.kubectl("create", "configmap", "owner", "-n", namespace)
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner"}
    create_owned_secret(control_plane, namespace, owner)
    control_plane.kubectl("delete", "configmap", "owner", "-n", namespace)
    wait_until(lambda: not exists(control_plane, namespace, "secrets", "owned"), "collected", 60)


def test_a_new_kind_is_usable_and_collected_once_its_definition_is_applied(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    require_garbage_collection(control_plane)
    (tmp_path / "widgets.yaml").write_text(WIDGET_CRD)
    before = control_plane.pids["kube-controller-manager"]
    assert control_plane.apply_crds(tmp_path) == ["widgets.harness.example"]
    # Left to its own rhythm the garbage collector meets a new kind after up to 30 s.
    assert control_plane.pids["kube-controller-manager"] != before
    owner = {"apiVersion": "harness.example/v1", "kind": "Widget", "name": "owner"}
    widget = owner | {"metadata": {"name": owner["name"]}}
    widget.pop("name")
    control_plane.kubectl("create", "-n", namespace, "-f", "-", input=json.dumps(widget))
    create_owned_secret(control_plane, namespace, owner)
    control_plane.kubectl("delete", "widget", "owner", "-n", namespace)
    wait_until(lambda: not exists(control_plane, namespace, "secrets", "owned"), "collected", 60)


def test_a_deleted_namespace_goes_with_its_content(control_plane: ControlPlane) -> None:
    require_garbage_collection(control_plane)
    control_plane.kubeconfig_for("harness-short-lived", "builder")
    control_plane.kubectl("delete", "namespace", "harness-short-lived", "--timeout=90s")


def test_the_audit_log_tells_who_asked_for_what(
    control_plane: ControlPlane, namespace: str
) -> None:
    kubeconfig = control_plane.kubeconfig_for(namespace, "curious")
    mark = control_plane.audit_mark()
    control_plane.kubectl("get", "secret", "payroll", kubeconfig=kubeconfig, check=False)
    control_plane.kubectl("get", "secret", "payroll", "-n", namespace, check=False)
    user = service_account_user(namespace, "curious")

    def asked() -> list[tuple[str, str, str, int]]:
        events = control_plane.audit_events(user, since=mark)
        return [(e.verb, e.namespace, e.name, e.code) for e in events if e.resource == "secrets"]

    wait_until(lambda: asked() != [], "audited", 30)
    assert asked() == [("get", namespace, "payroll", 403)]
    assert control_plane.audit_events(user, verbs={"create", "patch"}, since=mark) == []


def test_request_counts_grow_by_the_requests_made(
    control_plane: ControlPlane, namespace: str
) -> None:
    created = RequestKey("POST", "secrets", "", 201)
    before = control_plane.request_counts()
    for name in ("one", "two"):
        control_plane.kubectl("create", "secret", "generic", name, "-n", namespace)

    def counted() -> int:
        return control_plane.request_counts()[created] - before[created]

    # A request is counted just after its answer was sent.
    wait_until(lambda: counted() >= 2, "both to be counted", 30)
    assert counted() == 2


def test_a_killed_api_server_comes_back_with_its_data(own_control_plane: ControlPlane) -> None:
    own_control_plane.kubectl("create", "configmap", "kept")
    own_control_plane.kill_apiserver()
    refused = own_control_plane.kubectl("get", "configmap", "kept", check=False)
    own_control_plane.start_apiserver()
    assert refused.returncode != 0
    assert exists(own_control_plane, "default", "configmaps", "kept")


def test_a_restarted_etcd_comes_back_with_its_data(own_control_plane: ControlPlane) -> None:
    own_control_plane.kubectl("create", "configmap", "kept-by-etcd")
    own_control_plane.restart_etcd()
    assert exists(own_control_plane, "default", "configmaps", "kept-by-etcd")
    own_control_plane.kubectl("create", "configmap", "another")


def test_stopping_leaves_no_process_and_no_file(control_plane: ControlPlane) -> None:
    with ControlPlane(control_plane.binaries) as plane:
        pids, folder = plane.pids, plane.folder
        assert {"etcd", "kube-apiserver"} <= pids.keys()
        assert all(Path(f"/proc/{pid}").exists() for pid in pids.values())
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids.values())
    assert not folder.exists()


@pytest.mark.parametrize("taken", [0, 1, 2], ids=["etcd", "etcd-peer", "apiserver"])
def test_a_port_that_somebody_else_got_is_exchanged_for_another(
    control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        first = free_ports(3)
        first[taken] = occupied.getsockname()[1]
        choices = [first]
        monkeypatch.setattr(
            "support.control_plane.servers.free_ports",
            lambda count: choices.pop() if choices else free_ports(count),
        )
        with ControlPlane(control_plane.binaries) as plane:
            plane.kubectl("get", "ns")
    assert choices == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs the parent-death signal of Linux")
def test_the_servers_die_with_a_killed_owner(control_plane: ControlPlane, tmp_path: Path) -> None:
    # The owner starts them from a thread that ends before it does.
    script = (
        "import json, threading, time\n"
        "from support.control_plane import ControlPlane\n"
        "plane = ControlPlane()\n"
        "starter = threading.Thread(target=plane.start)\n"
        "starter.start(); starter.join()\n"
        "plane.kubectl('get', 'ns')\n"
        "print(json.dumps(plane.pids), flush=True)\n"
        "input()\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ
        | {
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "TMPDIR": str(tmp_path),
        },
    )
    assert owner.stdout is not None
    pids = json.loads(owner.stdout.readline())
    owner.kill()
    owner.wait()
    wait_until(
        lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids.values()), "all gone", 60
    )


def test_incomplete_assets_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with pytest.raises(ControlPlaneUnavailable, match="etcd, kube-apiserver"):
        ControlPlane()


def test_without_go_and_cache_it_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("ARTIFACT_INDEX_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ControlPlaneUnavailable, match="no `go` on PATH"):
        ControlPlane()


def test_a_failed_build_shows_the_end_of_its_log_and_keeps_nothing_half_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho no module for you\nexit 3\n")
    go.chmod(0o755)
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("ARTIFACT_INDEX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ControlPlaneUnavailable, match=r"status 3(.|\n)*no module for you"):
        ControlPlane()
    assert {path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()} == {
        "lock",
        "build.log",
    }
