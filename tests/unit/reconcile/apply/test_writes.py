"""Writes of outputs: adoption, immutable objects, and what a refusal says."""

import pytest

from artifact_index.api.constants import ADOPT_ANNOTATION
from artifact_index.kube.errors import ApiError
from support.engine import Engine
from support.reconcile_builders import NAMESPACE, secret_body

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

INVALID = ApiError(422, "Invalid", 'secrets "uv-config" was refused: data (FieldValueForbidden)')


def events(engine: Engine, reason: str) -> list[str]:
    """The messages of all events with a reason."""
    return [
        body["message"]
        for (plural, _, _), body in engine.port.objects.items()
        if plural == "events" and body["reason"] == reason
    ]


def hand_over(engine: Engine, keys: int) -> None:
    """Somebody's Secret with an output's name, and their consent."""
    body = secret_body("uv-config", {f"key-{number:03}": "s3cret" for number in range(keys)})
    body["metadata"]["annotations"] = {ADOPT_ANNOTATION: "uv-config"}
    engine.port.put("secrets", body)


@pytest.mark.parametrize("keys", [0, 2, 200])
async def test_an_adoption_is_announced_once_with_the_keys_it_removes(
    engine: Engine, keys: int
) -> None:
    hand_over(engine, keys)
    engine.index("open")
    engine.options()
    await engine.settle()
    assert engine.ready()[1] == "Available"
    engine.options({"preferPrivate": False})
    await engine.settle()

    (message,) = events(engine, "Adopted")
    assert "Secret 'uv-config'" in message and len(message) < 1024 and "s3cret" not in message
    assert ("removed: key-000" in message) is bool(keys)
    assert ("and 190 more" in message) is (keys == 200)


async def test_nothing_else_is_announced_as_an_adoption(engine: Engine) -> None:
    engine.index("open")
    engine.options()
    await engine.settle()
    engine.options({"preferPrivate": False})
    await engine.settle()
    assert not events(engine, "Adopted")


async def test_an_immutable_output_is_deleted_and_created_anew(engine: Engine) -> None:
    engine.index("open")
    engine.options()
    await engine.settle()
    body = engine.port.find("secrets", NAMESPACE, "uv-config")
    assert body is not None
    before = dict(body["data"])
    body = engine.port.put("secrets", {**body, "immutable": True, "data": {"uv.toml": "eA=="}})
    engine.operator.feed.watched("secrets", "MODIFIED", body)
    await engine.settle()

    after = engine.port.find("secrets", NAMESPACE, "uv-config")
    assert after is not None and "immutable" not in after
    assert after["data"] == before
    assert engine.port.writes["delete", "secrets"] == 1
    assert engine.port.writes["create", "secrets"] == 2
    await engine.settle()
    assert engine.port.writes["delete", "secrets"] == 1


async def test_a_deletion_that_fails_is_tried_again_and_leaves_the_immutable_output(
    engine: Engine,
) -> None:
    engine.index("open")
    engine.options()
    await engine.settle()
    body = engine.port.find("secrets", NAMESPACE, "uv-config")
    assert body is not None
    body = engine.port.put("secrets", {**body, "immutable": True})
    engine.operator.feed.watched("secrets", "MODIFIED", body)
    refusal = ApiError(403, "Forbidden", "not yours")
    engine.refuse(refusal, lambda verb, *_: verb == "delete")
    for _ in range(3):
        await engine.settle()
    assert engine.ready()[1] == "WriteFailed"
    assert engine.port.find("secrets", NAMESPACE, "uv-config") == body

    engine.refuse(refusal, lambda *_: False)
    await engine.settle()
    assert engine.ready()[1] == "Available"
    assert "immutable" not in (engine.port.find("secrets", NAMESPACE, "uv-config") or {})


async def test_a_refusal_by_validation_says_what_to_do(engine: Engine) -> None:
    engine.index("open")
    engine.options()
    await engine.settle()
    engine.refuse(INVALID, lambda verb, plural, _: (verb, plural) == ("patch", "secrets"))
    engine.options({"preferPrivate": False})
    for _ in range(6):
        await engine.settle()
    _, reason, message = engine.ready()
    assert reason == "WriteFailed" and "FieldValueForbidden" in message
    assert "delete the object" in message
