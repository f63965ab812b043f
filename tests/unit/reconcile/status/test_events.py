"""Events: once per transition, for trouble and for recovery from it, none for going well."""

from dataclasses import replace
from typing import Any

import pytest

from artifact_index.reconcile.cache.cache import index_key
from artifact_index.reconcile.cache.objects import ObjectRef
from artifact_index.reconcile.status.conditions import DesiredCondition, observed
from artifact_index.reconcile.status.events import Event, transitions
from artifact_index.reconcile.status.index_status import index_status
from support.engine import Engine
from support.reconcile_builders import NAMESPACE, NOW, index, source
from support.statuses import plan_of

pytestmark = pytest.mark.unit

REF = ObjectRef(NAMESPACE, "a")


def status(ready: str = "True", reason: str = "Available", **notes: str) -> dict[str, Any]:
    """A status with Ready, and notes by type with their reasons."""
    desired = [
        DesiredCondition("Ready", "True" if ready == "True" else "False", reason, f"is {reason}")
    ]
    desired += [DesiredCondition(kind, "True", why, f"note {why}") for kind, why in notes.items()]
    return observed(1, desired, previous={}, now=NOW)


NEW: dict[str, Any] = {"observedGeneration": -1}
GOOD = status()
DENIED = status("False", "AccessDenied")
LOST = status("False", "SecretNotFound")
MINTING = status("False", "MintingCredential")
FAILING = status(RefreshFailing="CloudUnavailable")
DENIED_BEHIND = status(RefreshFailing="AccessDenied")
BEHIND = status(RefreshFailing="NotWritten")
RISK = status(DependencyConfusionRisk="PublicIndexFirst")
SHORT = status(FreshnessNotGuaranteed="TokenTooShort")
OFF = status("True", "Suspended")
UNUSED = status("True", "NotSelected")

CASES: dict[str, tuple[dict[str, Any], dict[str, Any], list[tuple[str, str]]]] = {
    "a good start": (NEW, GOOD, []),
    "a start with waiting": (NEW, MINTING, []),
    "waiting that ended well": (MINTING, GOOD, []),
    "a start with trouble": (NEW, DENIED, [("Warning", "AccessDenied")]),
    "trouble": (GOOD, DENIED, [("Warning", "AccessDenied")]),
    "trouble that lasts": (DENIED, DENIED, []),
    "trouble with another message": (DENIED, {"conditions": [
        {**DENIED["conditions"][0], "message": "other"}]}, []),
    "trouble of another kind": (DENIED, LOST, [("Warning", "SecretNotFound")]),
    "trouble that became the user's": (LOST, status(
        "False", "SecretNotFound", Stalled="SecretNotFound"), []),
    "recovery": (DENIED, GOOD, [("Normal", "Available")]),
    "going well": (GOOD, GOOD, []),
    "suspended": (GOOD, OFF, []),
    "suspended amid trouble": (DENIED, status("False", "Suspended"), []),
    "resumed": (OFF, GOOD, []),
    "not selected any more": (GOOD, UNUSED, []),
    "selected": (UNUSED, GOOD, []),
    "waiting for a deletion": (GOOD, status("False", "WaitingForDeletion"), []),
    "a failing refresh": (GOOD, FAILING, [("Warning", "CloudUnavailable")]),
    "a refresh that goes on failing": (FAILING, FAILING, []),
    "a refresh that fails otherwise": (FAILING, DENIED_BEHIND, [("Warning", "AccessDenied")]),
    "a refresh that works again": (FAILING, GOOD, [("Normal", "Available")]),
    "a failing refresh that was suspended": (FAILING, OFF, []),
    "a failing refresh that nobody needs": (FAILING, UNUSED, []),
    "a failing refresh that became an outage": (
        FAILING, status("False", "CredentialExpired"), [("Warning", "CredentialExpired")]),
    "an output that cannot be written": (GOOD, status("False", "NotWritten"), []),
    "an output that keeps an older login": (GOOD, BEHIND, []),
    "an output that has the newest login again": (BEHIND, GOOD, []),
    "a risk": (GOOD, RISK, [("Warning", "PublicIndexFirst")]),
    "a risk that lasts": (RISK, RISK, []),
    "a risk that is gone": (RISK, GOOD, []),
    "a promise that cannot be kept": (GOOD, SHORT, [("Warning", "TokenTooShort")]),
    "a promise that can be kept again": (SHORT, GOOD, []),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_transition_posts_its_events_once(case: str) -> None:
    before, after, events = CASES[case]
    assert [(event.type, event.reason) for event in transitions(before, after)] == events


def test_an_event_has_the_conditions_words() -> None:
    assert transitions(GOOD, DENIED) == [Event("Warning", "AccessDenied", "is AccessDenied")]


def test_a_refresh_request_that_is_ignored_posts_an_event_once() -> None:
    asked = replace(index("acme", source("anonymous")), refresh_requested="now")
    noted = index_status(asked, plan_of("acme", source("anonymous")), NOW)
    (event,) = transitions(GOOD, noted)
    assert (event.type, event.reason) == ("Warning", "RefreshRequestIgnored")
    assert event.message.startswith(
        "The annotation artifactindex.dev/refresh-requested-at is not an RFC 3339 time"
    )
    assert not transitions(noted, noted) and not transitions(noted, GOOD)


@pytest.mark.parametrize("case", CASES)
def test_an_unchanged_status_posts_no_event(case: str) -> None:
    after = CASES[case][1]
    assert transitions(after, after) == []


async def written_in_turn(engine: Engine, *statuses: dict[str, Any]) -> list[tuple[str, str]]:
    """Write these statuses of one index; returns type and reason of each event."""
    writer = engine.operator.controller._reconcilers.index._writer
    for each in statuses:
        cached = engine.cache.indexes.get(REF)
        assert cached is not None
        await writer.write_index_status(cached, each)
    events = [body for (plural, _, _), body in engine.port.objects.items() if plural == "events"]
    return [(body["type"], body["reason"]) for body in events]


@pytest.mark.parametrize("between", [[MINTING], [MINTING, status("False", "NotWritten")]])
async def test_a_recovery_that_was_waited_for_is_told_once(between: list[dict[str, Any]]) -> None:
    engine = Engine()
    engine.index(REF.name)
    denied = ("Warning", "AccessDenied")
    told = await written_in_turn(engine, DENIED, *between, GOOD, MINTING, GOOD)
    assert told == [denied, ("Normal", "Available")]


async def test_what_a_deleted_index_waited_for_is_forgotten() -> None:
    engine = Engine()
    engine.index(REF.name)
    await written_in_turn(engine, DENIED, MINTING)
    engine.drop_index(REF.name)
    await engine.settle(index_key(REF))
    engine.index(REF.name)
    told = await written_in_turn(engine, GOOD)
    assert told == [("Warning", "AccessDenied")]
