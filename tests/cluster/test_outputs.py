"""Outputs on a real API server: repaired, never taken from others, collected with their owner."""

from typing import Any

import pytest

from support.control_plane import wait_until
from support.operator_process import OperatorProcess
from support.world import PATIENCE, World, artifact_index, index_options

pytestmark = pytest.mark.cluster

ANNOTATION = "artifactindex.dev/"
LABEL = "artifactindex.dev/role"
KINDS = ("Secret", "ConfigMap")
LONGEST_RETRY = 150.0
"""Seconds. An object that is not ours is looked at again after up to two minutes."""


def serve(world: World, namespace: str, **spec: Any) -> None:
    """A namespace with one index and an IndexOptions `uv-config`."""
    world.namespace(namespace)
    world.apply(
        artifact_index("open", name="open", anonymous={"url": "http://127.0.0.1:9/simple/"}),
        index_options("uv-config", **spec),
        namespace=namespace,
    )


def both(name: str = "uv-config") -> dict[str, list[dict[str, str]]]:
    """`outputs` of a Secret and a ConfigMap of one name."""
    return {"outputs": [{"kind": kind, "name": name} for kind in KINDS]}


def available(world: World, namespace: str, name: str = "uv-config") -> dict[str, Any]:
    """Wait until the outputs are written."""
    return world.wait_condition("indexoptions", namespace, name, reason="Available")


def substance(found: dict[str, Any] | None) -> dict[str, Any]:
    """What of an output is the operator's: everything but what the API server counts."""
    assert found is not None
    metadata = found["metadata"]
    return {
        "data": found.get("data"),
        "type": found.get("type"),
        "labels": metadata.get("labels"),
        "annotations": metadata.get("annotations"),
        "owners": [item["uid"] for item in metadata.get("ownerReferences", [])],
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("slug", "edit"),
    [
        ("data", {"data": {"uv.toml": "YnJva2Vu"}}),
        ("stray-key", {"data": {"stray": "eA=="}}),
        ("lost-key", {"data": {"uv.toml": None}}),
        ("label", {"metadata": {"labels": {LABEL: None}}}),
        ("other-role", {"metadata": {"labels": {LABEL: "source"}}}),
        ("digest", {"metadata": {"annotations": {f"{ANNOTATION}content-digest": "x"}}}),
        ("owner-uid", {"metadata": {"annotations": {f"{ANNOTATION}owner-uid": None}}}),
        ("label-and-data", {"metadata": {"labels": {LABEL: None}}, "data": {"uv.toml": "eA=="}}),
    ],
)
def test_an_edited_output_is_repaired(
    world: World, operator: OperatorProcess, kind: str, slug: str, edit: dict[str, Any]
) -> None:
    namespace = f"edit-{kind.lower()}-{slug}"
    serve(world, namespace, **both())
    available(world, namespace)
    before = substance(world.get(kind, namespace, "uv-config"))

    world.patch(kind, namespace, "uv-config", edit)

    wait_until(
        lambda: substance(world.get(kind, namespace, "uv-config")) == before,
        f"{kind} to be repaired",
        PATIENCE,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_deleted_output_is_made_again(world: World, operator: OperatorProcess, kind: str) -> None:
    namespace = f"deleted-{kind.lower()}"
    serve(world, namespace, **both())
    available(world, namespace)
    before = world.get(kind, namespace, "uv-config")
    assert before is not None

    world.delete(kind, namespace, "uv-config")

    def there_again() -> bool:
        found = world.get(kind, namespace, "uv-config")
        return found is not None and found["metadata"]["uid"] != before["metadata"]["uid"]

    wait_until(there_again, f"{kind} to be made again", PATIENCE)
    assert substance(world.get(kind, namespace, "uv-config")) == substance(before)


def test_somebodys_own_labels_and_annotations_on_an_output_stay(
    world: World, operator: OperatorProcess
) -> None:
    namespace = "own-marks"
    serve(world, namespace)
    available(world, namespace)
    marks = {"labels": {"team": "a"}, "annotations": {"note": "b"}}
    world.patch("secret", namespace, "uv-config", {"metadata": marks})

    world.patch("indexoptions", namespace, "uv-config", {"spec": {"preferPrivate": False}})
    wait_until(
        lambda: not world.indexes(namespace, "uv-config")["pypi"].get("default"),
        "the edit to be written",
        PATIENCE,
    )

    metadata = (world.get("secret", namespace, "uv-config") or {})["metadata"]
    assert metadata["labels"]["team"] == "a"
    assert metadata["annotations"]["note"] == "b"


@pytest.mark.parametrize("kind", KINDS)
def test_a_foreign_object_of_that_name_stays_untouched_and_is_named(
    world: World, operator: OperatorProcess, kind: str
) -> None:
    namespace = world.namespace(f"foreign-{kind.lower()}")
    data = {"stringData" if kind == "Secret" else "data": {"uv.toml": "somebody's"}}
    world.apply(
        {"apiVersion": "v1", "kind": kind, "metadata": {"name": "uv-config"}, **data},
        namespace=namespace,
    )
    before = world.get(kind, namespace, "uv-config")
    world.apply(
        artifact_index("open", name="open", anonymous={"url": "http://127.0.0.1:9/simple/"}),
        index_options(
            "uv-config",
            outputs=[{"kind": kind, "name": "uv-config"}, {"kind": "Secret", "name": "beside"}],
        ),
        namespace=namespace,
    )

    ready = world.wait_condition("indexoptions", namespace, "uv-config", reason="TargetNotOwned")
    assert ready["status"] == "False"
    assert f"{kind} 'uv-config'" in ready["message"]
    assert "artifactindex.dev/adopt=uv-config" in ready["message"]
    stalled = world.condition("indexoptions", namespace, "uv-config", "Stalled")
    assert stalled["status"] == "True"
    assert world.get(kind, namespace, "uv-config") == before
    # The other output is served all the same.
    assert list(world.indexes(namespace, "beside")) == ["pypi", "open"]
    events = world.wait_events(namespace, ("uv-config", "TargetNotOwned"))
    assert events["uv-config", "TargetNotOwned"] == 1


def test_an_object_that_asks_for_it_is_adopted_with_its_uid(
    world: World, operator: OperatorProcess
) -> None:
    namespace = world.namespace("adopted")
    before = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "uv-config", "annotations": {f"{ANNOTATION}adopt": "uv-config"}},
        "stringData": {"uv.toml": "a CronJob's", "old": "x"},
    }
    world.apply(before, namespace=namespace)
    uid = (world.get("secret", namespace, "uv-config") or {})["metadata"]["uid"]
    world.apply(
        artifact_index("open", name="open", anonymous={"url": "http://127.0.0.1:9/simple/"}),
        index_options("uv-config"),
        namespace=namespace,
    )
    available(world, namespace)

    found = world.get("secret", namespace, "uv-config") or {}
    assert found["metadata"]["uid"] == uid
    assert list(found["data"]) == ["uv.toml"]
    assert list(world.indexes(namespace, "uv-config")) == ["pypi", "open"]
    assert found["metadata"]["ownerReferences"][0]["name"] == "uv-config"


