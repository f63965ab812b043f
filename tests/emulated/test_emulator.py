"""The emulator: what the port contract does not cover, and that kopf can live on it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import aiohttp
import kopf
import pytest

from artifact_index.kube.client import KubeApi
from artifact_index.kube.connect import load_configuration
from support.emulator import Emulator, Refused, wait_for
from support.watch_contract import WATCH_CHECKS, WatchCheck

pytestmark = pytest.mark.emulated

Body = dict[str, Any]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as started:
        yield started


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield session


class Watcher:
    """Collects the events of one watch as (type, name) pairs."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []
        self.objects: list[Body] = []
        self.ended = False

    async def follow(self, session: aiohttp.ClientSession, url: str, **params: str) -> None:
        async with session.get(url, params={"watch": "true", **params}) as response:
            assert response.status == 200
            async for line in response.content:
                event = json.loads(line)
                self.objects.append(event["object"])
                metadata = event["object"].get("metadata", {})
                self.events.append((event["type"], metadata.get("name", "")))
        self.ended = True


@contextlib.asynccontextmanager
async def watching(
    emulator: Emulator, session: aiohttp.ClientSession, plural: str, **params: str
) -> AsyncIterator[Watcher]:
    watcher = Watcher()
    url = f"{emulator.url}/api/v1/{plural}"
    before = len(emulator.watches())
    task = asyncio.create_task(watcher.follow(session, url, **params))
    await wait_for(lambda: len(emulator.watches()) > before or watcher.ended, "watching")
    yield watcher
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def secret(name: str, **labels: str) -> Body:
    return {"metadata": {"name": name, "labels": labels}}


def owned_by(owner: Body, name: str) -> Body:
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"]}
    reference |= {field: owner["metadata"][field] for field in ("name", "uid")}
    return {"metadata": {"name": name, "ownerReferences": [reference]}}


async def now(emulator: Emulator, session: aiohttp.ClientSession) -> str:
    async with session.get(f"{emulator.url}/api/v1/secrets") as response:
        version: str = (await response.json())["metadata"]["resourceVersion"]
        return version


@pytest.mark.parametrize("check", WATCH_CHECKS, ids=lambda check: check.__name__)
async def test_watch_contract(check: WatchCheck, emulator: Emulator) -> None:
    emulator.create_namespace("contract")
    configuration = await load_configuration(kubeconfig=emulator.kubeconfig())
    api = KubeApi(configuration)
    await check(configuration, api, "contract")
    await api.close()


async def test_a_watch_leaves_other_kinds_and_namespaces_out(
    emulator: Emulator, http: aiohttp.ClientSession
) -> None:
    async with watching(emulator, http, "namespaces/default/secrets") as watcher:
        emulator.create("configmaps", {"metadata": {"name": "another-kind"}})
        emulator.create("secrets", secret("elsewhere"), namespace="other")
        emulator.create("secrets", secret("a"))
        await wait_for(lambda: watcher.events, "an event")
    assert watcher.events == [("ADDED", "a")]


async def test_a_quiet_watch_is_sent_bookmarks(
    emulator: Emulator, http: aiohttp.ClientSession
) -> None:
    emulator.bookmark_every = 0.02
    async with watching(emulator, http, "secrets", allowWatchBookmarks="true") as watcher:
        await wait_for(lambda: len(watcher.events) > 1, "bookmarks")
    assert {type_ for type_, _ in watcher.events} == {"BOOKMARK"}


async def test_a_watch_from_a_forgotten_version_is_told_so(
    emulator: Emulator, http: aiohttp.ClientSession
) -> None:
    version = await now(emulator, http)
    emulator.create("secrets", secret("a"))
    emulator.compact()
    async with watching(emulator, http, "secrets", resourceVersion=version) as watcher:
        await wait_for(lambda: watcher.ended, "the end")
    [status] = watcher.objects
    assert (status["code"], status["reason"]) == (410, "Expired")


async def test_a_silent_watch_stays_open_and_says_nothing(
    emulator: Emulator, http: aiohttp.ClientSession
) -> None:
    async with watching(emulator, http, "secrets") as silent:
        emulator.silence_watches("secrets")
        emulator.create("secrets", secret("a"))
        emulator.clear_faults()
        async with watching(emulator, http, "secrets") as speaking:
            await wait_for(lambda: speaking.events, "an event")
    assert (silent.events, silent.ended) == ([], False)


