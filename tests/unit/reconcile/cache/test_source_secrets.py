"""Of a source Secret only named keys are kept, up to a bound for each namespace."""

import random
from collections.abc import Iterator

import pytest

from artifact_index.api.constants import ROLE_LABEL
from artifact_index.reconcile.cache.cache import Cache
from artifact_index.reconcile.cache.feed import Feed
from artifact_index.reconcile.cache.objects import ObjectRef
from artifact_index.reconcile.cache.sources import secrets as source_secrets
from artifact_index.reconcile.cache.sources.reading import SourceCache
from artifact_index.sources.base import SourceSecret
from support.memory_port import MemoryPort
from support.reconcile_builders import DIGESTER, NAMESPACE, index, secret_body, source

pytestmark = pytest.mark.unit

BASIC = ObjectRef(NAMESPACE, "basic")
LABELLED = {ROLE_LABEL: "source"}


class Scene:
    """Source Secrets on an API server, a cache that is fed with them, and a reader."""

    def __init__(self) -> None:
        self.port, self.cache = MemoryPort(), Cache()
        self.sources = SourceCache(
            api=self.port,
            cache=self.cache,
            reread=300,
            on_change=lambda _: None,
            rng=random.Random(1),
        )
        self.feed = Feed(self.cache, self.sources.forget, DIGESTER, lambda _: None, lambda *_: None)
        self.reads = 0
        self.port.refuse = self._count

    def _count(self, verb: str, _plural: str, _name: str) -> None:
        self.reads += verb == "get"

    def add_index(self, name: str, key: str, secret: str = "basic") -> None:
        spec = source("basicAuth", username="u", secretRef={"name": secret, "passwordKey": key})
        old = self.cache.indexes.get(ObjectRef(NAMESPACE, name))
        self.cache.put_index(index(name, spec, generation=old.generation + 1 if old else 1))

    def drop_index(self, name: str) -> None:
        self.cache.drop_index(ObjectRef(NAMESPACE, name))

    def show_secret(self, name: str = "basic", *, labelled: bool = True, **values: str) -> None:
        labels = LABELLED if labelled else {}
        body = self.port.put("secrets", secret_body(name, values, labels=labels))
        if labelled:
            self.feed.watched("secrets", "MODIFIED", body)

    def kept(self, name: str = "basic") -> set[str]:
        secret = self.cache.sources.get(ObjectRef(NAMESPACE, name))
        assert secret is not None
        return set(secret.values)

    async def read(self, *keys: str, name: str = "basic", again: bool = False) -> dict[str, str]:
        secret = await self.sources.read(ObjectRef(NAMESPACE, name), keys, again=again)
        assert isinstance(secret, SourceSecret) and secret.knows(keys)
        return {key: secret.values[key].get_secret_value() for key in keys if key in secret.values}


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A scene whose namespaces may keep 100 characters."""
    monkeypatch.setattr(source_secrets.ValueBudget.__init__, "__defaults__", (100,))
    yield Scene()


def test_a_secret_that_nobody_names_keeps_no_value(scene: Scene) -> None:
    scene.show_secret(a="1", b="2")
    assert scene.kept() == set()


def test_of_a_named_secret_only_the_named_keys_are_kept(scene: Scene) -> None:
    scene.add_index("one", "a")
    scene.add_index("two", "b")
    scene.show_secret(a="1", b="2", c="3" * 1000)
    assert scene.kept() == {"a", "b"}


def test_a_key_that_nobody_names_any_more_is_forgotten(scene: Scene) -> None:
    scene.add_index("one", "a")
    scene.add_index("two", "a")
    scene.show_secret(a="1", b="2")
    scene.drop_index("one")
    assert scene.kept() == {"a"}
    scene.add_index("two", "b")
    assert scene.kept() == set()
    scene.show_secret(a="1", b="2")
    assert scene.kept() == {"b"}
    scene.drop_index("two")
    assert scene.kept() == set()


async def test_a_key_is_read_at_once_when_it_becomes_named(scene: Scene) -> None:
    scene.show_secret(a="1", b="2")
    scene.add_index("one", "a")
    assert await scene.read("a") == {"a": "1"}
    scene.add_index("two", "b")
    assert await scene.read("b") == {"b": "2"}
    # From then on the watch keeps both, so that nothing is polled.
    reads = scene.reads
    assert reads == 2 and scene.kept() == {"a", "b"}
    scene.show_secret(a="3", b="4")
    assert await scene.read("a") | await scene.read("b") == {"a": "3", "b": "4"}
    assert scene.reads == reads


async def test_a_key_that_the_secret_lacks_is_read_once(scene: Scene) -> None:
    scene.show_secret(a="1")
    scene.add_index("one", "absent")
    assert [await scene.read("absent") for _ in range(3)] == [{}, {}, {}]
    assert scene.reads == 1


async def test_of_an_unlabelled_secret_only_the_named_keys_are_kept(scene: Scene) -> None:
    scene.show_secret(a="1", b="2", labelled=False)
    scene.add_index("one", "a")
    assert await scene.read("a") == {"a": "1"}
    last = scene.sources.last_seen(BASIC)
    assert last is not None and set(last.values) == {"a"}
    scene.add_index("two", "b")
    assert await scene.read("b") == {"b": "2"}
    assert scene.reads == 2


@pytest.mark.parametrize("labelled", [True, False])
async def test_beyond_the_bound_of_a_namespace_values_are_read_and_not_kept(
    narrow: Scene, labelled: bool
) -> None:
    for name in ("first", "second"):
        narrow.add_index(name, "a", secret=name)
        narrow.show_secret(name, a=name * 10, labelled=labelled)
    for _ in range(2):
        assert await narrow.read("a", name="first") == {"a": "first" * 10}
        assert await narrow.read("a", name="second") == {"a": "second" * 10}
    second = narrow.sources.last_seen(ObjectRef(NAMESPACE, "second"))
    assert second is not None and not second.values
    assert narrow.reads == (2 if labelled else 3)

    # There is room again once the first one is gone.
    narrow.drop_index("first")
    narrow.sources.forget(ObjectRef(NAMESPACE, "first"))
    assert await narrow.read("a", name="second") == {"a": "second" * 10}
    second = narrow.sources.last_seen(ObjectRef(NAMESPACE, "second"))
    assert second is not None and set(second.values) == {"a"}


async def test_what_is_gone_is_not_counted(narrow: Scene) -> None:
    budget = narrow.cache.sources.budget
    for number in range(20):
        narrow.add_index("one", "a")
        narrow.show_secret(a=str(number) * 30, labelled=number % 2 == 0)
        await narrow.read("a", again=True)
        narrow.cache.drop_source(BASIC)
        narrow.sources.forget(BASIC)
        narrow.drop_index("one")
    assert not budget._kept
