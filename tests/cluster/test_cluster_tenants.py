"""What a tenant with `edit` rights tries against the indexes of cluster scope, each try a test.

The tenant's namespace is served; the operator has the chart's ServiceAccount and nothing more.
"""

import base64
import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from artifact_index.cli import main
from artifact_index.cli.admin.permissions import CLUSTER_KINDS
from support.accounts import person
from support.cluster_objects import INDEXES, OPTIONS, cluster_object
from support.control_plane import wait_until
from support.operator_process import OperatorProcess
from support.permissions import Permission
from support.world import (
    OPERATOR_USER,
    PATIENCE,
    World,
    artifact_index,
    basic_auth,
    condition_in,
    index_options,
    secret,
)

pytestmark = pytest.mark.cluster

LOGINS, TENANT, BYSTANDER, OUTSIDE, STRANGER = (
    "tenants-logins", "tenants-a", "tenants-b", "outsiders-a", "tenants-unlabelled",
)  # fmt: skip
"""OUTSIDE has the label, and is beyond the administrator's bound; STRANGER has no label."""
LABEL = {"tenants": "served"}
USER = "tess"
PASSWORD = "of-the-platform"
OUTPUT, INDEX = "tenants-uv", "platform"
URL = "https://platform.example/python/simple/"
TAKES_CLUSTER_INDEXES: dict[str, Any] = {"clusterIndexSelector": {}}


@pytest.fixture(scope="module")
def mark(world: World) -> int:
    return world.plane.audit_mark()


@pytest.fixture(scope="module")
def operator(world: World, mark: int) -> Iterator[OperatorProcess]:
    flags = (
        "--cluster-kinds=true",
        f"--cluster-resource-namespace={LOGINS}",
        "--cluster-kinds-namespaces=tenants-*",
    )
    for name in (LOGINS, STRANGER):
        world.namespace(name)
    for name in (TENANT, BYSTANDER, OUTSIDE):
        body = {"metadata": {"name": name, "labels": LABEL}}
        world.plane.write("POST", "/api/v1/namespaces", body)
    with world.operator(*flags) as running:
        yield running


@pytest.fixture(scope="module")
def served(world: World, operator: OperatorProcess) -> Iterator[World]:
    """The platform's index is served in two namespaces, and the tenant may edit in one of them."""
    login = secret("platform-login", {"username": "ci", "password": PASSWORD})
    world.apply(login, namespace=LOGINS)
    index = {
        "name": INDEX,
        "namespaces": {"selector": {"matchLabels": LABEL}},
        "basicAuth": basic_auth(URL, "platform-login"),
    }
    body = cluster_object("ClusterArtifactIndex", INDEX, index)
    world.plane.write("POST", INDEXES, body)
    body = cluster_object("ClusterIndexOptions", OUTPUT, {"namespaceSelector": {}})
    world.plane.write("POST", OPTIONS, body)
    for namespace in (TENANT, STRANGER):
        world.plane.kubectl(
            "create", "rolebinding", USER, "--clusterrole=edit", f"--user={USER}", "-n", namespace
        )
    for namespace in (TENANT, BYSTANDER):
        world.wait_served(namespace, OUTPUT, PASSWORD)
    wait_until(lambda: as_tenant(world, "auth", "can-i", "create", "aidx"), "edit to have ours", 60)
    yield world
    for path in (f"{OPTIONS}/{OUTPUT}", f"{INDEXES}/{INDEX}"):
        world.plane.write("DELETE", path)


def as_tenant(world: World, *arguments: str, **more: Any) -> bool:
    """Whether the tenant is allowed to."""
    answer = world.plane.kubectl(*arguments, "-n", TENANT, "--as", USER, check=False, **more)
    return answer.returncode == 0


def status(world: World) -> dict[str, Any]:
    found = world.plane.read(f"{OPTIONS}/{OUTPUT}") or {}
    return dict(found.get("status", {}))


def is_available(world: World, path: str) -> bool:
    """Whether an object is Available in its newest generation."""
    found = world.plane.read(path) or {}
    handled = found.get("status", {}).get("observedGeneration") == found["metadata"]["generation"]
    return handled and condition_in(found).get("reason") == "Available"


@pytest.mark.parametrize(
    "tried",
    [
        ("get", "clusterartifactindexes"),
        ("get", "clusterindexoptions", OUTPUT),
        ("get", "secret", "platform-login", "-n", LOGINS),
        ("patch", "caidx", INDEX, "--type=merge", '-p={"spec":{"namespaces":{"selector":{}}}}'),
        ("delete", "cidxopt", OUTPUT),
        ("label", "namespace", STRANGER, "tenants=served"),
        ("get", "namespaces"),
    ],
    ids=lambda tried: " ".join(tried)[:50],
)
def test_a_tenant_may_not(served: World, tried: tuple[str, ...]) -> None:
    where = () if "-n" in tried else ("-n", TENANT)
    answer = served.plane.kubectl(*tried, *where, "--as", USER, check=False)

    assert answer.returncode != 0
    assert "Forbidden" in answer.stderr and f'User "{USER}" cannot' in answer.stderr


