"""Every permission that the chart grants is used, and its loss shows where an administrator looks.

Each case runs an operator of its own under the chart's roles less one permission.
"""

import base64
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from support.accounts import issuer_of, role, trust
from support.installation import granted_by_chart, roles_of
from support.operator_process import health
from support.permissions import Permission, permissions_of
from support.stage import (
    BUILDER,
    BY_LABEL,
    BY_NAME,
    LOGIN,
    OPTIONS,
    OUTPUTS,
    OWN,
    PATIENCE,
    SERVED,
    TROUBLED,
    TROUBLED_OPTIONS,
    UNLABELLED,
    Stage,
    by_account,
    namespaced_grants,
    taken_name,
)
from support.world import World

pytestmark = pytest.mark.cluster

AT_ONCE = 4
GRANTED, TOKENS = "rbac.create", "serviceAccountTokens"
Scene = Callable[[Stage], str]
"""Plays a case; returns the message or log in which the missing permission has to be named."""


def ends(stage: Stage) -> str:
    """The process ends with one line that says why."""
    with stage.running(LOGIN, BY_LABEL, OPTIONS, wait=False) as operator:
        assert operator.process is not None
        assert operator.process.wait(PATIENCE) == 1
    return operator.log.rstrip().rpartition("\n")[2]


def unwritten(*outputs: tuple[str, str]) -> Scene:
    """These outputs are not created, the others are, and the condition says so."""

    def scene(stage: Stage) -> str:
        with stage.running(LOGIN, BY_LABEL, OPTIONS):
            message = stage.condition("indexoptions", "uv-config", "WriteFailed")
        there = {(kind, name) for kind, name in KINDS if stage.get(kind, name) is not None}
        assert there == set(KINDS) - set(outputs)
        return message

    return scene


KINDS = [(output["kind"], output["name"]) for output in OUTPUTS]


def unchanged(kind: str) -> Scene:
    """The output keeps what it held when the index's URL moves on."""

    def scene(stage: Stage) -> str:
        name = dict(KINDS)[kind]
        with stage.running(LOGIN, BY_LABEL, OPTIONS):
            stage.condition("indexoptions", "uv-config", "Available")
            moved = {"spec": {"basicAuth": {"url": "https://moved.example/simple/"}}}
            stage.patch("artifactindex", "acme", moved)
            message = stage.condition("indexoptions", "uv-config", "WriteFailed")
            texts = [stage.world.uv_toml(stage.namespace, item, each) or "" for each, item in KINDS]
        for (each, one), text in zip(KINDS, texts, strict=True):
            assert ("acme.example" in text) is ((each, one) == (kind, name))
        return message

    return scene


def not_removed(kind: str) -> Scene:
    """An output that left the spec stays behind."""

    def scene(stage: Stage) -> str:
        with stage.running(LOGIN, BY_LABEL, OPTIONS):
            stage.condition("indexoptions", "uv-config", "Available")
            kept = [output for output in OUTPUTS if output["kind"] != kind]
            stage.patch("indexoptions", "uv-config", {"spec": {"outputs": kept}})
            message = stage.condition("indexoptions", "uv-config", "WriteFailed")
            assert stage.get(kind, dict(KINDS)[kind]) is not None
        return message

    return scene


def unread_target(kind: str) -> Scene:
    """It cannot see whose the object is that has an output's name."""

    def scene(stage: Stage) -> str:
        with stage.running(LOGIN, BY_LABEL, *taken_name(kind)):
            return stage.condition("indexoptions", f"taken-{kind.lower()}", "WriteFailed")

    return scene


def unread_source(stage: Stage) -> str:
    """A source Secret without our label is not found, and the other index is served."""
    with stage.running(LOGIN, BY_LABEL, UNLABELLED, BY_NAME, OPTIONS):
        message = stage.condition("artifactindex", "by-name", "PermissionMissing")
        stage.condition("artifactindex", "acme", "Available")
        tables = stage.world.indexes(stage.namespace, "uv-config")
    assert "first@" in tables["acme"]["url"] and "unavailable" in tables["by-name"]["url"]
    return message


def not_repaired(stage: Stage) -> str:
    """An output that somebody deleted does not come back."""
    with stage.running(LOGIN, BY_LABEL, OPTIONS):
        stage.condition("indexoptions", "uv-config", "Available")

        message = ""

        def refused() -> bool:
            nonlocal message
            ready = stage.world.condition("indexoptions", stage.namespace, "uv-config")
            message = ready["message"]
            told = ready["reason"] == "PermissionMissing"
            return told and stage.get("secret", "uv-config") is None

        stage.lose("secret", "uv-config", refused, "trouble, and no Secret")
    return message