async def test_what_an_object_owns_follows_it(emulator: Emulator) -> None:
    owner = emulator.create("indexoptions", {"metadata": {"name": "owner"}, "spec": {}})
    emulator.create("secrets", owned_by(owner, "owned"))
    emulator.create("secrets", secret("free"))
    emulator.delete("indexoptions", "default", "owner")
    await wait_for(lambda: not emulator.find("secrets", "default", "owned"), "collected")
    assert emulator.find("secrets", "default", "free")


async def test_an_object_of_an_owner_that_is_not_there_goes(emulator: Emulator) -> None:
    owner = emulator.create("indexoptions", {"metadata": {"name": "owner"}, "spec": {}})
    owner["metadata"]["uid"] = "another"
    emulator.create("secrets", owned_by(owner, "owned"))
    await wait_for(lambda: not emulator.find("secrets", "default", "owned"), "collected")


async def test_a_deleted_namespace_takes_its_content_along(emulator: Emulator) -> None:
    emulator.create("secrets", secret("a"), namespace="doomed")
    emulator.delete("namespaces", "", "doomed")
    await wait_for(lambda: not emulator.find("secrets", "doomed", "a"), "emptied")


async def test_a_finalizer_holds_an_object_back(emulator: Emulator) -> None:
    emulator.create("secrets", {"metadata": {"name": "a", "finalizers": ["example.dev/wait"]}})
    emulator.delete("secrets", "default", "a")
    assert "deletionTimestamp" in emulator.get("secrets", "default", "a")["metadata"]
    emulator.patch("secrets", "default", "a", {"metadata": {"finalizers": None}})
    assert emulator.find("secrets", "default", "a") is None


@pytest.mark.parametrize(
    ("plural", "body", "field"),
    [
        ("secrets", secret("Upper"), "metadata.name"),
        ("secrets", secret("a", role="x" * 64), "metadata.labels"),
        ("secrets", {"metadata": {"name": "a"}, "stringData": {"a b": ""}}, "data[a b]"),
        ("secrets", {"metadata": {"name": "a"}, "stringData": {"a": "x" * 1048577}}, "data"),
        ("configmaps", {"metadata": {"name": "a"}, "data": {"a": "x" * 1048577}}, "[]"),
        ("events", {"metadata": {"name": "a"}}, "involvedObject.namespace"),
    ],
)
async def test_what_the_real_server_refuses_is_refused(
    plural: str, body: Body, field: str, emulator: Emulator
) -> None:
    with pytest.raises(Refused) as caught:
        emulator.create(plural, body)
    assert caught.value.body["details"]["causes"][0]["field"] == field


async def test_requests_are_counted_by_verb_kind_and_client(
    emulator: Emulator, http: aiohttp.ClientSession
) -> None:
    url = f"{emulator.url}/api/v1/namespaces/default/secrets"
    async with http.post(url, json=secret("a"), headers={"User-Agent": "one/1"}) as response:
        assert response.status == 201
    async with http.get(f"{url}/a", headers={"User-Agent": "two/1"}) as response:
        assert response.status == 200
    assert emulator.requests.count("create", "secrets", user_agent="one") == 1
    assert emulator.requests.count("get", "secrets", user_agent="one") == 0
    assert len(emulator.requests.writes()) == 1


async def test_an_unknown_path_is_not_found(
    emulator: Emulator, http: aiohttp.ClientSession
) -> None:
    for path in ("apis/nope.dev/v1/things", "api/v1/things", "api/v1/namespaces/a/secrets/b/c"):
        async with http.get(f"{emulator.url}/{path}") as response:
            assert response.status == 404


@pytest.mark.parametrize(
    ("method", "content_type", "content", "status"),
    [
        ("POST", "application/json", b"{", 400),
        ("POST", "application/json", b"[]", 400),
        ("POST", "application/vnd.kubernetes.protobuf", b"k8s", 415),
        ("PATCH", "application/apply-patch+yaml", b"a: b", 415),
        ("PATCH", "application/strategic-merge-patch+json", b"{}", 415),
    ],
)
async def test_a_body_of_another_type_is_refused(
    method: str,
    content_type: str,
    content: bytes,
    status: int,
    emulator: Emulator,
    http: aiohttp.ClientSession,
) -> None:
    url = f"{emulator.url}/api/v1/namespaces/default/secrets"
    if method == "PATCH":
        emulator.create("secrets", secret("a"))
        url += "/a"
    headers = {"Content-Type": content_type}
    async with http.request(method, url, data=content, headers=headers) as response:
        assert response.status == status
        assert (await response.json())["kind"] == "Status"
    assert emulator.requests[-1].status == status


