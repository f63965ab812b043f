"""One definition for many namespaces on a real API server: consent, drift, tenants, restarts."""

import base64
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from support.cluster_objects import INDEXES, OPTIONS, cluster_object
from support.control_plane import wait_until
from support.control_plane.audit import AuditEvent
from support.operator_process import OPERATOR_NAMESPACE, OperatorProcess
from support.world import (
    PATIENCE,
    World,
    access_key_secret,
    artifact_index,
    code_artifact,
    condition_in,
    index_options,
)

pytestmark = pytest.mark.cluster

PRINCIPAL = "arn:aws:iam::111122223333:user/one-for-many"
LABEL = {"one-for-many": "yes"}
NAMESPACES = [f"many-{number}" for number in range(8)]
OUTPUT = "many-uv"


@pytest.fixture(scope="module")
def operator(world: World) -> Iterator[OperatorProcess]:
    """An operator that serves cluster kinds; their Secrets are in its own namespace."""
    with world.operator("--cluster-kinds=true", "--log-level", "debug") as running:
        yield running


@pytest.fixture(scope="module")
def many(world: World, operator: OperatorProcess) -> World:
    """Eight namespaces that get two indexes of one login."""
    world.apply(access_key_secret(world, "many-key", PRINCIPAL), namespace=OPERATOR_NAMESPACE)
    for name in NAMESPACES:
        create_namespace(world, name, LABEL)
    for repository in ("one", "two"):
        body = cluster_object(
            "ClusterArtifactIndex", f"many-{repository}", index_spec(repository), LABEL
        )
        world.plane.write("POST", INDEXES, body)
    body = cluster_object("ClusterIndexOptions", OUTPUT, options_spec(), LABEL)
    world.plane.write("POST", OPTIONS, body)
    # A cloud that answers late has entries written first at which builds stop.
    wait_until(partial(is_available, world, f"{OPTIONS}/{OUTPUT}"), "the tokens", PATIENCE)
    wait_written(world, len(NAMESPACES))
    return world


def index_spec(repository: str, **more: Any) -> dict[str, Any]:
    """A repository that the labelled namespaces may have."""
    return {
        "namespaces": {"selector": {"matchLabels": LABEL}},
        "name": f"team-{repository}",
        "codeArtifact": code_artifact("many-key", domain="many", repository=repository),
        **more,
    }


def options_spec(**more: Any) -> dict[str, Any]:
    """Both indexes for the labelled namespaces."""
    selector = {"matchLabels": LABEL}
    return {"namespaceSelector": selector, "indexSelector": selector, **more}


def create_namespace(world: World, name: str, labels: dict[str, str] | None = None) -> None:
    """Create a namespace with labels."""
    body = {"metadata": {"name": name, "labels": labels or {}}}
    world.plane.write("POST", "/api/v1/namespaces", body)


def label(world: World, name: str, value: str | None) -> None:
    """Set or remove the label of a namespace."""
    labels = dict.fromkeys(LABEL, value)
    world.plane.write("PATCH", f"/api/v1/namespaces/{name}", {"metadata": {"labels": labels}})


def token_in(world: World, namespace: str) -> str:
    """The token in a namespace's file, the same for both indexes; empty without a file."""
    indexes = world.indexes(namespace, OUTPUT)
    tokens = {table["url"].partition("aws:")[2].partition("@")[0] for table in indexes.values()}
    tokens.discard("")
    assert len(tokens) <= 1, "a torn file"
    return tokens.pop() if tokens else ""


def status_of(world: World, path: str = f"{OPTIONS}/{OUTPUT}") -> dict[str, Any]:
    """The status of an object of cluster scope."""
    found: dict[str, Any] = (world.plane.read(path) or {}).get("status", {})
    return found


def is_available(world: World, path: str) -> bool:
    """Whether an object of cluster scope is Ready as Available."""
    return condition_in({"status": status_of(world, path)}).get("reason") == "Available"


def wait_written(world: World, count: int, failing: int = 0) -> None:
    """Wait until the status counts so many namespaces."""
    wanted = {"selected": count + failing, "written": count, "failing": failing}

    def reached() -> bool:
        return status_of(world).get("namespaces") == wanted

    try:
        wait_until(reached, f"{count} written namespaces", PATIENCE)
    except TimeoutError as error:
        error.add_note(str(status_of(world)))
        raise


