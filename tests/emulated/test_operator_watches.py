"""Watches that break, end or say nothing: what the operator still learns, and by which way.

Two running operators, each with its own API server: one that lists again after an hour only, so
that what it learns comes from its watches, and one that lists every second.
"""

from collections.abc import Iterator

import pytest

from support.control_plane import wait_until
from support.emulated_world import OURS, EmulatedWorld, anonymous, emulated_world
from support.operator_process import OperatorProcess
from support.world import PATIENCE, artifact_index, index_options, secret

pytestmark = pytest.mark.emulated

RELIST = 1.0
WATCHED = ("artifactindexes", "indexoptions", "secrets", "configmaps")


@pytest.fixture(scope="module")
def watching() -> Iterator[EmulatedWorld]:
    """An operator that has listed everything twice and will not again for an hour."""
    with emulated_world() as world, world.operator("--relist-interval=1h"):
        world.wait_second_listing()
        yield world


@pytest.fixture(scope="module")
def listing() -> Iterator[tuple[EmulatedWorld, OperatorProcess]]:
    """An operator that lists everything every second."""
    with emulated_world() as world, world.operator(f"--relist-interval={RELIST}s") as operator:
        world.wait_second_listing()
        yield world, operator


def served_with(world: EmulatedWorld, namespace: str, *names: str) -> None:
    objects = [artifact_index(name, **anonymous(name)) for name in names]
    world.add(namespace, *objects, index_options("uv-config"))
    world.wait_served(namespace, *names)


def wait_watched(world: EmulatedWorld, count: int = 1) -> None:
    def all_watched() -> bool:
        return all(len(world.emulator.watches(kind)) == count for kind in WATCHED)

    wait_until(all_watched, "a watch of each kind", PATIENCE)


@pytest.mark.parametrize("how", ["drop_watches", "expire_watches", "reset"])
def test_a_broken_watch_is_resumed_without_losing_a_change(
    how: str, watching: EmulatedWorld
) -> None:
    namespace = f"broken-{how.replace('_', '-')}"
    served_with(watching, namespace, "first", "second")
    wait_watched(watching)
    listings = watching.listings()

    if how == "reset":
        watching.emulator.fail("watch", "artifactindexes", outcome="reset", count=2)
        watching.emulator.drop_watches()
    else:
        getattr(watching.emulator, how)()
    watching.add(namespace, artifact_index("third", **anonymous("third")))
    watching.emulator.delete("artifactindexes", namespace, "first")

    watching.wait_served(namespace, "second", "third")
    if how != "expire_watches":
        assert watching.listings() == listings
        return
    # What vanished meanwhile is looked for, and that is over before the next test counts.
    wait_until(lambda: watching.listings() > listings, "a listing", PATIENCE)


def test_an_api_server_that_went_away_is_found_again(watching: EmulatedWorld) -> None:
    served_with(watching, "away", "first", "second")
    wait_watched(watching)
    listings = watching.listings()

    refused = len(watching.emulator.requests)
    watching.emulator.stop()
    watching.add("away", artifact_index("third", **anonymous("third")))
    watching.emulator.delete("artifactindexes", "away", "first")
    watching.emulator.start()

    watching.wait_served("away", "second", "third")
    assert watching.listings() == listings
    assert len(watching.emulator.requests) - refused < 60


def test_a_change_between_the_first_listing_and_the_watches_waits_for_no_relist() -> None:
    with emulated_world() as world:
        # ConfigMaps are listed last: the indexes have been listed when theirs is asked for.
        world.emulator.delay(1.0, verb="list", kind="configmaps")
        operator = world.operator("--relist-interval=1h")
        operator.start(wait=False)
        try:
            requests = world.emulator.requests
            wait_until(lambda: requests.count("list", "configmaps") > 0, "the listing", PATIENCE)
            served_with(world, "early", "first")
            assert world.listings() == 1
        finally:
            operator.stop()


def test_what_vanished_before_a_watch_began_anew_is_found_soon_after(
    watching: EmulatedWorld,
) -> None:
    served_with(watching, "gap", "first", "second")
    wait_watched(watching)
    watching.settle()
    listings = watching.listings()

    with watching.emulator.disconnected("artifactindexes"):
        watching.emulator.delete("artifactindexes", "gap", "first")
    watching.wait_served("gap", "second")

    # One listing for the gap, and none after it: the next regular one is an hour away.
    assert watching.listings() == listings + 1
    watching.settle(quiet=2.5)
    assert watching.listings() == listings + 1


def test_deletions_while_the_watch_was_away_are_found_by_the_next_listing(
    listing: tuple[EmulatedWorld, OperatorProcess],
) -> None:
    world, _ = listing
    served_with(world, "unseen", "first", "second")
    wait_watched(world)

    with world.emulator.disconnected("artifactindexes"):
        world.emulator.delete("artifactindexes", "unseen", "first")
        world.wait_served("unseen", "second")
    wait_watched(world)
    world.add("unseen", artifact_index("third", **anonymous("third")))
    world.wait_served("unseen", "second", "third")


def test_a_deleted_output_owner_that_nobody_saw_go_is_not_written_again(
    listing: tuple[EmulatedWorld, OperatorProcess],
) -> None:
    world, _ = listing
    served_with(world, "ownerless", "first")
    wait_watched(world)

    with world.emulator.disconnected("indexoptions"):
        world.emulator.delete("indexoptions", "ownerless", "uv-config")
        wait_until(
            lambda: world.emulator.find("secrets", "ownerless", "uv-config") is None,
            "the garbage collector",
            PATIENCE,
        )
        listings = world.listings()
        wait_until(lambda: world.listings() >= listings + 2, "two listings", PATIENCE)
    world.settle()
    world.emulator.requests.clear()
    listings = world.listings()
    wait_until(lambda: world.listings() >= listings + 2, "two listings", PATIENCE)
    assert world.emulator.requests.writes() == []
    assert world.emulator.find("secrets", "ownerless", "uv-config") is None