class Seen:
    """What kopf reported of ArtifactIndexes, as (type, name), with the running operator."""

    def __init__(self) -> None:
        self.events: list[tuple[str | None, str]] = []

    def __call__(self, *expected: tuple[str | None, str]) -> Callable[[], bool]:
        return lambda: all(event in self.events for event in expected)


@contextlib.asynccontextmanager
async def kopf_on(emulator: Emulator) -> AsyncIterator[Seen]:
    """Run kopf on the emulator, with a handler that notes what it is told.

    Not a fixture: at its end kopf cancels every task that was not there at its start, and a
    fixture is finished by a new one.
    """
    emulator.create("artifactindexes", {"metadata": {"name": "first"}, "spec": {}})
    registry = kopf.OperatorRegistry()
    found = Seen()

    async def login(**_: Any) -> kopf.ConnectionInfo:
        return kopf.ConnectionInfo(server=emulator.url)

    async def observe(type: str | None, name: str, **_: Any) -> None:
        found.events.append((type, name))

    kopf.on.login(registry=registry)(login)
    kopf.on.event("artifactindex.dev", "v1alpha1", "artifactindexes", registry=registry)(observe)
    settings = kopf.OperatorSettings()
    settings.peering.standalone = True
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.watching.reconnect_backoff = 0.01
    settings.watching.inactivity_timeout = 0.5
    settings.watching.chunk_size = 2
    settings.networking.error_backoffs = [0.01] * 200
    stop = asyncio.Event()
    operator = asyncio.create_task(
        kopf.operator(registry=registry, settings=settings, clusterwide=True, stop_flag=stop)
    )
    await wait_for(found((None, "first")), "the first listing")
    await wait_for(emulator.watches, "the first watch")
    try:
        yield found
    finally:
        stop.set()
        await operator


def create_index(emulator: Emulator, name: str) -> None:
    emulator.create("artifactindexes", {"metadata": {"name": name}, "spec": {}})


async def test_kopf_is_told_of_every_change(emulator: Emulator) -> None:
    async with kopf_on(emulator) as seen:
        create_index(emulator, "a")
        emulator.patch("artifactindexes", "default", "a", {"metadata": {"labels": {"x": "y"}}})
        emulator.delete("artifactindexes", "default", "a")
        await wait_for(seen(("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")), "all changes")
        assert emulator.requests.writes() == []


async def test_kopf_goes_on_after_dropped_connections(emulator: Emulator) -> None:
    async with kopf_on(emulator) as seen:
        for number in range(3):
            emulator.drop_watches()
            create_index(emulator, f"a-{number}")
            await wait_for(seen(("ADDED", f"a-{number}")), "the change")
        assert emulator.requests.count("list", "artifactindexes") == 1


async def test_kopf_lists_again_after_an_expired_watch(emulator: Emulator) -> None:
    async with kopf_on(emulator) as seen:
        create_index(emulator, "ghost")
        await wait_for(seen(("ADDED", "ghost")), "the change")
        with emulator.disconnected("artifactindexes"):
            emulator.delete("artifactindexes", "default", "ghost")
            create_index(emulator, "a")
        await wait_for(seen((None, "a")), "the new listing")
        # What was deleted meanwhile is never reported: this is why the operator sweeps.
        assert ("DELETED", "ghost") not in seen.events


async def test_kopf_lists_again_after_an_error_in_the_stream(emulator: Emulator) -> None:
    async with kopf_on(emulator) as seen:
        emulator.expire_watches("artifactindexes")
        create_index(emulator, "a")
        await wait_for(seen((None, "a")), "the new listing")


async def test_kopf_leaves_a_silent_watch(emulator: Emulator) -> None:
    async with kopf_on(emulator) as seen:
        emulator.silence_watches("artifactindexes")
        create_index(emulator, "a")
        emulator.clear_faults()
        await wait_for(seen(("ADDED", "a")), "the change")


async def test_kopf_survives_a_server_that_goes_away(emulator: Emulator) -> None:
    async with kopf_on(emulator) as seen:
        emulator.stop()
        create_index(emulator, "a")
        emulator.start()
        await wait_for(seen(("ADDED", "a")), "the change")
