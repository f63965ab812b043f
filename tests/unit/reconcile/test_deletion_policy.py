"""Owner references follow `deletionPolicy`, whatever else keeps the outputs from being written."""

from typing import Any

import pytest

from artifact_index.reconcile.cache.objects import ObjectRef
from support.engine import FORBIDDEN, Engine, publish_token
from support.reconcile_builders import NAMESPACE, OPTIONS_UID, secret_body

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

NOBODY: dict[str, Any] = {"indexSelector": {"matchLabels": {"no": "such"}}}
TAKEN: dict[str, Any] = {"outputs": [{"kind": "Secret", "name": "taken"}]}
HINDRANCES: dict[str, dict[str, Any]] = {
    "nothing else": {},
    "suspended": {"suspend": True},
    "nothing selected": NOBODY,
    "undeclared, and the new name is taken": TAKEN,
    "suspended and undeclared": {**TAKEN, "suspend": True},
}


def owners(engine: Engine) -> list[str]:
    """The UIDs of the owners of `uv-config`."""
    body = engine.port.find("secrets", NAMESPACE, "uv-config")
    assert body is not None
    return [each["uid"] for each in body["metadata"].get("ownerReferences") or ()]


def content(engine: Engine) -> Any:
    """Everything in `uv-config` but its owner."""
    body = engine.port.find("secrets", NAMESPACE, "uv-config")
    assert body is not None
    counted = ("resourceVersion", "ownerReferences")
    metadata = {key: value for key, value in body["metadata"].items() if key not in counted}
    return metadata, body["data"]


def is_observed(engine: Engine) -> bool:
    """Whether the status says that the newest spec was handled."""
    body = engine.port.find("indexoptions", NAMESPACE, "uv-config")
    assert body is not None
    return bool(body["status"]["observedGeneration"] == body["metadata"]["generation"])


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("hindrance", HINDRANCES)
async def test_owner_references_follow_the_policy_with(
    engine: Engine, hindrance: str, at_once: bool
) -> None:
    engine.port.put("secrets", secret_body("taken", {"mine": "x"}))
    await publish_token(engine)
    assert owners(engine) == [OPTIONS_UID]
    before, spec = content(engine), HINDRANCES[hindrance]
    if not at_once:
        engine.options(spec)
        await engine.settle()

    engine.port.writes.clear()
    engine.options({**spec, "deletionPolicy": "Retain"})
    await engine.settle()
    assert owners(engine) == [] and content(engine) == before and is_observed(engine)
    assert engine.port.writes["patch", "secrets"] == 1

    await engine.settle()
    engine.options(spec)
    await engine.settle()
    assert owners(engine) == [OPTIONS_UID] and content(engine) == before and is_observed(engine)
    assert engine.port.writes["patch", "secrets"] == 2


async def test_a_restart_follows_the_policy_of_a_suspended_options(engine: Engine) -> None:
    await publish_token(engine)
    engine.options({"suspend": True, "deletionPolicy": "Retain"})
    later = Engine(engine.port)
    await later.operator.prime()
    await later.settle(*later.cache.all_keys())
    assert owners(later) == [] and is_observed(later)

    engine.port.writes.clear()
    await later.settle(*later.cache.all_keys())
    assert not engine.port.writes
    await later.operator.close()


async def test_a_typed_secret_that_an_older_release_adopted_is_let_go_but_not_taken(
    engine: Engine,
) -> None:
    await publish_token(engine)
    body = engine.port.find("secrets", NAMESPACE, "uv-config")
    assert body is not None
    engine.port.put("secrets", {**body, "type": "kubernetes.io/basic-auth"})
    await engine.operator.prime()
    engine.options({"deletionPolicy": "Retain"})
    await engine.settle()
    assert owners(engine) == []
    engine.options({})
    await engine.settle()
    assert owners(engine) == []


@pytest.mark.parametrize("spec", [{}, {"suspend": True}, NOBODY])
async def test_a_spec_whose_policy_could_not_be_followed_is_not_observed(
    engine: Engine, spec: dict[str, Any]
) -> None:
    await publish_token(engine)
    engine.refuse(FORBIDDEN, lambda verb, plural, _: (verb, plural) == ("patch", "secrets"))
    engine.options({**spec, "deletionPolicy": "Retain"})
    for _ in range(3):
        await engine.settle()
    assert owners(engine) == [OPTIONS_UID] and not is_observed(engine)
    assert engine.ready()[:2] == ("False", "WriteFailed") and "'uv-config'" in engine.ready()[2]
    assert 0 < engine.due_in() < 121

    engine.refuse(FORBIDDEN, lambda *_: False)
    await engine.settle()
    assert owners(engine) == [] and is_observed(engine)


async def test_an_output_of_an_earlier_options_is_left_alone_while_suspended(
    engine: Engine,
) -> None:
    """It was retained; the next of this name takes it over with its first content."""
    await publish_token(engine, {"deletionPolicy": "Retain"} | {"outputs": _OUTPUT_S})
    engine.cache.drop_options(ObjectRef(NAMESPACE, "uv-config"))
    await engine.settle()
    engine.options({"suspend": True, "outputs": _OUTPUT_S}, uid="uid-of-the-next")
    engine.port.writes.clear()
    await engine.settle()
    assert not engine.port.writes["patch", "secrets"]

    engine.options({"outputs": _OUTPUT_S}, uid="uid-of-the-next")
    await engine.settle()
    body = engine.port.find("secrets", NAMESPACE, "s")
    assert body is not None
    assert [each["uid"] for each in body["metadata"]["ownerReferences"]] == ["uid-of-the-next"]


_OUTPUT_S = [{"kind": "Secret", "name": "s"}]