def no_event(stage: Stage) -> str:
    """Trouble is in the condition alone."""
    with stage.running(TROUBLED, TROUBLED_OPTIONS) as operator:
        stage.condition("artifactindex", "troubled", "SecretNotFound")
        stage.until(lambda: "cannot post an event" in operator.log, "the log")
    assert not stage.world.events(stage.namespace)
    return operator.log


def no_status(kind: str, other: tuple[str, str]) -> Scene:
    """The status stays empty; the output is written, and the other kind's status."""

    def scene(stage: Stage) -> str:
        with stage.running(LOGIN, BY_LABEL, OPTIONS) as operator:
            stage.condition(*other, "Available")
            stage.until(lambda: "trying again" in operator.log, "the log")
            name = {"artifactindex": "acme", "indexoptions": "uv-config"}[kind]
            found = stage.get(kind, name) or {}
        assert found["status"] == {"observedGeneration": -1}
        assert stage.world.uv_toml(stage.namespace, "uv-config") is not None
        return operator.log

    return scene


def no_token(stage: Stage) -> str:
    """A login as a ServiceAccount is refused, and the other index is served."""
    with stage.running(LOGIN, BY_LABEL, *by_account("lacking"), OPTIONS):
        message = stage.condition("artifactindex", "by-account", "TokenRequestDenied")
        stage.condition("artifactindex", "acme", "Available")
    return message


def no_leader(stage: Stage) -> str:
    """It never leads, and writes nothing."""
    with stage.running(LOGIN, BY_LABEL, OPTIONS) as operator:
        stage.until(lambda: "cannot read or take the Lease" in operator.log, "the log")
        assert "nobody leads" in health(operator.health_port, "readyz")[1]
        assert stage.world.uv_toml(stage.namespace, "uv-config") is None
    return operator.log


def led_once(stage: Stage) -> str:
    """Who has made the Lease leads until the first renewal would be overdue."""
    with stage.running(LOGIN, BY_LABEL, OPTIONS) as operator:
        stage.condition("indexoptions", "uv-config", "Available")
        stage.until(lambda: "LeaseLost" in operator.log, "the log")
    return operator.log


def unwatched(stage: Stage) -> str:
    """It leads; a standby would learn late of its end."""
    with stage.running(LOGIN, BY_LABEL, OPTIONS) as operator:
        stage.condition("indexoptions", "uv-config", "Available")
        stage.until(lambda: "cannot watch the Lease" in operator.log, "the log")
    return operator.log


NO_INDEX_STATUS = no_status("artifactindex", ("indexoptions", "uv-config"))
NO_OPTIONS_STATUS = no_status("indexoptions", ("artifactindex", "acme"))
CASES: dict[tuple[str, str], tuple[Scene, str]] = {
    (SERVED, "list artifactindexes.artifactindex.dev"): (ends, GRANTED),
    (SERVED, "watch artifactindexes.artifactindex.dev"): (ends, GRANTED),
    (SERVED, "patch artifactindexes.artifactindex.dev/status"): (NO_INDEX_STATUS, GRANTED),
    (SERVED, "list indexoptions.artifactindex.dev"): (ends, GRANTED),
    (SERVED, "watch indexoptions.artifactindex.dev"): (ends, GRANTED),
    (SERVED, "get indexoptions.artifactindex.dev"): (not_repaired, GRANTED),
    (SERVED, "patch indexoptions.artifactindex.dev/status"): (NO_OPTIONS_STATUS, GRANTED),
    (SERVED, "list secrets"): (ends, GRANTED),
    (SERVED, "watch secrets"): (ends, GRANTED),
    (SERVED, "get secrets"): (unread_source, GRANTED),
    (SERVED, "create secrets"): (unwritten(("Secret", "uv-config")), GRANTED),
    (SERVED, "patch secrets"): (unchanged("Secret"), GRANTED),
    (SERVED, "delete secrets"): (not_removed("Secret"), GRANTED),
    (SERVED, "list configmaps"): (ends, GRANTED),
    (SERVED, "watch configmaps"): (ends, GRANTED),
    (SERVED, "get configmaps"): (unread_target("ConfigMap"), GRANTED),
    (SERVED, "create configmaps"): (unwritten(("ConfigMap", "uv-public")), GRANTED),
    (SERVED, "patch configmaps"): (unchanged("ConfigMap"), GRANTED),
    (SERVED, "delete configmaps"): (not_removed("ConfigMap"), GRANTED),
    (SERVED, "create events"): (no_event, GRANTED),
    (SERVED, "get serviceaccounts"): (no_token, TOKENS),
    (SERVED, "create serviceaccounts/token"): (no_token, TOKENS),
    (OWN, "get secrets"): (ends, GRANTED),
    (OWN, "create secrets"): (ends, GRANTED),
    (OWN, "get leases.coordination.k8s.io"): (no_leader, GRANTED),
    (OWN, "create leases.coordination.k8s.io"): (no_leader, GRANTED),
    (OWN, "update leases.coordination.k8s.io"): (led_once, GRANTED),
    (OWN, "watch leases.coordination.k8s.io"): (unwatched, GRANTED),
}