def test_a_foreign_object_heals_when_it_goes_or_consents(
    world: World, operator: OperatorProcess
) -> None:
    """No watch shows objects without our label: they are looked at again, soon at first."""
    namespaces = [world.namespace(f"heals-{slug}") for slug in ("gone", "consents", "edited")]
    for namespace in namespaces:
        world.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "uv-config"}},
            artifact_index("open", name="open", anonymous={"url": "http://127.0.0.1:9/simple/"}),
            index_options("uv-config"),
            namespace=namespace,
        )
        world.wait_condition("indexoptions", namespace, "uv-config", reason="TargetNotOwned")
    gone, consents, edited = namespaces
    world.delete("secret", gone, "uv-config")
    consent = {"metadata": {"annotations": {f"{ANNOTATION}adopt": "uv-config"}}}
    world.patch("secret", consents, "uv-config", consent)
    # Whoever does not want to wait for that touches the IndexOptions.
    world.delete("secret", edited, "uv-config")
    world.patch("indexoptions", edited, "uv-config", {"spec": {"preferPrivate": False}})
    available(world, edited)
    for namespace in (gone, consents):
        world.wait_condition(
            "indexoptions", namespace, "uv-config", reason="Available", seconds=LONGEST_RETRY
        )
        assert list(world.indexes(namespace, "uv-config")) == ["pypi", "open"]
        events = world.wait_events(namespace, ("uv-config", "Available"))
        assert events["uv-config", "Available"] == 1


def test_an_output_of_one_is_not_given_to_another(world: World, operator: OperatorProcess) -> None:
    namespace = "two-owners"
    serve(world, namespace)
    available(world, namespace)
    before = world.get("secret", namespace, "uv-config")
    world.apply(
        index_options("second", outputs=[{"kind": "Secret", "name": "uv-config"}]),
        namespace=namespace,
    )

    ready = world.wait_condition("indexoptions", namespace, "second", reason="TargetNotOwned")
    assert "IndexOptions 'uv-config'" in ready["message"]
    assert world.get("secret", namespace, "uv-config") == before
    # The first one lets go of it, and the second takes the name.
    world.delete("indexoptions", namespace, "uv-config")
    world.wait_condition(
        "indexoptions", namespace, "second", reason="Available", seconds=LONGEST_RETRY
    )
    owner = (world.get("secret", namespace, "uv-config") or {})["metadata"]["ownerReferences"][0]
    assert owner["name"] == "second"


def test_the_outputs_of_a_deleted_index_options_are_collected(
    world: World, operator: OperatorProcess
) -> None:
    namespace = "collected"
    serve(world, namespace, **both())
    available(world, namespace)

    world.delete("indexoptions", namespace, "uv-config")

    for kind in KINDS:
        wait_until(
            lambda kind=kind: world.get(kind, namespace, "uv-config") is None,  # type: ignore[misc]
            f"{kind} to be collected", PATIENCE,
        )  # fmt: skip
    world.wait_condition("artifactindex", namespace, "open", reason="NotSelected")


