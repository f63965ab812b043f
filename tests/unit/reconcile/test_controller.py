"""The controller: back-off, quiet failures, pending statuses, bursts of tokens, metering."""

import asyncio
from typing import Any

import pytest

from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.api.timestamps import format_time
from artifact_index.credentials.google.requests import GoogleTokenRequest
from artifact_index.credentials.requests import TokenRequest
from artifact_index.reconcile.cache.cache import Key, index_key, options_key
from artifact_index.reconcile.cache.objects import ObjectRef, parse_custom_object
from artifact_index.reconcile.cache.writers import Writers
from artifact_index.reconcile.options import OptionsReconciler
from support.engine import BROKEN, OPTIONS, STATUS, Engine, publish_token
from support.reconcile_builders import NAMESPACE, source

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

PATIENCE = 5


# -- failures


async def test_the_first_two_failures_in_a_row_are_not_reported(engine: Engine) -> None:
    engine.index("open")
    engine.options()
    engine.refuse(BROKEN, lambda verb, plural, _: (verb, plural) == ("create", "secrets"))
    for _ in range(2):
        await engine.settle()
        assert engine.ready()[1] == "" and engine.ready("artifactindexes", "open")[1] == ""

    await engine.settle()
    assert engine.ready()[1] == "WriteFailed"
    assert engine.ready("artifactindexes", "open")[1] == "NotWritten"


async def test_a_success_after_quiet_failures_reports_what_they_withheld(engine: Engine) -> None:
    engine.index("open")
    engine.options()
    engine.refuse(BROKEN, lambda verb, plural, _: (verb, plural) == ("create", "secrets"))
    await engine.settle()

    engine.refuse(BROKEN, lambda *_: False)
    await engine.settle()
    assert engine.ready()[1] == "Available"
    assert engine.ready("artifactindexes", "open")[1] == "Available"


async def test_a_success_resets_the_back_off(engine: Engine) -> None:
    engine.refuse(BROKEN, lambda verb, plural, _: verb == "patch")
    engine.options({"indexSelector": {"matchLabels": {"env": "typo"}}})
    for _ in range(4):
        await engine.settle()
    assert engine.queue.num_requeues(STATUS) >= 4

    engine.refuse(BROKEN, lambda *_: False)
    await engine.settle()
    assert engine.queue.num_requeues(STATUS) == 0


# -- pending statuses


async def test_statuses_are_written_after_the_outputs_that_wait(engine: Engine) -> None:
    engine.index("open")
    names = ["one", "two", "three"]
    for name in names:
        engine.options(name=name)
    writes = engine.record_writes()
    await engine.settle(*(options_key(ObjectRef(NAMESPACE, name)) for name in names))

    assert [plural for plural, _ in writes[:3]] == ["secrets"] * 3
    assert sorted(writes[3:]) == [
        ("artifactindexes", "open"),
        *(("indexoptions", name) for name in sorted(names)),
    ]


async def test_a_pending_status_is_replaced_by_a_newer_one(engine: Engine) -> None:
    engine.index("open")
    engine.options()
    await engine.controller.reconcile(OPTIONS)
    engine.index("second")
    await engine.controller.reconcile(OPTIONS)
    writes = engine.record_writes()
    await engine.settle(STATUS)

    assert writes.count(("indexoptions", "uv-config")) == 1
    assert engine.status()["indexCount"] == 2


async def test_a_pending_status_of_an_older_spec_is_dropped(engine: Engine) -> None:
    engine.index("open")
    engine.options()
    await engine.controller.reconcile(OPTIONS)
    engine.options({"indexStrategy": "unsafe-best-match"})
    await engine.controller.reconcile(STATUS)
    assert engine.ready()[1] == ""

    await engine.settle()
    assert engine.status()["observedGeneration"] == 2


def reported_by_others(engine: Engine, condition: dict[str, Any]) -> None:
    """Another installation adds a condition to the IndexOptions, and its event arrives."""
    body = engine.port.objects["indexoptions", NAMESPACE, "uv-config"]
    status = body.get("status", {})
    conditions = [*status.get("conditions", ()), condition]
    stored = engine.port.put(
        "indexoptions", {**body, "status": {**status, "conditions": conditions}}
    )
    engine.cache.put_options(parse_custom_object(IndexOptionsSpec, stored))


async def test_a_pending_status_keeps_what_a_second_installation_says_meanwhile(
    engine: Engine,
) -> None:
    engine.index("open")
    engine.options()
    await engine.controller.reconcile(OPTIONS)
    said = {
        "type": "ServedTwice", "status": "True", "observedGeneration": 1, "message": "it does, too",
        "reason": "AnotherInstallation", "lastTransitionTime": format_time(engine.time),
    }  # fmt: skip
    reported_by_others(engine, said)
    await engine.settle(STATUS)

    assert said in engine.status()["conditions"]
    assert engine.ready()[0] == "True"