def own_writes(world: World, mark: int) -> list[AuditEvent]:
    """What the operator wrote after a mark of the audit log, but for what other tests have left.

    Their objects have logins of their own. Events of what has no namespace are in `default`.
    """
    own = {"", "default", OPERATOR_NAMESPACE, *NAMESPACES}
    return [each for each in world.operator_writes(mark) if each.namespace in own]


def writes_of(world: World, mark: int) -> Counter[tuple[str, str]]:
    """What the operator wrote after a mark of the audit log, but for the status of its Lease."""
    return Counter((each.verb, each.resource) for each in own_writes(world, mark))


def test_all_namespaces_get_one_file_by_one_mint(many: World) -> None:
    tokens = {token_in(many, name) for name in NAMESPACES}
    assert len(tokens) == 1 and "" not in tokens
    assert many.aws.mints("GetAuthorizationToken", principal=PRINCIPAL) == 1
    secret = many.get("secret", NAMESPACES[0], OUTPUT)
    assert secret is not None
    (owner,) = secret["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == (
        "ClusterIndexOptions", OUTPUT, True,
    )  # fmt: skip
    assert condition_in({"status": status_of(many)})["reason"] == "Available"
    for name in ("many-one", "many-two"):
        wait_until(partial(is_available, many, f"{INDEXES}/{name}"), name, PATIENCE)


def test_a_label_that_goes_takes_the_secret_and_one_that_comes_brings_it(many: World) -> None:
    label(many, "many-1", None)
    wait_until(lambda: many.get("secret", "many-1", OUTPUT) is None, "no Secret", PATIENCE)
    wait_written(many, len(NAMESPACES) - 1)
    label(many, "many-1", "yes")
    wait_until(lambda: token_in(many, "many-1") != "", "the Secret again", PATIENCE)
    wait_written(many, len(NAMESPACES))
    assert many.aws.mints("GetAuthorizationToken", principal=PRINCIPAL) == 1


def test_a_deleted_namespace_is_left_alone_and_a_new_one_gets_its_secret_in_a_second(
    many: World, operator: OperatorProcess
) -> None:
    mark = many.plane.audit_mark()
    many.plane.write("DELETE", "/api/v1/namespaces/many-2")
    wait_until(
        lambda: many.plane.read("/api/v1/namespaces/many-2") is None, "no namespace", PATIENCE
    )
    wait_written(many, len(NAMESPACES) - 1)
    refused = [each for each in own_writes(many, mark) if each.code >= 400]
    assert not refused
    begun = time.monotonic()
    create_namespace(many, "many-2", LABEL)
    wait_until(lambda: token_in(many, "many-2") != "", "the Secret", PATIENCE)
    took = time.monotonic() - begun
    assert took < 5, f"{took:.1f} s; promised is one second where nothing else is slow"
    wait_written(many, len(NAMESPACES))


def test_drift_and_deletion_of_one_output_are_repaired_alone(many: World) -> None:
    whole = token_in(many, "many-3")
    edited = {"data": {"uv.toml": base64.b64encode(b"index = []\n").decode()}}
    mark = many.plane.audit_mark()
    many.patch("secret", "many-3", OUTPUT, edited)
    wait_until(lambda: token_in(many, "many-3") == whole, "the repair", PATIENCE)
    many.delete("secret", "many-4", OUTPUT)
    wait_until(lambda: token_in(many, "many-4") == whole, "the new Secret", PATIENCE)
    assert writes_of(many, mark) == {("patch", "secrets"): 1, ("create", "secrets"): 1}


def test_a_tenant_adds_to_a_cluster_index_and_takes_neither_its_name_nor_an_output(
    many: World,
) -> None:
    own = {"anonymous": {"url": "https://tenant.example/simple/"}}
    many.apply(
        artifact_index("mine", name="mine", **own),
        artifact_index("usurper", name="team-one", **own),
        namespace="many-5",
    )
    taking = index_options(
        "own",
        clusterIndexSelector={"matchLabels": LABEL},
        outputs=[{"kind": "Secret", "name": "own"}],
    )
    clashing = index_options("clash", outputs=[{"kind": "Secret", "name": OUTPUT}])
    many.apply(taking, clashing, namespace="many-5")
    many.wait_condition("artifactindex", "many-5", "usurper", reason="NameConflict")
    many.wait_condition("indexoptions", "many-5", "clash", reason="TargetNotOwned")

    indexes = many.indexes("many-5", "own")
    assert {"team-one", "team-two", "mine"} <= indexes.keys()
    assert token_in(many, "many-5") in indexes["team-one"]["url"]
    blocked = [table["url"] for table in indexes.values() if ".unavailable.invalid" in table["url"]]
    assert len(blocked) == 1  # the usurper stops builds, and is not left out
    assert many.aws.mints("GetAuthorizationToken", principal=PRINCIPAL) == 1