def test_a_tenant_may_not_create_a_definition_of_its_own(served: World) -> None:
    spec = {"namespaces": {"selector": {}}, "basicAuth": basic_auth(URL, "platform-login")}
    mine = json.dumps(cluster_object("ClusterArtifactIndex", "mine", spec))

    assert not as_tenant(served, "create", "-f", "-", input=mine)


def test_a_tenant_cannot_name_the_clusters_secret(served: World) -> None:
    evil = "https://evil.example/simple/"
    own = artifact_index("naming", name="naming", basicAuth=basic_auth(evil, "platform-login"))
    abroad = artifact_index("abroad", basicAuth=basic_auth(evil, "platform-login"))
    abroad["spec"]["basicAuth"]["secretRef"]["namespace"] = LOGINS

    assert not as_tenant(served, "create", "-f", "-", input=json.dumps(abroad))
    assert as_tenant(served, "create", "-f", "-", input=json.dumps(own))
    served.apply(index_options("naming"), namespace=TENANT)
    served.wait_condition("artifactindex", TENANT, "naming", reason="SecretNotFound")
    text = served.wait_served(TENANT, "naming", "naming.unavailable.invalid")
    assert PASSWORD not in text
    served.delete("artifactindex", TENANT, "naming")
    served.delete("indexoptions", TENANT, "naming")


@pytest.mark.parametrize("namespace", [STRANGER, OUTSIDE])
def test_asking_does_not_widen_consent(served: World, namespace: str) -> None:
    """Neither the consent of the index, nor the administrator's bound."""
    served.apply(index_options("asking", **TAKES_CLUSTER_INDEXES), namespace=namespace)

    served.wait_condition("indexoptions", namespace, "asking", reason="NoIndexes")
    assert served.items("secret", namespace) == []


def test_an_output_is_not_taken_over(served: World) -> None:
    """By a file of the same name, by hand, nor by the marks of its owner removed."""
    theirs = [{"kind": "Secret", "name": OUTPUT}]
    thief = index_options("thief", outputs=theirs, **TAKES_CLUSTER_INDEXES)
    served.apply(thief, namespace=TENANT)
    served.wait_condition("indexoptions", TENANT, "thief", reason="TargetNotOwned")
    found = served.get("secret", TENANT, OUTPUT)
    assert found is not None
    before = found["data"]

    text = base64.b64encode(b"[[index]]\nname = 'mine'\nurl = 'https://evil.example'\n").decode()
    marks = dict.fromkeys(found["metadata"]["annotations"])
    edited = {
        "metadata": {"annotations": marks, "labels": None, "ownerReferences": None},
        "data": {"uv.toml": text},
    }
    patch = ("patch", "secret", OUTPUT, "--type=merge", f"-p={json.dumps(edited)}")
    assert as_tenant(served, *patch)

    # Nothing on it says any more that it is the operator's: it is left alone, and counted.
    wait_until(
        lambda: [each["namespace"] for each in status(served).get("failingNamespaces", ())]
        == [TENANT],
        "the namespace to be counted as failing", PATIENCE,
    )  # fmt: skip
    assert condition_in({"status": status(served)})["reason"] == "NamespacesFailing"
    assert PASSWORD in (served.uv_toml(BYSTANDER, OUTPUT) or "")
    served.delete("secret", TENANT, OUTPUT)
    served.delete("indexoptions", TENANT, "thief")
    served.wait_served(TENANT, OUTPUT, PASSWORD)
    wait_until(lambda: "failingNamespaces" not in status(served), "nothing to fail", PATIENCE)
    again = served.get("secret", TENANT, OUTPUT)
    assert again is not None and again["data"] == before


def test_an_output_deleted_by_the_tenant_comes_back(served: World) -> None:
    assert as_tenant(served, "delete", "secret", OUTPUT)

    served.wait_served(TENANT, OUTPUT, PASSWORD)


def test_an_output_is_no_source(served: World) -> None:
    own = artifact_index("reading", basicAuth=basic_auth("https://evil.example/s/", OUTPUT))
    served.apply(own, index_options("reading"), namespace=TENANT)

    served.wait_condition("artifactindex", TENANT, "reading", reason="SourceIsOutput")
    served.delete("artifactindex", TENANT, "reading")
    served.delete("indexoptions", TENANT, "reading")


