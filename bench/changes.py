"""Changes made at a steady pace, and how soon the operator's write followed each of them."""

import asyncio
import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from artifact_index.kube.client import KubeApi
from artifact_index.kube.connect import load_configuration
from artifact_index.kube.resources import ARTIFACT_INDEXES, SECRETS, Resource
from bench.fan_out import FanOut
from bench.observe import Requests, label
from bench.scene import Object, Scene
from support.clouds import AwsStandIn

_CONCURRENCY = 32
_HARMLESS_CODE = 410


@dataclass(frozen=True)
class Change:
    """A merge patch of one object, and the operator's write that shows it: kind, namespace, name.

    `shown_by` is a label of `Requests.writes`. With `create` the object is new.
    """

    resource: Resource
    namespace: str
    name: str
    body: dict[str, Any]
    shown_by: tuple[str, str, str]
    create: bool = False


def new_namespaces(scene: FanOut) -> list[Change]:
    """Namespaces that are created beside those that there are."""
    changes = []
    for number in range(scene.namespaces, scene.namespaces + scene.added):
        resource, _, body = scene.namespace(number)
        shown_by = ("create secrets", *scene.output_in(number))
        changes.append(Change(resource, "", body["metadata"]["name"], body, shown_by, create=True))
    return changes


def edits(scene: Scene) -> list[Change]:
    """One edit of each index' spec, which changes the file and the index' own status.

    The status comes last, and with every index it is written once.
    """
    body = {"spec": {"ignoreErrorCodes": [_HARMLESS_CODE]}}
    places = [scene.index_at(number) for number in range(scene.indexes)]
    return [
        Change(ARTIFACT_INDEXES, *place, body, ("patch artifactindexes/status", *place))
        for place in places
    ]


def other_logins(scene: Scene, aws: AwsStandIn) -> list[Change]:
    """Another login in each source Secret."""
    return [
        Change(
            SECRETS, namespace, name, scene.login(aws, name),
            ("patch secrets", *scene.output_of_secret(namespace, name)),
        )
        for namespace, name in scene.secrets()
    ]  # fmt: skip


async def create(kubeconfig: Path, objects: Sequence[Object], seconds: float = 0) -> None:
    """Create all of them in this order, evenly spread over `seconds`, or as fast as it goes."""
    pending = iter(enumerate(objects))
    clock = asyncio.get_running_loop().time
    begun = clock()
    api = KubeApi(await load_configuration(kubeconfig=kubeconfig), max_concurrency=_CONCURRENCY)

    async def work() -> None:
        for number, (resource, namespace, body) in pending:
            due = begun + seconds * number / len(objects)
            await asyncio.sleep(max(0.0, due - clock()))
            await api.create(resource, namespace, body)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(_CONCURRENCY):
                group.create_task(work())
    finally:
        await api.close()


async def make(kubeconfig: Path, changes: Sequence[Change], seconds: float) -> list[float]:
    """Make all changes, evenly spread over `seconds`; returns when each was sent (POSIX)."""
    api = KubeApi(await load_configuration(kubeconfig=kubeconfig), max_concurrency=_CONCURRENCY)
    sent = [0.0] * len(changes)

    async def make_one(number: int, change: Change) -> None:
        await asyncio.sleep(seconds * number / len(changes))
        sent[number] = time.time()
        if change.create:
            await api.create(change.resource, change.namespace, change.body)
        else:
            await api.patch(change.resource, change.namespace, change.name, change.body)

    try:
        async with asyncio.TaskGroup() as group:
            for number, change in enumerate(changes):
                group.create_task(make_one(number, change))
    finally:
        await api.close()
    return sent


def answer_times(
    changes: Sequence[Change], sent: Sequence[float], requests: Requests
) -> tuple[float, float]:
    """Milliseconds from a change to the answer to the write that shows it: median and p99.

    Raises KeyError where no write followed.
    """
    written: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    for event in requests.events:
        where = (label(event), event.namespace, event.name)
        times = (event.received_at.timestamp(), event.answered_at.timestamp())
        written.setdefault(where, []).append(times)
    waited = sorted(
        next(answered for received, answered in written[change.shown_by] if received > begun)
        - begun
        for change, begun in zip(changes, sent, strict=True)
    )
    return 1000 * statistics.median(waited), 1000 * waited[math.ceil(0.99 * len(waited)) - 1]
