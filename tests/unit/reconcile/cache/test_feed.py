"""Watch events and list items take the same way into the cache."""

from typing import Any

import pytest

from artifact_index.api.constants import ROLE_LABEL
from artifact_index.kube.port import Object
from artifact_index.reconcile.cache.cache import Cache, Key, index_key, options_key
from artifact_index.reconcile.cache.feed import Feed
from artifact_index.reconcile.cache.objects import ObjectRef, OutputRef, parse_output
from support.reconcile_builders import DIGESTER, NAMESPACE, body_of, index, secret_body, source

pytestmark = pytest.mark.unit

REF = ObjectRef(NAMESPACE, "a")
DELETED = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
WAYS = ["watched", "listed"]


class Scene:
    """A feed into an empty cache, and what it has reported."""

    def __init__(self) -> None:
        self.cache = Cache()
        self.forgotten: list[ObjectRef] = []
        self.enqueued: set[Key] = set()
        self.edited: set[Key] = set()
        self.feed = Feed(
            cache=self.cache,
            forget_polled=self.forgotten.append,
            digester=DIGESTER,
            enqueue=self.enqueued.update,
            status_edited=self.edited.update,
        )
        self.cache.put_index(index("reader", source("basicAuth")))

    def show(self, way: str, plural: str, body: Object) -> set[Key]:
        """Show an object by a watch event or by a list; the keys that this concerns."""
        if way == "listed":
            return self.feed.listed(plural, body)[1]
        self.enqueued.clear()
        self.feed.watched(plural, "MODIFIED", body)
        return set(self.enqueued)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def secret(role: str, version: int, **metadata: Any) -> Object:
    body = secret_body("basic", {"username": "u"}, labels={ROLE_LABEL: role}, version=version)
    body["metadata"] |= metadata
    return body


BASIC = ObjectRef(NAMESPACE, "basic")
OUTPUT = OutputRef("Secret", *BASIC)


@pytest.mark.parametrize("way", WAYS)
def test_each_kind_enters_and_leaves(scene: Scene, way: str) -> None:
    for plural, key in (("artifactindexes", index_key(REF)), ("indexoptions", options_key(REF))):
        body = body_of("a", source("anonymous") if plural == "artifactindexes" else {}, version=5)
        assert scene.show(way, plural, body) >= {key}
        assert scene.show(way, plural, body) == set()
        terminating = {**body, "metadata": {**body["metadata"], **DELETED, "resourceVersion": "6"}}
        assert scene.show(way, plural, terminating) >= {key}
        assert REF not in set(scene.cache.indexes) | set(scene.cache.options)


def test_it_holds_a_version_that_the_cache_has_and_neither_a_newer_one_nor_a_deletion(
    scene: Scene,
) -> None:
    assert not scene.feed.take_echo("indexoptions", body_of("a", {}, version=5))
    scene.show("watched", "indexoptions", body_of("a", {}, version=5))
    written = body_of("a", {}, version=6)
    assert not scene.feed.take_echo("indexoptions", written)
    scene.show("watched", "indexoptions", written)
    assert scene.feed.take_echo("indexoptions", written)
    assert scene.feed.take_echo("indexoptions", body_of("a", {}, version=5))
    assert not scene.feed.take_echo("artifactindexes", written)
    terminating = {**written, "metadata": {**written["metadata"], **DELETED}}
    assert not scene.feed.take_echo("indexoptions", terminating)


def test_what_it_holds_is_not_swept_away_by_a_list_that_began_before(scene: Scene) -> None:
    body = body_of("a", {}, version=5)
    scene.show("watched", "indexoptions", body)
    scene.feed.begin_sweep("indexoptions")
    assert scene.feed.take_echo("indexoptions", body)
    assert scene.feed.end_sweep("indexoptions", set()) == set()
    assert REF in set(scene.cache.options)


def test_it_holds_a_secret_in_the_role_that_its_label_says(scene: Scene) -> None:
    scene.show("watched", "secrets", secret("output", 5))
    assert scene.feed.take_echo("secrets", secret("output", 5))
    assert not scene.feed.take_echo("secrets", secret("source", 5))


