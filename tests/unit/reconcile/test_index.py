"""Reconciles of an ArtifactIndex: when its status is written, and of which plan."""

import base64

import pytest

from artifact_index.reconcile.cache.cache import index_key, options_key
from artifact_index.reconcile.cache.objects import ObjectRef
from support.blocked import blocked_at
from support.engine import GAR, OPTIONS, Engine
from support.reconcile_builders import CANARY, NAMESPACE, source

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


async def test_of_two_with_one_name_everything_that_is_reported_agrees(engine: Engine) -> None:
    """Also after a restart, which writes nothing; the younger is served once it has its name."""
    engine.secret("basic")
    engine.index("old", {**source("anonymous"), "name": "acme"}, created="2025-01-01T00:00:00Z")
    engine.options()
    await engine.settle()
    alone = engine.port.find("secrets", NAMESPACE, "uv-config")
    assert alone is not None and engine.ready()[1] == "Available"

    engine.index("young", {**source("basicAuth"), "name": "acme"})
    await engine.settle()
    text, before = (base64.b64decode(body["data"]["uv.toml"]).decode()
                    for body in (engine.port.find("secrets", NAMESPACE, "uv-config"), alone)
                    if body is not None)  # fmt: skip
    # That there are no logins is said only of the file with the other one alone.
    assert text.startswith(before.replace("# no logins\n", "", 1)) and CANARY not in text
    assert "# no logins\n" in before and "# no logins\n" not in text
    assert engine.entries()["young"] == blocked_at("young")
    assert engine.ready("artifactindexes", "old")[:2] == ("True", "Available")
    assert engine.ready("artifactindexes", "young")[:2] == ("False", "NameConflict")
    assert engine.ready()[:2] == ("False", "IndexesNotReady")
    assert "'young': NameConflict: spec.name 'acme'" in engine.ready()[2]
    assert engine.conditions() == {"Ready", "Stalled"}
    listed = {item["artifactIndex"]: item["reason"] for item in engine.status()["indexes"]}
    assert listed == {"old": "Available", "young": "NameConflict"}

    engine.port.writes.clear()
    later = Engine(engine.port)
    await later.operator.prime()
    await later.settle(*later.cache.all_keys())
    assert not later.port.writes
    await later.operator.close()

    engine.index("young", {**source("basicAuth"), "name": "young"})
    await engine.settle()
    assert CANARY in engine.entries()["young"] and engine.ready()[1] == "Available"


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
