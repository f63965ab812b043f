"""A resolved index with its token is memoised while its key stands, and no longer."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from artifact_index.reconcile.cache.objects import ObjectRef
from artifact_index.reconcile.resolve import resolver
from artifact_index.reconcile.resolve.memo import Place, SourceKey, StateKey, TokenKey
from artifact_index.sources.code_artifact import CodeArtifact
from support.reconcile_builders import (
    HOUR,
    NAMESPACE,
    NOW,
    options,
)
from support.resolving import CHANGES, INDEX, SPECS, Scene

pytestmark = pytest.mark.unit


async def same_as_fresh(scene: Scene) -> None:
    # As the re-read of a ServiceAccount does it; Secrets come from the watch.
    if (ref := ObjectRef(NAMESPACE, "builder")) in set(scene.cache.users.of_account):
        await scene.sources.accounts.read(ref, again=True)
    fresh = await scene.look_afresh()
    assert await scene.look() == fresh


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("spec", SPECS)
async def test_a_look_after_a_change_is_what_a_fresh_one_is(spec: str, change: str) -> None:
    scene = Scene()
    scene.put_index(SPECS[spec])
    await same_as_fresh(scene)
    CHANGES[change](scene)
    await same_as_fresh(scene)


@given(st.lists(st.sampled_from(sorted(CHANGES)), max_size=12))
@example(["no Secret", "a spec anonymous", "empty values", "a spec by access key"])
def test_a_look_after_any_history_is_what_a_fresh_one_is(history: list[str]) -> None:
    async def run() -> None:
        scene = Scene()
        for change in history:
            CHANGES[change](scene)
            await same_as_fresh(scene)

    asyncio.run(run())


@pytest.mark.parametrize("spec", ["by access key", "by ServiceAccount", "by password", "anonymous"])
async def test_a_state_and_its_plan_are_computed_once_while_the_key_stands(spec: str) -> None:
    scene = Scene()
    scene.put_index(SPECS[spec])
    first = await scene.look()
    scene.echo_status()
    scene.time += 60
    second = await scene.look()

    assert first.state.login is not None
    assert second.state is first.state and second.plan is first.plan


OTHERS: dict[str, tuple[str, Callable[[Scene], object]]] = {
    "max_build": ("by access key", CHANGES["long builds"]),
    "needs_token": ("by access key", CHANGES["no login in any output"]),
    "uid": ("by access key", Scene.recreate),
    "generation": ("by access key", CHANGES["a spec by ServiceAccount"]),
    "policy": ("by access key", CHANGES["http allowed"]),
    "secret": ("by access key", Scene.rotate),
    "account": ("by ServiceAccount", CHANGES["another role"]),
    "serial": ("by access key", Scene.issue_token),
    "issued_at": ("by access key", Scene.see_earlier_token),
    "servable": (
        "by access key",
        lambda scene: setattr(scene, "time", scene.time + 12 * HOUR - 60),
    ),
    "expired": ("by access key", CHANGES["half a day"]),
    "url": ("by access key", CHANGES["another URL"]),
}
"""For each part of the key, an index and what changes that part."""


def parts(key: StateKey | None) -> dict[str, Any]:
    assert key is not None and key.token is not None
    found: dict[str, Any] = {"url": key.url}
    return found | key.place._asdict() | key.source._asdict() | key.token._asdict()


@pytest.mark.parametrize("part", OTHERS)
async def test_each_part_of_the_key_ends_a_state(part: str) -> None:
    scene = Scene()
    spec, change = OTHERS[part]
    scene.put_index(SPECS[spec])
    before = await scene.look()
    change(scene)
    await scene.sources.accounts.read(ObjectRef(NAMESPACE, "builder"), again=True)
    after = await scene.look()

    assert after.state is not before.state and after.plan is not before.plan
    assert before.state.key != after.state.key
    if part != "needs_token":
        assert parts(before.state.key)[part] != parts(after.state.key)[part]


async def test_a_source_that_becomes_an_output_ends_a_state() -> None:
    scene = Scene()
    before = await scene.look()
    scene.make_outputs()
    after = await scene.look()

    assert after.state.problem is not None and after.state.problem.reason == "SourceIsOutput"
    assert before.state.key is not None and not before.state.key.source.secret_is_output
    assert after.state.key is None and after.plan.published is None


PARTS = ("ref", "place", "source", "token")
OF_THE_SPEC = ("secret_name", "account_name")


def test_every_part_of_the_key_is_tested() -> None:
    fields = {*Place._fields, *SourceKey._fields, *TokenKey._fields, *StateKey._fields}
    assert fields - {*PARTS, *OF_THE_SPEC, "secret_is_output"} == OTHERS.keys()


async def test_an_index_of_many_options_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def counted(owner: object, name: str) -> Callable[..., Any]:
        original: Callable[..., Any] = getattr(owner, name)

        def call(*args: Any, **how: Any) -> Any:
            calls.append(name)
            return original(*args, **how)

        return call

    for owner, name in (
        (resolver, "first_violation"), (CodeArtifact, "resolve"), (resolver, "with_token")
    ):  # fmt: skip
        monkeypatch.setattr(owner, name, counted(owner, name))
    scene = Scene()
    plans = set()
    for number in range(50):
        scene.options = options(f"o{number}", uid=f"uid-of-o{number}")
        plans.add(id((await scene.look()).plan))

    # The checks of the spec and of the source, then the login, then its token.
    assert calls == ["first_violation", "first_violation", "resolve", "with_token"]
    assert len(plans) == 1


async def test_a_missing_secret_is_forgotten_with_its_index() -> None:
    scene = Scene()
    scene.drop_secrets()
    await scene.look()
    assert len(scene.histories) == 1
    scene.resolver.forget(INDEX)
    assert len(scene.histories) == 0


async def test_the_grace_of_a_missing_secret_begins_anew_for_another_object() -> None:
    scene = Scene()
    scene.drop_secrets()
    assert (await scene.look()).state.recheck_at == NOW + 300
    scene.time += 400
    stalled = (await scene.look()).state.problem
    scene.recreate()
    waiting = (await scene.look()).state.problem

    assert stalled is not None and stalled.stalled
    assert waiting is not None and not waiting.stalled
