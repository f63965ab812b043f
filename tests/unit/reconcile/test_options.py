"""Reconciles of an IndexOptions: which outputs are written, kept, pruned or left alone."""

import pytest

from artifact_index.api.constants import ADOPT_ANNOTATION
from artifact_index.api.reasons import Reason
from artifact_index.api.timestamps import format_time
from artifact_index.credentials.errors import LoginError
from artifact_index.reconcile.cache.cache import index_key
from artifact_index.reconcile.cache.objects import ObjectRef
from support.engine import FORBIDDEN, GAR, WITHDRAWAL, Engine, publish_token
from support.output_builders import controller_of
from support.reconcile_builders import HOUR, NAMESPACE, secret_body, source

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]


async def test_a_first_reconcile_writes_the_output_then_both_statuses(engine: Engine) -> None:
    await publish_token(engine)
    assert engine.ready("artifactindexes", "gar")[:2] == ("True", "Available")
    assert engine.port.writes == {
        ("create", "secrets"): 1,
        ("patch", "indexoptions/status"): 1,
        ("patch", "artifactindexes/status"): 1,
    }


async def test_a_second_reconcile_writes_nothing(engine: Engine) -> None:
    await publish_token(engine)
    engine.port.writes.clear()
    await engine.settle()
    assert not engine.port.writes and engine.mints == 1


async def test_a_restart_writes_and_mints_nothing(engine: Engine) -> None:
    await publish_token(engine)
    engine.secret("basic")
    engine.index("static", source("basicAuth"))
    await engine.settle()
    engine.port.writes.clear()

    later = Engine(engine.port)
    await later.operator.prime()
    await later.settle(*later.cache.all_keys())
    assert not engine.port.writes and later.mints == 0
    await later.operator.close()


@pytest.mark.parametrize("asking", ["gar", "other"])
async def test_a_refresh_request_on_any_index_of_a_login_renews_the_token_of_all(
    engine: Engine, asking: str
) -> None:
    await publish_token(engine)
    engine.index("other", {**GAR, "name": "other"})
    await engine.settle()
    assert engine.mints == 1

    engine.time += HOUR
    engine.index(asking, {**GAR, "name": asking}, generation=2, refresh_requested=engine.time)
    await engine.settle()

    assert engine.mints == 2
    assert all("minted-2" in engine.entries()[name] for name in ("gar", "other"))


@pytest.mark.parametrize("live", [True, False])
async def test_a_refused_refresh_request_is_repeated_in_the_status_and_stays_one(
    engine: Engine, live: bool
) -> None:
    """Over a live token, and without any: what fails as before changes no condition."""
    denied = LoginError(Reason.ACCESS_DENIED, "no permission")
    engine.error = None if live else denied
    engine.secret("gcp-key")
    engine.index("gar", GAR)
    engine.options()
    await engine.settle()
    engine.error = denied
    engine.time += HOUR
    asked = format_time(engine.time)
    engine.index("gar", GAR, refresh_requested=engine.time)
    await engine.settle()

    status = engine.status("artifactindexes", "gar")
    assert status["lastRefusedRefreshAt"] == asked and "lastHandledRefreshAt" not in status
    assert engine.ready("artifactindexes", "gar")[0] == str(live)
    writes = engine.record_writes()
    engine.time += 30
    await engine.settle()
    assert writes == []

    engine.error = None
    engine.time += HOUR
    again = format_time(engine.time)
    engine.index("gar", GAR, refresh_requested=engine.time, status=status)
    await engine.settle()
    status = engine.status("artifactindexes", "gar")
    assert (status["lastHandledRefreshAt"], status["lastRefusedRefreshAt"]) == (again, asked)


async def test_a_source_that_is_still_missing_refuses_a_request(engine: Engine) -> None:
    for name in ("basic", "other"):
        engine.index(name, source("basicAuth", secretRef={"name": name}))
    engine.options({})
    await engine.settle()
    engine.index("basic", source("basicAuth"), refresh_requested=engine.time)
    await engine.settle()

    status = engine.status("artifactindexes", "basic")
    assert status["lastRefusedRefreshAt"] == format_time(engine.time)
    assert "lastRefusedRefreshAt" not in engine.status("artifactindexes", "other")
    assert "lastRefusedRefreshAt" not in engine.status()