async def test_a_second_installation_keeps_what_the_first_says_meanwhile(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Writers, "rival_in", lambda *_: "other-system/first")
    engine.options()
    await engine.controller.reconcile(OPTIONS)
    said = {
        "type": "Ready", "status": "True", "observedGeneration": 1, "message": "1 index written",
        "reason": "Available", "lastTransitionTime": format_time(engine.time),
    }  # fmt: skip
    reported_by_others(engine, said)
    await engine.settle(STATUS)

    assert said in engine.status()["conditions"]
    assert "ServedTwice" in engine.conditions()


# -- bursts of tokens


@pytest.mark.parametrize(
    ("awaits_more", "only_waited", "delay"),
    [
        (False, True, 0),  # the last token: nothing else is awaited
        (False, False, 0),  # a rotation
        (True, False, 0.25),  # more tokens may follow within a moment
        (True, True, None),  # nothing can be published before the last token
    ],
)
async def test_a_changed_token_has_its_options_reconciled(
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    awaits_more: bool,
    only_waited: bool,
    delay: float | None,
) -> None:
    engine.options()
    monkeypatch.setattr(OptionsReconciler, "awaits_tokens", lambda *_: awaits_more)
    monkeypatch.setattr(OptionsReconciler, "only_waited", lambda *_: only_waited)
    engine.controller.tokens_changed([OPTIONS.ref])

    assert (engine.queue.depth == 1) is (delay == 0)
    assert len(engine.queue) == (0 if delay is None else 1)
    if delay:
        assert engine.due_in() == pytest.approx(delay)


async def test_a_changed_token_of_a_deleted_options_enqueues_nothing(engine: Engine) -> None:
    engine.controller.tokens_changed([OPTIONS.ref])
    assert len(engine.queue) == 0


async def _publish_three_tokens(engine: Engine, *, latencies: tuple[float, ...]) -> None:
    """Run one worker until the tokens of three indexes, with these latencies, are published."""

    def latency(request: TokenRequest) -> float:
        assert isinstance(request, GoogleTokenRequest) and request.impersonate is not None
        return latencies[int(request.impersonate.service_account[1])]

    engine.latency = latency
    for number in range(len(latencies)):
        account = {"serviceAccount": f"a{number}@my-project.iam.gserviceaccount.com"}
        spec: dict[str, Any] = source("googleArtifactRegistry", auth=None, impersonate=account)
        engine.index(f"gar-{number}", {**spec, "name": f"gar-{number}"})
    engine.options()
    engine.queue.add_after(OPTIONS, 0)
    worker = asyncio.create_task(engine.controller.run_worker())
    await asyncio.sleep(0.9)  # the clock of the operator is behind by no more than that
    for _ in range(round(max(latencies)) + 1):
        engine.time += 1
        await asyncio.sleep(1)
    worker.cancel()
    assert sum("minted-" in url for url in engine.entries().values()) == len(latencies)


async def test_first_tokens_within_the_patience_are_one_write_after_two_reconciles(
    engine: Engine,
) -> None:
    await _publish_three_tokens(engine, latencies=(1, 2, 3))
    assert engine.meter.passes.count(("IndexOptions", "ok")) == 2
    assert engine.port.writes["create", "secrets"] == 1
    assert engine.port.writes["patch", "secrets"] == 0


async def test_a_burst_of_first_tokens_after_the_patience_is_one_more_write(
    engine: Engine,
) -> None:
    late = PATIENCE + 3
    await _publish_three_tokens(engine, latencies=(late, late + 0.1, late + 0.2))
    assert engine.meter.passes.count(("IndexOptions", "ok")) == 3
    assert engine.port.writes["create", "secrets"] == 1
    assert engine.port.writes["patch", "secrets"] == 1


# -- workers and metering


async def test_a_worker_yields_to_the_event_loop_after_each_reconcile(engine: Engine) -> None:
    for number in range(50):
        engine.queue.add_after(index_key(ObjectRef(NAMESPACE, f"gone-{number}")), 0)
    worker, iterations = asyncio.create_task(engine.controller.run_worker()), 0
    while not engine.queue.idle:
        await asyncio.sleep(0)
        iterations += 1
    worker.cancel()
    assert iterations >= 50


async def test_each_reconcile_is_measured_with_its_result(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError

    await publish_token(engine)
    kinds = ("IndexOptions", "IndexOptionsStatus", "ArtifactIndex")
    assert set(engine.meter.passes) == {(kind, "ok") for kind in kinds}

    async def result_of(key: Key = OPTIONS) -> str:
        engine.meter.passes.clear()
        await engine.controller.reconcile(key)
        [(kind, result)] = engine.meter.passes
        assert kind == key.kind
        return result

    engine.options({"indexStrategy": "unsafe-best-match"})
    engine.refuse(BROKEN, lambda verb, plural, name: (verb, plural) == ("patch", "secrets"))
    assert await result_of() == "retry"
    engine.refuse(BROKEN, lambda verb, plural, name: plural == "indexoptions")
    assert await result_of() == "ok"
    assert await result_of(STATUS) == "api_error"
    engine.refuse(BROKEN, lambda *_: False)
    monkeypatch.setattr(engine.cache, "selected", broken)
    assert await result_of() == "internal_error"