def test_a_foreign_secret_is_left_untouched_and_counted(many: World) -> None:
    create_namespace(many, "many-foreign")
    theirs = {"metadata": {"name": OUTPUT}, "stringData": {"theirs": "untouched"}}
    many.plane.write("POST", "/api/v1/namespaces/many-foreign/secrets", theirs)
    label(many, "many-foreign", "yes")
    wait_written(many, len(NAMESPACES), failing=1)
    (failing,) = status_of(many)["failingNamespaces"]
    assert (failing["namespace"], failing["reason"]) == ("many-foreign", "TargetNotOwned")
    foreign = many.get("secret", "many-foreign", OUTPUT)
    assert foreign is not None and list(foreign["data"]) == ["theirs"]
    label(many, "many-foreign", None)
    wait_written(many, len(NAMESPACES))


def test_an_index_for_which_only_a_foreign_secret_is_there_is_not_available(many: World) -> None:
    create_namespace(many, "many-taken", LABEL)
    theirs = {"metadata": {"name": OUTPUT}, "stringData": {"theirs": "untouched"}}
    many.plane.write("POST", "/api/v1/namespaces/many-taken/secrets", theirs)
    spec = {
        "namespaces": {"names": ["many-taken"]},
        "name": "taken",
        "anonymous": {"url": "https://taken.example/simple/"},
    }
    path = f"{INDEXES}/many-taken"
    body = cluster_object("ClusterArtifactIndex", "many-taken", spec, LABEL)
    many.plane.write("POST", INDEXES, body)

    def ready() -> dict[str, Any]:
        return condition_in({"status": status_of(many, path)})

    wait_until(lambda: ready().get("reason") == "NotWritten", "NotWritten", PATIENCE)
    assert ready()["status"] == "False"
    assert f"ClusterIndexOptions '{OUTPUT}'" in ready()["message"]
    assert "in namespace 'many-taken': TargetNotOwned" in ready()["message"]
    many.plane.write("DELETE", f"/api/v1/namespaces/many-taken/secrets/{OUTPUT}")
    wait_until(partial(is_available, many, path), "the file", PATIENCE)
    label(many, "many-taken", None)
    wait_until(lambda: ready().get("reason") == "NotSelected", "NotSelected", PATIENCE)
    wait_written(many, len(NAMESPACES))


def test_a_restart_writes_and_mints_nothing(many: World, operator: OperatorProcess) -> None:
    operator.stop()
    mark = many.plane.audit_mark()
    operator.start()
    label(many, "many-6", None)  # the sign that it has looked at everything
    wait_until(lambda: many.get("secret", "many-6", OUTPUT) is None, "no Secret", PATIENCE)
    wait_written(many, len(NAMESPACES) - 1)
    assert writes_of(many, mark) == {
        ("delete", "secrets"): 1, ("patch", "clusterindexoptions.artifactindex.dev"): 1,
    }  # fmt: skip
    assert many.aws.mints("GetAuthorizationToken", principal=PRINCIPAL) == 1


def test_consent_withdrawn_and_the_owner_deleted_leave_nothing(many: World) -> None:
    for repository in ("one", "two"):
        spec = {"namespaces": {"selector": None, "names": ["many-0"]}}
        many.plane.write("PATCH", f"{INDEXES}/many-{repository}", {"spec": spec})
    wait_written(many, 1)
    # A tenant's own file may have taken the name meanwhile; it has no token.
    assert [name for name in NAMESPACES if token_in(many, name)] == ["many-0"]
    many.plane.write("DELETE", f"{OPTIONS}/{OUTPUT}")
    wait_until(lambda: many.get("secret", "many-0", OUTPUT) is None, "no Secret", PATIENCE)
