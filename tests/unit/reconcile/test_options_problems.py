"""Reconciles of an IndexOptions with something wrong: one problem blocks nothing else."""

import pytest

from artifact_index.reconcile.cache.objects import ObjectRef, OutputRef
from artifact_index.sources.policy import Policy
from support.blocked import blocked_at
from support.engine import BROKEN, FORBIDDEN, Engine, publish_token
from support.reconcile_builders import CANARY, NAMESPACE, source

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]


async def test_a_forbidden_secret_does_not_block_the_other_indexes(engine: Engine) -> None:
    engine.refuse(FORBIDDEN, lambda verb, plural, name: (verb, name) == ("get", "basic"))
    engine.index("static", source("basicAuth"))
    engine.index("open")
    engine.options({})
    await engine.settle()

    assert engine.entries()["open"] == "https://open.example/simple/"
    assert "invalid" in engine.entries()["basic"]
    status, reason, message = engine.ready("artifactindexes", "static")
    assert (status, reason) == ("False", "PermissionMissing")
    assert "'basic'" in message and "spec.basicAuth.secretRef" in message
    assert 0 < engine.due_in() <= 30


async def test_a_lost_output_with_a_forbidden_owner_is_reported_after_quiet_failures(
    engine: Engine,
) -> None:
    await publish_token(engine, {"outputs": [{"kind": "Secret", "name": "s"}]})
    del engine.port.objects["secrets", NAMESPACE, "s"]
    engine.cache.drop_output(OutputRef("Secret", NAMESPACE, "s"), version=1)
    engine.refuse(FORBIDDEN, lambda verb, plural, _: (verb, plural) == ("get", "indexoptions"))
    for _ in range(3):
        await engine.settle()
    assert engine.ready()[:2] == ("False", "PermissionMissing")
    assert "an output is gone" in engine.ready()[2] and "not yours" in engine.ready()[2]
    assert 0 < engine.due_in() < 121

    engine.refuse(FORBIDDEN, lambda *_: False)
    await engine.settle()
    assert engine.output_names() == {"s"} and engine.ready()[1] == "Available"


async def test_an_error_of_the_api_server_ends_the_reconcile_without_a_write(
    engine: Engine,
) -> None:
    engine.refuse(BROKEN, lambda verb, *_: verb == "get")
    engine.index("static", source("basicAuth"))
    engine.options({})
    await engine.settle()
    assert not engine.port.writes and engine.due_in() < 121


async def test_a_public_index_without_tls_is_blocked_and_other_indexes_are_published(
    engine: Engine,
) -> None:
    engine.index("open")
    engine.options({"publicIndex": {"url": "http://mirror.example/simple/"}})
    await engine.settle()
    status, reason, message = engine.ready()
    assert (status, reason) == ("False", "InsecureURL") and "Stalled" in engine.conditions()
    assert "spec.publicIndex.url" in message and "--allow-http" in message
    assert engine.entries() == {
        "pypi": blocked_at("uv-config", name="pypi", kind="indexoptions"),
        "open": "https://open.example/simple/",
    }
    assert engine.ready("artifactindexes", "open")[0] == "True"


async def test_a_public_index_without_tls_is_published_if_policy_allows_it() -> None:
    engine = Engine(allow_http=True)
    engine.index("open")
    engine.options({"publicIndex": {"url": "http://mirror.example/simple/"}})
    await engine.settle()
    assert engine.ready()[1] == "Available"
    assert engine.entries()["pypi"] == "http://mirror.example/simple/"


async def test_an_internal_error_keeps_indexes_and_outputs_in_the_status(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish_token(engine)
    before = engine.status()

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(CANARY)

    monkeypatch.setattr("artifact_index.reconcile.apply.rendering.desired_outputs", broken)
    engine.index("open")
    await engine.settle()
    status, reason, message = engine.ready()
    assert (status, reason) == ("False", "InternalError") and CANARY not in message
    assert engine.status()["indexes"] == before["indexes"]
    assert engine.status()["outputs"] == before["outputs"]
    assert engine.due_in() < 121


async def test_an_invalid_spec_is_reported_with_its_field(engine: Engine) -> None:
    await publish_token(engine)
    before = engine.status()
    engine.options({"maxBuildDuration": "long"})
    await engine.settle()
    status, reason, message = engine.ready()
    assert (status, reason) == ("False", "InvalidSpec") and "Stalled" in engine.conditions()
    assert "spec.maxBuildDuration" in message
    assert engine.status()["indexes"] == before["indexes"]


async def test_a_missing_secret_is_reported_as_stalled_when_its_grace_ends(engine: Engine) -> None:
    engine.secret("basic")
    engine.index("static", source("basicAuth"))
    engine.options({})
    await engine.settle()
    del engine.port.objects["secrets", NAMESPACE, "basic"]
    engine.cache.drop_source(ObjectRef(NAMESPACE, "basic"))
    await engine.settle()
    assert CANARY in engine.entries()["basic"]
    assert engine.ready("artifactindexes", "static")[1] == "SecretNotFound"
    assert engine.due_in() == pytest.approx(300, abs=5)

    engine.time += 300
    await engine.settle()
    assert CANARY not in str(engine.entries())
    assert "Stalled" in engine.conditions()


async def test_a_restart_does_not_restart_the_grace_of_a_missing_secret(engine: Engine) -> None:
    engine.index("static", source("basicAuth"))
    engine.options({})
    await engine.settle()
    assert engine.ready("artifactindexes", "static")[1] == "SecretNotFound"

    later = Engine(engine.port)
    later.time = engine.time + 299
    await later.operator.prime()
    await later.settle()
    assert later.due_in() == pytest.approx(1, abs=2)
    later.time += 1
    await later.settle()
    assert "Stalled" in later.conditions()


async def test_a_suspended_index_is_withdrawn_when_policy_forbids_its_identity(
    engine: Engine,
) -> None:
    spec = {**source("googleArtifactRegistry", auth=None), "name": "gar"}
    engine.index("gar", spec)
    engine.options({})
    await engine.settle()
    assert "minted-1" in engine.entries()["gar"]

    engine.index("gar", {**spec, "suspend": True}, generation=2)
    await engine.settle()
    assert "minted-1" in engine.entries()["gar"]
    assert engine.status()["indexes"][0]["reason"] == "Suspended"

    engine.policy = Policy(allow_http=False, operator_identity=False, missing_secret_grace=300)
    await engine.settle()
    assert "invalid" in engine.entries()["gar"]