def test_retained_outputs_stay_and_are_taken_over_by_the_next_of_that_name(
    world: World, operator: OperatorProcess
) -> None:
    namespace = "retained"
    serve(world, namespace, deletionPolicy="Retain", **both())
    available(world, namespace)
    before = {kind: world.get(kind, namespace, "uv-config") for kind in KINDS}
    assert all("ownerReferences" not in item["metadata"] for item in before.values() if item)

    world.delete("indexoptions", namespace, "uv-config")
    world.wait_condition("artifactindex", namespace, "open", reason="NotSelected")
    # Something that is collected proves that the collector has been by.
    serve_and_delete(world, namespace, "witness")
    assert {kind: world.get(kind, namespace, "uv-config") for kind in KINDS} == before

    world.apply(index_options("uv-config", **both()), namespace=namespace)
    available(world, namespace)
    for kind in KINDS:
        old, new = before[kind] or {}, world.get(kind, namespace, "uv-config") or {}
        assert new["metadata"]["uid"] == old["metadata"]["uid"]
        assert new["metadata"]["ownerReferences"][0]["name"] == "uv-config"


def serve_and_delete(world: World, namespace: str, name: str) -> None:
    """An IndexOptions that comes and goes, with its output."""
    world.apply(index_options(name), namespace=namespace)
    available(world, namespace, name)
    world.delete("indexoptions", namespace, name)
    wait_until(lambda: world.get("secret", namespace, name) is None, f"{name} to go", PATIENCE)


@pytest.mark.parametrize("policy", ["Delete", "Retain"])
def test_an_output_that_left_the_spec_goes_after_the_new_one_is_there(
    world: World, operator: OperatorProcess, policy: str
) -> None:
    namespace = f"left-spec-{policy.lower()}"
    serve(world, namespace, deletionPolicy=policy, **both("old"))
    available(world, namespace)
    mark = world.plane.audit_mark()

    world.patch("indexoptions", namespace, "uv-config", {"spec": both("new")})
    available(world, namespace)

    for kind in KINDS:
        assert substance(world.get(kind, namespace, "new"))["data"]
    if policy == "Delete":
        for kind in KINDS:
            assert world.get(kind, namespace, "old") is None
    else:
        for kind in KINDS:
            released = (world.get(kind, namespace, "old") or {})["metadata"]
            assert "labels" not in released
            assert "annotations" not in released

    def written() -> list[tuple[str, str]]:
        return [
            (write.verb, write.name)
            for write in world.operator_writes(mark)
            if write.namespace == namespace and write.resource in ("secrets", "configmaps")
        ]

    wait_until(lambda: len(written()) >= 4, "the audit log", PATIENCE)
    leaving = "delete" if policy == "Delete" else "patch"
    assert written() == [("create", "new")] * 2 + [(leaving, "old")] * 2


def test_an_index_options_deleted_and_made_again_under_its_name_ends_well(
    world: World, operator: OperatorProcess
) -> None:
    namespace = "made-again"
    serve(world, namespace, **both())
    available(world, namespace)

    for number in range(3):
        world.delete("indexoptions", namespace, "uv-config")
        world.apply(
            index_options("uv-config", preferPrivate=bool(number % 2), **both()),
            namespace=namespace,
        )
    options = world.get("indexoptions", namespace, "uv-config") or {}

    def settled() -> bool:
        for kind in KINDS:
            found = world.get(kind, namespace, "uv-config")
            if found is None or found["metadata"].get("deletionTimestamp"):
                return False
            owners = [reference["uid"] for reference in found["metadata"]["ownerReferences"]]
            if owners != [options["metadata"]["uid"]]:
                return False
        ready = world.condition("indexoptions", namespace, "uv-config")
        return ready.get("reason") == "Available"

    wait_until(settled, "the outputs to belong to the last one", LONGEST_RETRY)
    assert "default" not in world.indexes(namespace, "uv-config")["pypi"]


def test_a_suspended_index_options_is_neither_written_nor_repaired(
    world: World, operator: OperatorProcess
) -> None:
    namespace = "suspended"
    serve(world, namespace)
    available(world, namespace)
    world.patch("indexoptions", namespace, "uv-config", {"spec": {"suspend": True}})
    ready = world.wait_condition("indexoptions", namespace, "uv-config", reason="Suspended")
    assert ready["status"] == "True"
    world.wait_condition("artifactindex", namespace, "open", reason="NotSelected")

    world.patch("secret", namespace, "uv-config", {"data": {"uv.toml": "eA=="}})
    # A neighbour that is served afterwards shows that this edit has been seen.
    world.apply(index_options("witness"), namespace=namespace)
    available(world, namespace, "witness")
    assert world.uv_toml(namespace, "uv-config") == "x"

    world.patch("indexoptions", namespace, "uv-config", {"spec": {"suspend": False}})
    world.wait_served(namespace, "uv-config", 'name = "open"')
