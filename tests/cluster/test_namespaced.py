"""The chart with `watchNamespaces`: a Role in each of them, and no ClusterRole."""

from collections.abc import Iterator
from typing import Any

import pytest

from support.accounts import code_artifact_by, issuer_of, role, service_account, trust
from support.chart import RELEASE
from support.control_plane import service_account_user, wait_until
from support.control_plane.audit import AuditEvent
from support.installation import granted_by_chart, install
from support.operator_process import OperatorProcess
from support.world import PATIENCE, WRITES, World, artifact_index, basic_auth, index_options, secret

pytestmark = pytest.mark.cluster

OWN = "scope-system"
USER = service_account_user(OWN, RELEASE)
SERVED = ("scope-one", "scope-two")
OTHER = "scope-other"
VALUES = {
    "watchNamespaces": list(SERVED),
    "serviceAccountTokens": {"mode": "Listed", "listed": {SERVED[0]: ["listed"]}},
}


def operator_in(world: World, *namespaces: str) -> OperatorProcess:
    flags = [flag for name in namespaces for flag in ("--namespace", name)]
    kubeconfig = world.plane.kubeconfig_for(OWN, RELEASE)
    return OperatorProcess(
        kubeconfig,
        flags=[*flags, "--allow-http"],
        env=world.aws.env(),
        namespace=OWN,
        forked=True,
    )


@pytest.fixture(scope="module")
def scoped(world: World) -> Iterator[OperatorProcess]:
    """An operator with what the chart grants it for its namespaces, and a third namespace."""
    for namespace in (OWN, OTHER, *SERVED):
        world.namespace(namespace)
    install(world.plane, *granted_by_chart(VALUES, namespace=OWN))
    with operator_in(world, *SERVED) as running:
        yield running


def serve(world: World, namespace: str) -> None:
    """An index with a login, and an IndexOptions with a Secret and a ConfigMap."""
    world.apply(
        secret("login", {"password": f"of-{namespace}"}),
        artifact_index(
            "acme",
            name="acme",
            labels={"by": "login"},
            basicAuth=basic_auth("https://p.example/simple/", "login"),
        ),
        index_options(
            "uv-config",
            indexSelector={"matchLabels": {"by": "login"}},
            outputs=[{"kind": "Secret", "name": "uv-config"}, {"kind": "ConfigMap", "name": "uv"}],
        ),
        namespace=namespace,
    )


def requests(world: World, since: int = 0, *verbs: str) -> list[AuditEvent]:
    """What it asked for resources."""
    events = world.plane.audit_events(USER, verbs=verbs, since=since)
    return [event for event in events if event.resource]


def test_no_cluster_role_is_rendered_for_it() -> None:
    kinds = {item["kind"] for item in granted_by_chart(VALUES, namespace=OWN)}
    assert kinds == {"ServiceAccount", "Role", "RoleBinding"}


def test_it_serves_its_namespaces_and_touches_no_other(
    world: World, scoped: OperatorProcess
) -> None:
    serve(world, OTHER)
    for namespace in SERVED:
        serve(world, namespace)
    for namespace in SERVED:
        world.wait_condition("indexoptions", namespace, "uv-config", reason="Available")
        assert f"ci:of-{namespace}@" in (world.uv_toml(namespace, "uv-config") or "")
        world.patch("secret", namespace, "login", {"stringData": {"password": "changed"}})
        world.wait_served(namespace, "uv-config", "ci:changed@")
        world.delete("secret", namespace, "uv-config")
        world.wait_served(namespace, "uv-config", "ci:changed@")

    assert world.get("secret", OTHER, "uv-config") is None
    untouched = world.get("artifactindex", OTHER, "acme") or {}
    assert untouched["status"] == {"observedGeneration": -1}


def test_a_service_account_on_the_list_logs_in_and_another_does_not(
    world: World, scoped: OperatorProcess
) -> None:
    trust(world, issuer_of(world), role("scoped"), f"system:serviceaccount:{SERVED[0]}:listed")

    def index(name: str) -> dict[str, Any]:
        auth = {"serviceAccountRef": {"name": name, "roleARN": role("scoped")}}
        source = code_artifact_by(auth, domain=f"scoped-{name}")
        return artifact_index(name, name=name, labels={"by": "account"}, codeArtifact=source)

    world.apply(
        *(service_account(name) for name in ("listed", "stranger")),
        *(index(name) for name in ("listed", "stranger")),
        index_options("accounts", indexSelector={"matchLabels": {"by": "account"}}),
        namespace=SERVED[0],
    )
    world.wait_condition("artifactindex", SERVED[0], "listed", reason="Available")
    refused = world.wait_condition(
        "artifactindex", SERVED[0], "stranger", reason="TokenRequestDenied"
    )
    assert "'stranger'" in refused["message"] and "serviceAccountTokens" in refused["message"]
    world.wait_events(SERVED[0], ("stranger", "TokenRequestDenied"))
    world.wait_condition("indexoptions", SERVED[0], "accounts", reason="IndexesNotReady")
    world.wait_events(SERVED[0], ("accounts", "IndexesNotReady"))


def test_a_restart_lists_its_namespaces_and_writes_nothing(
    world: World, scoped: OperatorProcess
) -> None:
    for namespace in SERVED:
        serve(world, namespace)
        world.wait_served(namespace, "uv-config", f"ci:of-{namespace}@")
        world.wait_condition("indexoptions", namespace, "uv-config", reason="Available")
        world.wait_condition("artifactindex", namespace, "acme", reason="Available")
    scoped.stop()
    mark = world.plane.audit_mark()
    scoped.start()
    # Its own listing, that of the watches, and the one that finds what vanished in between.
    kinds = 4
    wait_until(
        lambda: len(requests(world, mark, "list")) >= 3 * kinds * len(SERVED),
        "the listings",
        PATIENCE,
    )
    assert requests(world, mark, *WRITES) == []
    # All that it did here, in every test.
    everything = requests(world)
    refused = {(item.verb, item.resource, item.name) for item in everything if item.code == 403}
    assert refused <= {("get", "serviceaccounts", "stranger")}
    assert {item.namespace for item in everything} == {OWN, *SERVED}


def test_a_namespace_that_was_not_granted_ends_it_with_what_to_do(
    world: World, scoped: OperatorProcess
) -> None:
    lost = operator_in(world, OTHER)
    lost.start(wait=False)
    assert lost.process is not None
    assert lost.process.wait(PATIENCE) == 1
    lost.stop()
    assert "Traceback" not in lost.log
    line = lost.log.rstrip().rpartition("\n")[2]
    assert "ERROR" in line and "watchNamespaces" in line
    assert 'cannot list resource "artifactindexes"' in line and f'namespace "{OTHER}"' in line