def test_a_cluster_index_is_not_shadowed(served: World) -> None:
    """By its name, nor by a login above its URL, both given by objects that were there before."""
    evil = {"anonymous": {"url": "https://evil.example/simple/"}}
    usurper = artifact_index("usurper", name=INDEX, **evil)
    served.apply(secret("own", {"username": "me", "password": "mine"}), namespace=TENANT)
    above = artifact_index(
        "above", name="above", basicAuth=basic_auth("https://platform.example/", "own")
    )
    served.apply(usurper, above, index_options("file"), namespace=TENANT)
    served.wait_condition("artifactindex", TENANT, "usurper", reason="Available")
    served.wait_condition("artifactindex", TENANT, "above", reason="Available")
    mine = "https://evil.example/simple/"

    served.patch("indexoptions", TENANT, "file", {"spec": TAKES_CLUSTER_INDEXES})

    served.wait_condition("artifactindex", TENANT, "usurper", reason="NameConflict")
    served.wait_condition("artifactindex", TENANT, "above", reason="ShadowsSiblings")
    served.wait_served(TENANT, "file", PASSWORD)
    indexes = served.indexes(TENANT, "file")
    assert PASSWORD in indexes[INDEX]["url"] and "platform.example/python" in indexes[INDEX]["url"]
    urls = {each["url"] for each in indexes.values()}
    assert mine not in urls and not any("me:mine@" in url for url in urls)
    assert sum(".unavailable.invalid" in url for url in urls) == 2


def test_an_administrator_asks_and_changes_what_a_tenant_may_not(
    served: World, capsys: pytest.CaptureFixture[str]
) -> None:
    admin = ("--kubeconfig", str(served.plane.kubeconfig_admin))

    def told(command: str, *arguments: str, code: int = 0) -> Any:
        assert main([command, *arguments, *admin, "-o", "json"]) == code
        return json.loads(capsys.readouterr().out)

    both = ("clusterartifactindex/platform", f"clusterindexoptions/{OUTPUT}")
    for each in both:
        (changed,) = told("refresh", each, "--wait")["objects"]
        assert changed["outcome"] == "Refreshed", changed
        (changed,) = told("suspend", each)["objects"]
        assert changed["outcome"] == "Suspended"
        (changed,) = told("resume", each)["objects"]
        assert changed["outcome"] == "Resumed"
    # The index is told after the outputs.
    for path in (f"{OPTIONS}/{OUTPUT}", f"{INDEXES}/{INDEX}"):
        wait_until(partial(is_available, served, path), f"{path} after its suspension", PATIENCE)
    report = told("status", *both)
    (file,), (index,) = report["files"], report["indexes"]
    assert (file["namespace"], file["indexOptions"]) == ("", OUTPUT)
    assert file["namespaces"]["selected"] == 2
    assert (index["namespace"], index["login"]) == ("", "secret/platform-login")
    holds = told("why", both[1])["holds"]
    assert f"written in 2 of 2 namespaces: Secret/{OUTPUT}" in holds
    viewer = person(served, TENANT, "onlooker", "view")
    assert main(["status", *viewer, both[1]]) == 3
    assert "only the administrators of the cluster may" in capsys.readouterr().err


def test_each_permission_for_cluster_kinds_is_used_and_none_is_missing(
    served: World, operator: OperatorProcess, mark: int
) -> None:
    """Each was used by one of the tests above; a lost output needs the look at its owner."""
    needed = {
        Permission(verb, f"{plural}.{rule.group}" if rule.group else plural, subresource)
        for rule in CLUSTER_KINDS
        for resource in rule.resources
        for verb in rule.verbs
        for plural, _, subresource in [resource.partition("/")]
    }
    look = Permission.parse("get clusterindexoptions.artifactindex.dev")

    def used() -> set[Permission]:
        events = served.plane.audit_events(OPERATOR_USER, since=mark)
        return {Permission.used_by(each) for each in events}

    def looked() -> bool:
        """Where a listing finds the owner first, no look is needed for once."""
        as_tenant(served, "delete", "secret", OUTPUT)
        return look in used()

    wait_until(looked, "a look at the owner of a lost output", PATIENCE)
    # A watch is in the audit log once it has ended.
    operator.stop()
    wait_until(lambda: needed <= used(), "all requests in the audit log", PATIENCE)
    # Other tests leave objects behind on this server that need more than the cluster kinds do.
    ours = {"", LOGINS, TENANT, BYSTANDER, OUTSIDE, STRANGER}
    events = served.plane.audit_events(OPERATOR_USER, since=mark)
    assert [each for each in events if each.code == 403 and each.namespace in ours] == []