def test_it_does_not_hold_a_source_that_a_write_made_an_output(scene: Scene) -> None:
    scene.show("watched", "secrets", secret("source", 5))
    adopted = secret("output", 6)
    scene.cache.put_output(parse_output("Secret", adopted, DIGESTER))
    assert not scene.feed.take_echo("secrets", adopted)
    users = {index_key(ObjectRef(NAMESPACE, "reader"))}
    assert scene.show("watched", "secrets", adopted) == users
    assert scene.cache.sources.get(BASIC) is None
    assert scene.feed.take_echo("secrets", adopted)


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_may_change_from_a_source_to_an_output_and_back(scene: Scene, way: str) -> None:
    users = {index_key(ObjectRef(NAMESPACE, "reader"))}
    assert scene.show(way, "secrets", secret("source", 5)) == users
    assert scene.cache.sources.get(BASIC) is not None
    assert scene.show(way, "secrets", secret("output", 6)) == users
    assert scene.cache.sources.get(BASIC) is None
    assert scene.cache.outputs.get(OUTPUT) is not None
    assert scene.show(way, "secrets", secret("source", 7)) == users
    assert scene.cache.outputs.get(OUTPUT) is None


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_that_comes_into_the_watch_has_no_polled_copy(scene: Scene, way: str) -> None:
    scene.show(way, "secrets", secret("source", 5))
    assert BASIC in scene.forgotten
    scene.forgotten.clear()
    scene.show(way, "secrets", secret("source", 6, **DELETED))
    assert BASIC in scene.forgotten


@pytest.mark.parametrize("late", [secret("output", 6), secret("source", 6, **DELETED)])
def test_a_page_that_is_older_than_an_event_changes_nothing(scene: Scene, late: Object) -> None:
    scene.show("watched", "secrets", secret("source", 7))
    assert scene.feed.listed("secrets", late) == (BASIC, set(), None)
    kept = scene.cache.sources.get(BASIC)
    assert kept is not None and kept.resource_version == 7
    assert scene.cache.outputs.get(OUTPUT) is None


def test_a_sweep_of_one_kind_of_output_spares_the_other(scene: Scene) -> None:
    scene.show("watched", "secrets", secret("output", 5))
    config_map = secret_body("basic", {}, labels={ROLE_LABEL: "output"}, version=6)
    scene.show("watched", "configmaps", config_map)
    for plural, left in (("configmaps", {OUTPUT}), ("secrets", set[OutputRef]())):
        scene.feed.begin_sweep(plural)
        scene.feed.end_sweep(plural, set())
        assert set(scene.cache.outputs) == left


def test_a_sweep_spares_what_an_event_has_named_meanwhile(scene: Scene) -> None:
    scene.show("watched", "secrets", secret("source", 5))
    scene.feed.begin_sweep("secrets")
    scene.show("watched", "secrets", secret("source", 5))
    assert scene.feed.end_sweep("secrets", set()) == set()
    assert scene.cache.sources.get(BASIC) is not None


@pytest.mark.parametrize("way", WAYS)
def test_an_object_that_cannot_be_read_stays_as_it_was_and_stops_no_other(
    scene: Scene, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    scene.show(way, "secrets", secret("source", 5))
    unreadable = secret("source", 6)
    unreadable["data"] = {"username": ["canary-3f7a"]}  # the API server admits no such object
    assert scene.show(way, "secrets", unreadable) == set()
    kept = scene.cache.sources.get(BASIC)
    assert kept is not None and kept.resource_version == 5
    assert "secrets builders/basic cannot be read" in caplog.text
    assert "canary-3f7a" not in caplog.text
    assert scene.show(way, "secrets", secret("source", 7)) != set()


def test_every_object_that_a_listing_brings_is_handed_on_once(scene: Scene) -> None:
    body = body_of("a", {}, version=5)
    seen = [scene.feed.listed("indexoptions", body)[2] for _ in range(2)]
    assert seen == [scene.cache.options.get(REF), None]


def test_a_listing_after_a_restored_backup_is_believed(scene: Scene) -> None:
    """The backup numbers another spec of the same object with the same generation."""
    urls = {5: "https://old.example/", 9: "https://new.example/"}
    bodies = {
        version: body_of("a", source("anonymous", url=url), version=version, generation=2)
        for version, url in urls.items()
    }
    scene.show("watched", "artifactindexes", bodies[9])
    scene.show("watched", "secrets", secret("source", 9))
    for plural in ("artifactindexes", "secrets"):
        scene.feed.begin_sweep(plural)
    assert index_key(REF) in scene.show("listed", "artifactindexes", bodies[5])
    assert scene.show("listed", "secrets", secret("output", 5))
    index = scene.cache.indexes.get(REF)
    assert index is not None and index.spec is not None and index.resource_version == 5
    assert index.spec.anonymous is not None and index.spec.anonymous.url == urls[5]
    assert scene.cache.sources.get(BASIC) is None and scene.cache.outputs.get(OUTPUT) is not None
