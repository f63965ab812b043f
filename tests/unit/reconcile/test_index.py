"""Reconciles of an ArtifactIndex: when its status is written, and of which plan."""

import pytest

from artifact_index.reconcile.cache.cache import index_key, options_key
from artifact_index.reconcile.cache.objects import ObjectRef
from support.engine import GAR, OPTIONS, Engine
from support.reconcile_builders import NAMESPACE, source

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]


async def test_the_status_waits_while_an_options_that_selects_the_index_is_busy(
    engine: Engine,
) -> None:
    acme = index_key(ObjectRef(NAMESPACE, "acme"))
    engine.index("acme")
    engine.options()
    engine.queue.add_after(OPTIONS, 0)
    assert await engine.queue.get() == OPTIONS
    await engine.controller.reconcile(acme)
    assert engine.status("artifactindexes", "acme")["observedGeneration"] == -1
    # It is not looked at before that one is done, which may be long.
    assert len(engine.queue) == 0
    await engine.controller.reconcile(OPTIONS)
    engine.queue.done(OPTIONS)
    await engine.settle()
    assert engine.status("artifactindexes", "acme")["observedGeneration"] == 1


async def test_the_status_follows_a_busy_options_that_changes_nothing(engine: Engine) -> None:
    acme = index_key(ObjectRef(NAMESPACE, "acme"))
    engine.index("acme")
    engine.options()
    await engine.settle()
    engine.queue.add_after(OPTIONS, 0)
    assert await engine.queue.get() == OPTIONS
    await engine.controller.reconcile(acme)
    assert len(engine.queue) == 0
    await engine.controller.reconcile(OPTIONS)
    assert 0 < engine.due_in(acme) < 1


async def test_the_status_reports_the_options_in_which_the_index_is_unready(
    engine: Engine,
) -> None:
    engine.secret("gcp-key")
    engine.index("gar", GAR)
    engine.index("same", {**source("anonymous"), "name": "gar"}, labels={"env": "x"},
                 created="2025-01-01T00:00:00Z")  # fmt: skip
    engine.options({"indexSelector": {"matchExpressions": [
        {"key": "env", "operator": "DoesNotExist"}]}})  # fmt: skip
    engine.options(name="other")
    await engine.settle(OPTIONS, options_key(ObjectRef(NAMESPACE, "other")))
    await engine.settle(options_key(ObjectRef(NAMESPACE, "other")))

    assert engine.ready()[1] == "Available"
    assert engine.ready("artifactindexes", "gar")[1] == "NameConflict"


async def test_an_index_that_no_options_selects_says_so(engine: Engine) -> None:
    engine.index("acme")
    await engine.settle(index_key(ObjectRef(NAMESPACE, "acme")))
    assert engine.ready("artifactindexes", "acme")[:2] == ("True", "NotSelected")


async def test_the_status_waits_for_a_plan_of_the_present_spec(engine: Engine) -> None:
    acme = index_key(ObjectRef(NAMESPACE, "acme"))
    engine.index("acme")
    engine.options()
    await engine.settle()
    engine.index("acme", generation=2)
    await engine.controller.reconcile(acme)
    assert engine.status("artifactindexes", "acme")["observedGeneration"] == -1

    await engine.settle()
    assert engine.status("artifactindexes", "acme")["observedGeneration"] == 2
