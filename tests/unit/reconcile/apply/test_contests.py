"""Outputs and statuses that somebody else undoes again and again, in virtual time."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from artifact_index.api.constants import CONTENT_DIGEST_ANNOTATION, ROLE_LABEL
from artifact_index.kube.port import Object
from artifact_index.reconcile.apply.contests import culprit_of
from support.engine import Engine, publish_token
from support.reconcile_builders import NAMESPACE, source

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

MANAGER = "policy-controller"
OURS = "artifact-index-operator"


class Rival:
    """Somebody who undoes an output a hundredth of a second after each write of it."""

    def __init__(self, engine: Engine, undo: Callable[[Object], None] | None) -> None:
        self.engine = engine
        self.undo = undo
        self.undone: list[float] = []
        self._version = ""
        engine.port.refuse = self._see

    def stop(self) -> None:
        """Let the output be."""
        self.engine.port.refuse = lambda *_: None

    def _see(self, verb: str, plural: str, _: str) -> None:
        if plural == "secrets" and verb in ("create", "patch"):
            asyncio.get_running_loop().call_later(0.01, self.act)

    def act(self) -> None:
        """Undo the output now; without `undo` delete it."""
        engine = self.engine
        body = engine.port.find("secrets", NAMESPACE, "uv-config")
        if body is None or body["metadata"]["resourceVersion"] == self._version:
            return
        self.undone.append(asyncio.get_running_loop().time())
        if self.undo is None:
            del engine.port.objects["secrets", NAMESPACE, "uv-config"]
            engine.operator.feed.watched("secrets", "DELETED", body)
            return
        self.undo(body)
        body["metadata"]["managedFields"] = [{"manager": MANAGER, "time": "2026-01-01T00:00:01Z"}]
        lost = body["metadata"]["labels"].get(ROLE_LABEL) != "output"
        body = engine.port.put("secrets", body)
        self._version = body["metadata"]["resourceVersion"]
        engine.operator.feed.watched("secrets", "DELETED" if lost else "MODIFIED", body)


def add_key(body: Object) -> None:
    body["data"]["stray"] = "eA=="


def change_file(body: Object) -> None:
    body["data"]["uv.toml"] = "eA=="


def take_label(body: Object) -> None:
    body["metadata"]["labels"] = {}


def take_digest(body: Object) -> None:
    body["metadata"]["annotations"].pop(CONTENT_DIGEST_ANNOTATION)


def take_owner(body: Object) -> None:
    body["metadata"]["ownerReferences"] = []


def set_immutable(body: Object) -> None:
    body["immutable"] = True


UNDOING = {
    "a stray key": add_key,
    "another content": change_file,
    "the label": take_label,
    "the digest": take_digest,
    "the owner": take_owner,
    "immutable": set_immutable,
    "a deletion": None,
}


@contextlib.asynccontextmanager
async def working(engine: Engine) -> AsyncIterator[None]:
    """One worker of the operator."""
    worker = asyncio.create_task(engine.controller.run_worker())
    try:
        yield
    finally:
        worker.cancel()


@pytest.mark.parametrize("undo", UNDOING.values(), ids=UNDOING)
async def test_an_output_that_is_undone_again_and_again_is_repaired_less_and_less(
    engine: Engine, undo: Callable[[Object], None] | None
) -> None:
    engine.index("open")
    engine.options()
    await engine.settle()
    async with working(engine):
        rival = Rival(engine, undo)
        begun = asyncio.get_running_loop().time()
        rival.act()
        await asyncio.sleep(1)
        # The first repairs come at once. Owner references are repaired with the content and alone.
        twice = 2 if undo is take_owner else 1
        assert 3 <= len(rival.undone) <= 6 * twice

        await asyncio.sleep(600)
        ready = engine.ready()
        assert ready[:2] == ("False", "OutputContested") and "Stalled" in engine.conditions()
        assert "Secret 'uv-config'" in ready[2] and "spec.outputs" in ready[2]
        assert (MANAGER if undo else "deleted") in ready[2]
        assert engine.ready("artifactindexes", "open")[:2] == ("True", "Available")
        minutes = Counter(int((at - begun) // 60) for at in rival.undone)
        assert minutes[0] <= 12 * twice
        assert all(minutes[minute] <= 2 * twice for minute in range(2, 10))
        assert minutes[7] + minutes[8] + minutes[9] >= 1, "it goes on being repaired"

        statuses = engine.port.writes["patch", "indexoptions/status"]
        rival.stop()
        await asyncio.sleep(500)
        assert engine.ready()[:2] == ("True", "Available")
        assert list(engine.entries()) == ["pypi", "open"]
        assert engine.port.writes["patch", "indexoptions/status"] == statuses + 1
        assert not engine.port.objects["secrets", NAMESPACE, "uv-config"].get("immutable")


async def test_edits_by_hand_are_repaired_at_once_and_are_no_contest(engine: Engine) -> None:
    engine.index("open")
    engine.options()
    await engine.settle()
    worker = asyncio.create_task(engine.controller.run_worker())
    for _ in range(6):
        body = engine.port.find("secrets", NAMESPACE, "uv-config")
        assert body is not None
        change_file(body)
        engine.operator.feed.watched("secrets", "MODIFIED", engine.port.put("secrets", body))
        await asyncio.sleep(1)
        assert list(engine.entries()) == ["pypi", "open"]
        assert engine.ready()[:2] == ("True", "Available")
        await asyncio.sleep(300)
    assert len(engine.operator.controller._edits) == 0
    worker.cancel()


async def test_a_new_token_is_written_to_a_contested_output_at_once(engine: Engine) -> None:
    await publish_token(engine)
    async with working(engine):
        Rival(engine, add_key).act()
        await asyncio.sleep(300)
        assert engine.ready()[1] == "OutputContested"
        assert "minted-1" in engine.entries()["gar"]

        engine.time += 60
        engine.index("gar", refresh_requested=engine.time, spec=source("googleArtifactRegistry"))
        engine.controller.enqueue(engine.cache.all_keys())
        await asyncio.sleep(2)
        assert "minted-2" in engine.entries()["gar"]
        assert engine.ready()[1] == "OutputContested"


@pytest.mark.parametrize(
    ("plural", "name"), [("indexoptions", "uv-config"), ("artifactindexes", "open")]
)
async def test_a_status_that_is_changed_again_and_again_is_put_right_less_and_less(
    engine: Engine, plural: str, name: str
) -> None:
    engine.index("open")
    engine.options()
    await engine.settle()
    changed: list[float] = []

    def change() -> None:
        changed.append(asyncio.get_running_loop().time())
        body = engine.port.find(plural, NAMESPACE, name)
        assert body is not None
        body = engine.port.put(plural, {**body, "status": {**body["status"], "conditions": []}})
        engine.operator.feed.watched(plural, "MODIFIED", body)

    def see(verb: str, *what: str) -> None:
        if (verb, *what) == ("patch", plural, name):
            asyncio.get_running_loop().call_later(0.01, change)

    async with working(engine):
        engine.port.refuse = see
        change()
        await asyncio.sleep(600)
        minutes = Counter(int((at - changed[0]) // 60) for at in changed)
        assert 5 <= minutes[0] <= 15
        assert all(minutes[minute] <= 2 for minute in range(3, 10))

        engine.port.refuse = lambda *_: None
        await asyncio.sleep(130)
        assert engine.ready(plural, name)[:2] == ("True", "Available")


def entry(manager: str, time: str | None) -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", **({"time": time} if time else {})}


@pytest.mark.parametrize(
    ("entries", "named"),
    [
        ([entry(OURS, "2026-01-01T00:00:00Z"), entry(MANAGER, "2026-01-01T00:00:01Z")], MANAGER),
        # Whole seconds: both wrote within one.
        ([entry(MANAGER, "2026-01-01T00:00:01Z"), entry(OURS, "2026-01-01T00:00:01Z")], MANAGER),
        # It made the object once, and the latest write is under our own name.
        ([entry("kubectl-create", "2025-01-01T00:00:00Z"), entry(OURS, "2026-01-01T00:00:01Z")],
         "another installation"),
        ([entry(OURS, "2026-01-01T00:00:01Z")], "another installation"),
        ([], "an unknown"),
        ([entry(MANAGER, None)], MANAGER),
    ],
)  # fmt: skip
def test_the_writer_is_named_by_its_field_manager(
    entries: list[dict[str, Any]], named: str
) -> None:
    assert named in culprit_of(entries)
