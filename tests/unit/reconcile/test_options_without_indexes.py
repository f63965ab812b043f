"""Reconciles of an IndexOptions that selects nothing: outputs stay, tokens are withdrawn."""

import pytest

from support.blocked import blocked_at
from support.engine import BROKEN, WITHDRAWAL, Engine, publish_token

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]


async def test_outputs_stay_without_indexes_until_a_token_must_be_withdrawn(
    engine: Engine,
) -> None:
    await publish_token(engine)
    before = engine.entries()
    expiry = engine.status("indexoptions")["earliestExpiry"]
    engine.drop_index("gar")
    await engine.settle()

    assert engine.ready()[:2] == ("False", "NoIndexes") and "Reconciling" in engine.conditions()
    assert engine.entries() == before
    assert engine.status("indexoptions")["earliestExpiry"] == expiry
    assert engine.due_in() == pytest.approx(WITHDRAWAL, abs=5)

    engine.time += WITHDRAWAL
    await engine.settle()
    assert engine.entries()["gar"] == blocked_at("uv-config", name="gar", kind="indexoptions")
    assert "earliestExpiry" not in engine.status("indexoptions")


async def test_a_withdrawal_without_indexes_creates_no_output_and_prunes_undeclared_ones(
    engine: Engine,
) -> None:
    await publish_token(engine, {"outputs": [{"kind": "Secret", "name": "s"}]})
    engine.drop_index("gar")
    engine.options({"outputs": [{"kind": "Secret", "name": "new"}]})
    await engine.settle()
    assert engine.output_names() == {"s"}

    engine.time += WITHDRAWAL
    await engine.settle()
    assert engine.output_names() == set()


async def test_a_failed_withdrawal_is_reported_at_once_and_retried(engine: Engine) -> None:
    await publish_token(engine)
    engine.drop_index("gar")
    engine.time += WITHDRAWAL
    engine.refuse(BROKEN, lambda verb, plural, name: (verb, plural) == ("patch", "secrets"))
    await engine.settle()
    assert engine.ready()[1] == "WriteFailed" and "minted-1" in engine.entries()["gar"]
    assert 0 < engine.due_in() < 121

    engine.refuse(BROKEN, lambda *_: False)
    await engine.settle()
    assert engine.ready()[1] == "NoIndexes" and "invalid" in engine.entries()["gar"]


async def test_an_empty_selection_creates_no_output(engine: Engine) -> None:
    engine.options({"indexSelector": {"matchLabels": {"env": "typo"}}})
    await engine.settle()
    assert engine.output_names() == set()
    status, reason, message = engine.ready()
    assert (status, reason) == ("False", "NoIndexes")
    assert "spec.indexSelector" in message and "'builders'" in message


async def test_an_index_keeps_its_name_across_an_empty_selection(engine: Engine) -> None:
    engine.index("a", created="2026-01-01T00:00:00Z")
    engine.index("b", created="2026-01-02T00:00:00Z")
    engine.options({})
    await engine.settle()
    engine.drop_index("a")
    await engine.settle()
    assert set(engine.entries()) == {"pypi", "open-2"}

    engine.options({"indexSelector": {"matchLabels": {"env": "typo"}}})
    await engine.settle()
    engine.options({})
    await engine.settle()
    assert set(engine.entries()) == {"pypi", "open-2"}