def test_an_output_is_not_written_again_for_an_owner_that_went_unseen(
    watching: EmulatedWorld,
) -> None:
    served_with(watching, "collected", "first")
    wait_watched(watching)
    watching.settle()
    watching.emulator.requests.clear()

    watching.emulator.silence_watches("indexoptions")
    watching.emulator.delete("indexoptions", "collected", "uv-config")
    # The collector's deletion of the output is seen, and makes the operator look.
    wait_until(
        lambda: watching.emulator.requests.count("get", "indexoptions") >= 1, "a look", PATIENCE
    )
    watching.wait_reason("artifactindexes", "collected", "first", "NotSelected")
    watching.settle()
    assert watching.emulator.requests.count("create", "secrets") == 0

    watching.emulator.clear_faults()
    watching.emulator.drop_watches("indexoptions")
    wait_watched(watching)


def test_a_deleted_output_is_written_again(watching: EmulatedWorld) -> None:
    served_with(watching, "deleted", "first")
    wait_watched(watching)
    for _ in range(2):
        watching.emulator.delete("secrets", "deleted", "uv-config")
        watching.wait_served("deleted", "first")


def test_changes_behind_a_silent_watch_are_found_by_the_next_listing(
    listing: tuple[EmulatedWorld, OperatorProcess],
) -> None:
    world, _ = listing
    served_with(world, "silent", "first", "second")
    wait_watched(world)

    for kind in WATCHED:
        world.emulator.silence_watches(kind)
    world.add("silent", artifact_index("third", **anonymous("third")))
    world.emulator.delete("artifactindexes", "silent", "first")
    world.wait_served("silent", "second", "third")
    world.wait_reason("artifactindexes", "silent", "third", "Available")

    world.emulator.clear_faults()
    world.emulator.drop_watches()
    wait_watched(world)


def test_a_source_secret_that_loses_its_label_goes_on_being_used(
    watching: EmulatedWorld,
) -> None:
    namespace = "unlabelled"
    basic = {"url": "https://basic.example/simple/", "secretRef": {"name": "login"}}
    watching.add(
        namespace,
        secret("login", {"username": "u", "password": "first"}),
        artifact_index("basic", name="basic", basicAuth=basic),
        index_options("uv-config"),
    )
    watching.wait_served(namespace, "basic")
    assert ":first@" in watching.served(namespace)["basic"]["url"]
    watching.settle()
    watching.emulator.requests.clear()

    label = {"metadata": {"labels": {"artifactindex.dev/role": None}}}
    watching.emulator.patch("secrets", namespace, "login", label)
    # Read by name now, of which the index tells once; no output is written.
    wait_until(lambda: watching.emulator.requests.count("get", "secrets") >= 1, "a read", PATIENCE)
    wait_until(lambda: watching.emulator.requests.writes() != [], "the status", PATIENCE)
    watching.settle()
    (told,) = watching.emulator.requests.writes()
    assert (told.verb, told.resource, told.subresource) == ("patch", "artifactindexes", "status")
    assert "kubectl -n unlabelled label secret login artifactindex.dev/role=source" in str(told)
    assert ":first@" in watching.served(namespace)["basic"]["url"]

    back = {
        "metadata": {"labels": {"artifactindex.dev/role": "source"}},
        "stringData": {"password": "second"},
    }
    watching.emulator.patch("secrets", namespace, "login", back)
    wait_until(
        lambda: ":second@" in watching.served(namespace)["basic"]["url"],
        "the new password",
        PATIENCE,
    )
    assert watching.emulator.requests.count("get", "secrets") == 1


def test_an_output_that_loses_its_label_is_labelled_again(watching: EmulatedWorld) -> None:
    served_with(watching, "strip", "first")
    label = {"metadata": {"labels": {"artifactindex.dev/role": None}}}
    watching.emulator.patch("secrets", "strip", "uv-config", label)

    def labelled() -> bool:
        body = watching.emulator.get("secrets", "strip", "uv-config")
        return bool((body["metadata"].get("labels") or {}).get("artifactindex.dev/role"))

    wait_until(labelled, "the label", PATIENCE)


@pytest.mark.parametrize(
    "metadata",
    [
        {"annotations": {"kopf.zalando.org/last-handled-configuration": "{"}},
        {"annotations": {"kopf.zalando.org/touch-dummy": "x", "kopf.dev/kopf-managed": "no"}},
        {"finalizers": ["artifactindex.dev/unused", "kopf.zalando.org/KopfFinalizerMarker"]},
    ],
    ids=["last-state", "progress", "finalizers"],
)
def test_traces_of_the_framework_on_an_object_neither_blind_nor_move_the_operator(
    metadata: dict[str, object], watching: EmulatedWorld, request: pytest.FixtureRequest
) -> None:
    namespace = f"traces-{request.node.callspec.id}"
    served_with(watching, namespace, "first")
    wait_watched(watching)
    watching.emulator.patch("artifactindexes", namespace, "first", {"metadata": metadata})
    watching.settle()
    watching.emulator.requests.clear()

    renamed = {"spec": {"name": "renamed"}}
    watching.emulator.patch("artifactindexes", namespace, "first", renamed)

    watching.wait_served(namespace, "renamed")
    watching.settle()
    assert {
        entry.user_agent.partition("/")[0] for entry in watching.emulator.requests.writes()
    } == {OURS}
    assert watching.listings() == 0
