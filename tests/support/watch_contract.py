"""What kopf relies on in a watch, checked against any API server: the real one and the emulator.

Each check takes the client's configuration, the port over it and a namespace of its own.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from artifact_index.kube.port import KubePort
from artifact_index.kube.resources import SECRETS
from support.port_contract import secret, uid, version

LONGEST_WATCH: Final = 60
"""Seconds after which the server ends a watch that has not seen what was expected."""

WatchCheck: TypeAlias = Callable[[Configuration, KubePort, str], Awaitable[None]]


@dataclass(frozen=True)
class Event:
    """One line of a watch."""

    type: str
    object: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.object["metadata"]["name"])


async def watch(
    configuration: Configuration,
    namespace: str,
    *,
    meanwhile: Callable[[], Awaitable[object]] | None = None,
    expect: int = 0,
    **query: str,
) -> list[Event]:
    """Watch Secrets until that many events came or the server ends the watch."""
    client = ApiClient(configuration)
    query = {"watch": "true", "timeoutSeconds": str(LONGEST_WATCH), **query}
    url = f"{configuration.host}{SECRETS.collection_path(namespace)}?{urlencode(query)}"
    headers = {"Accept": "application/json"}
    if token := await configuration.get_api_key_with_prefix("BearerToken"):
        headers["Authorization"] = token
    timeout = aiohttp.ClientTimeout(total=2 * LONGEST_WATCH)
    events: list[Event] = []
    try:
        answer = await client.call_api("GET", url, headers, _request_timeout=timeout)
        assert answer.status == 200
        if meanwhile is not None:
            await meanwhile()
        async for line in answer.response.content:
            events.append(Event(**json.loads(line)))
            if expect and len(events) == expect:
                break
        answer.response.close()
    finally:
        await client.close()
    return events


async def current_version(api: KubePort, namespace: str) -> str:
    pages = [page async for page in api.list(SECRETS, namespace=namespace)]
    return pages[0].resource_version


async def without_a_version_it_begins_with_what_is_there(
    configuration: Configuration, api: KubePort, namespace: str
) -> None:
    await api.create(SECRETS, namespace, secret("there"))
    [event] = await watch(configuration, namespace, expect=1)
    assert (event.type, event.name) == ("ADDED", "there")
    assert (event.object["kind"], event.object["apiVersion"]) == ("Secret", "v1")


async def from_a_version_it_tells_what_was_missed(
    configuration: Configuration, api: KubePort, namespace: str
) -> None:
    known = await api.create(SECRETS, namespace, secret("known"))
    since = await current_version(api, namespace)
    await api.create(SECRETS, namespace, secret("missed"))
    known_at = int(known["metadata"]["resourceVersion"])
    await api.delete(SECRETS, namespace, "known", uid=uid(known), version=known_at)
    events = await watch(configuration, namespace, expect=2, resourceVersion=since)
    assert [(event.type, event.name) for event in events] == [
        ("ADDED", "missed"),
        ("DELETED", "known"),
    ]
    assert int(version(dict(events[1].object))) > int(version(known))


async def labels_bring_objects_in_and_out(
    configuration: Configuration, api: KubePort, namespace: str
) -> None:
    await api.create(SECRETS, namespace, secret("one"))
    since = await current_version(api, namespace)

    async def relabel() -> None:
        for role in ("source", "output", "other", "source", None):
            body = {"metadata": {"labels": {"role": role}}}
            await api.patch(SECRETS, namespace, "one", body)

    events = await watch(
        configuration,
        namespace,
        meanwhile=relabel,
        expect=5,
        resourceVersion=since,
        labelSelector="role in (source,output)",
    )
    # What left is told in its last matching state, at the version of the change.
    assert [(event.type, event.object["metadata"]["labels"]["role"]) for event in events] == [
        ("ADDED", "source"),
        ("MODIFIED", "output"),
        ("DELETED", "output"),
        ("ADDED", "source"),
        ("DELETED", "source"),
    ]
    versions = [int(version(dict(event.object))) for event in events]
    assert versions == sorted(set(versions))


async def it_ends_after_its_time(
    configuration: Configuration, api: KubePort, namespace: str
) -> None:
    since = await current_version(api, namespace)
    events = await watch(
        configuration,
        namespace,
        resourceVersion=since,
        timeoutSeconds="1",
        allowWatchBookmarks="true",
    )
    assert events == []


WATCH_CHECKS: Final[tuple[WatchCheck, ...]] = (
    without_a_version_it_begins_with_what_is_there,
    from_a_version_it_tells_what_was_missed,
    labels_bring_objects_in_and_out,
    it_ends_after_its_time,
)