async def test_an_output_that_left_the_spec_is_pruned_once_the_new_one_is_written(
    engine: Engine,
) -> None:
    await publish_token(engine, {"outputs": [{"kind": "Secret", "name": "s"}]})
    foreign = secret_body("new", {"x": "y"})
    engine.port.put("secrets", foreign)
    engine.options({"outputs": [{"kind": "Secret", "name": "new"}]})
    await engine.settle()
    assert engine.ready()[1] == "TargetNotOwned" and engine.output_names() == {"s"}

    del engine.port.objects["secrets", NAMESPACE, "new"]
    await engine.settle()
    assert engine.output_names() == {"new"}


async def test_a_failed_prune_is_reported_and_retried(engine: Engine) -> None:
    await publish_token(engine, {"outputs": [{"kind": "Secret", "name": "s"}]})
    engine.options({"outputs": [{"kind": "Secret", "name": "new"}]})
    engine.refuse(FORBIDDEN, lambda verb, *_: verb == "delete")
    for _ in range(3):
        await engine.settle()
    assert engine.ready()[1] == "WriteFailed" and "Secret 's'" in engine.ready()[2]
    assert 0 < engine.due_in() < 121

    engine.refuse(FORBIDDEN, lambda *_: False)
    await engine.settle()
    assert engine.output_names() == {"new"} and engine.ready()[1] == "Available"


async def test_retain_releases_an_output_that_left_the_spec(engine: Engine) -> None:
    outputs = {"outputs": [{"kind": "Secret", "name": "s"}]}
    await publish_token(engine, outputs)
    engine.options({"outputs": [{"kind": "Secret", "name": "new"}], "deletionPolicy": "Retain"})
    await engine.settle()
    assert engine.output_names() == {"new"}
    released = engine.port.find("secrets", NAMESPACE, "s")
    assert released is not None and released["data"]
    assert not released["metadata"].get("ownerReferences")


async def test_an_object_of_somebody_else_is_left_alone_and_other_outputs_are_written(
    engine: Engine,
) -> None:
    engine.port.put("secrets", secret_body("taken", {"x": "y"}))
    engine.secret("gcp-key")
    engine.index("gar", GAR)
    outputs = [{"kind": "Secret", "name": name} for name in ("taken", "s")]
    engine.options({"outputs": outputs})
    await engine.settle()
    assert engine.ready()[1] == "TargetNotOwned" and "'taken'" in engine.ready()[2]
    assert engine.port.find("secrets", NAMESPACE, "taken")["data"].keys() == {"x"}  # type: ignore[index]
    assert "minted-1" in engine.entries("s")["gar"]
    assert engine.due_in() < 121

    # Its token is known to be there, and leaves at its time though the other never was written.
    engine.drop_index("gar")
    engine.time += WITHDRAWAL
    await engine.settle()
    assert "invalid" in engine.entries("s")["gar"]


async def test_an_output_of_a_deleted_owner_is_awaited_until_it_is_gone(engine: Engine) -> None:
    old = secret_body("uv-config", {"uv.toml": "x"}, labels={"artifactindex.dev/role": "output"})
    old["metadata"]["ownerReferences"] = [controller_of(uid="earlier")]
    engine.port.put("secrets", old)
    engine.index("open")
    engine.options({})
    await engine.settle()
    assert engine.ready()[1] == "WaitingForDeletion" and "Reconciling" in engine.conditions()
    assert engine.ready("artifactindexes", "open") == ("", "", "")
    assert engine.due_in() < 121


async def test_a_suspended_options_neither_writes_nor_mints(engine: Engine) -> None:
    engine.secret("gcp-key")
    engine.index("gar", GAR)
    engine.options({"suspend": True})
    await engine.settle()
    assert engine.output_names() == set() and engine.mints == 0
    assert engine.ready()[1] == "Suspended"
    await engine.settle(index_key(ObjectRef(NAMESPACE, "gar")))
    assert engine.ready("artifactindexes", "gar")[:2] == ("True", "NotSelected")
    # Its labels are right: advice to change them would mislead.
    message = engine.ready("artifactindexes", "gar")[2]
    assert "IndexOptions 'uv-config'" in message and "suspended" in message
    assert "labels" not in message


async def test_foreign_keys_are_removed_however_many_there_are(engine: Engine) -> None:
    many = secret_body("uv-config", {f"key-{number}": "x" for number in range(3000)})
    many["metadata"]["annotations"] = {ADOPT_ANNOTATION: "uv-config"}
    engine.port.put("secrets", many)
    engine.index("open")
    engine.options({})
    await engine.settle()
    assert engine.ready()[1] == "Available"
    written = engine.port.find("secrets", NAMESPACE, "uv-config")
    assert written is not None and written["data"].keys() == {"uv.toml"}