def played(
    world: World, grants: Sequence[dict[str, Any]], case: tuple[str, str], number: int
) -> None:
    """Play one case in namespaces of its own; raises what is wrong."""
    (where, text), (scene, value) = case, CASES[case]
    taken = Permission.parse(text)
    stage = Stage(world, f"lacking-{number}", grants, (where, taken))
    said = scene(stage)
    if value == TOKENS:
        assert "serviceaccounts/token" in said and value in said, said
    else:
        line = next((item for item in said.splitlines() if taken.denial in item), "")
        assert value in line, said

    def refused() -> set[Permission]:
        return {Permission.used_by(request) for request in stage.requests() if request.code == 403}

    stage.until(lambda: bool(refused()), "the refusal in the audit log")
    assert refused() == {taken}


@pytest.fixture(scope="module")
def outcomes(world: World) -> Iterator[dict[tuple[str, str], Future[None]]]:
    """All cases, some of them at a time: most of their time is the operator's start."""
    grants = namespaced_grants()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            case: pool.submit(played, world, grants, case, number)
            for number, case in enumerate(CASES)
        }


def test_there_is_a_case_for_each_permission_of_the_chart() -> None:
    granted = {
        (role["metadata"]["namespace"], str(permission))
        for role in roles_of(namespaced_grants())
        for permission in permissions_of(role["rules"])
    }
    assert granted == set(CASES)


def test_the_cluster_wide_role_grants_the_same() -> None:
    """Without the kinds of cluster scope, of which test_cluster_privileges.py asks."""
    values = {"serviceAccountTokens": {"mode": "All"}, "clusterKinds": {"enabled": False}}
    (cluster_wide,) = (
        role for role in roles_of(granted_by_chart(values)) if role["kind"] == "ClusterRole"
    )
    served = [
        role for role in roles_of(namespaced_grants()) if role["metadata"]["namespace"] == SERVED
    ]
    assert permissions_of(cluster_wide["rules"]) == {
        permission for item in served for permission in permissions_of(item["rules"])
    }


@pytest.mark.parametrize("case", CASES, ids=[f"{text} in {where}" for where, text in CASES])
def test_without_it_something_fails_and_the_permission_is_named(
    case: tuple[str, str], outcomes: dict[tuple[str, str], Future[None]]
) -> None:
    outcomes[case].result()


def test_with_all_of_them_everything_works_and_each_is_used(world: World) -> None:
    grants = namespaced_grants()
    stage = Stage(world, "lacking-nothing", grants, None)
    subject = f"system:serviceaccount:{stage.namespace}:{BUILDER}"
    trust(world, issuer_of(world), role("lacking-nothing"), subject)
    objects = (LOGIN, UNLABELLED, BY_LABEL, BY_NAME, *by_account("lacking-nothing"), OPTIONS)
    taken = [*taken_name("Secret"), *taken_name("ConfigMap")]
    granted = {
        (item["metadata"]["namespace"], permission)
        for item in roles_of(grants)
        for permission in permissions_of(item["rules"])
    }
    places = {stage.namespace: SERVED, stage.own: OWN}

    def used() -> set[tuple[str, Permission]]:
        return {
            (places[request.namespace], Permission.used_by(request)) for request in stage.requests()
        }

    with stage.running(*objects, *taken, TROUBLED, TROUBLED_OPTIONS):
        stage.condition("indexoptions", "uv-config", "Available")
        for kind in ("secret", "configmap"):
            stage.condition("indexoptions", f"taken-{kind}", "TargetNotOwned")
        stage.condition("artifactindex", "troubled", "SecretNotFound")
        event = ("troubled", "SecretNotFound")
        stage.until(lambda: event in world.events(stage.namespace), "the event")
        changed = {"data": {"password": base64.b64encode(b"second").decode()}}
        stage.patch("secret", "login", changed)
        world.wait_served(stage.namespace, "uv-config", "second@", seconds=PATIENCE)
        stage.patch("artifactindex", "acme", {"spec": {"name": "renamed"}})
        world.wait_served(stage.namespace, "uv-config", "renamed", seconds=PATIENCE)
        asked = (SERVED, Permission.parse("get indexoptions.artifactindex.dev"))
        for kind, name in KINDS:
            stage.lose(kind, name, lambda: asked in used(), "a look at its owner")
            stage.until_there(kind, name)
        moved = [{"kind": kind, "name": f"{name}-2"} for kind, name in KINDS]
        stage.patch("indexoptions", "uv-config", {"spec": {"outputs": moved}})
        for kind, name in KINDS:
            stage.until_there(kind, name, there=False)

    stage.until(lambda: used() >= granted, "all requests in the audit log")
    assert used() == granted
    assert [request for request in stage.requests() if request.code == 403] == []
