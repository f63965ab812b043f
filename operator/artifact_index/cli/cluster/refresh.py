"""Requests for new tokens, and how they end."""

import argparse
import asyncio
import time
from collections.abc import Sequence, Set
from typing import Final

from artifact_index.api.conditions import READY, REFRESH_FAILING
from artifact_index.api.constants import REFRESH_REQUESTED_ANNOTATION
from artifact_index.api.reasons import Reason
from artifact_index.api.timestamps import format_time
from artifact_index.cli.cluster.changes import changed, command_for, failure
from artifact_index.cli.cluster.choice import Choice, choice_of
from artifact_index.cli.cluster.connection import connected
from artifact_index.cli.cluster.diagnosis import SEE_THE_OPERATOR, problems_of
from artifact_index.cli.cluster.objects import Observed
from artifact_index.cli.console import duration, show_progress
from artifact_index.cli.reports import ChangeReport, ObjectChange, ObjectRef
from artifact_index.kube.port import KubePort

READ_EVERY: Final = 1.0
"""Seconds between two looks at the objects."""

_MUST_ACT: Final = {each.value for each in Reason if each.must_act or each.missing_source}


async def refresh(chosen: argparse.Namespace) -> ChangeReport:
    """Request new tokens for what the flags choose, and wait for them if they say so.

    Raises CommandError.
    """
    choice = choice_of(chosen)
    async with connected(chosen) as api:
        objects = await choice.read(api)
        at = int(time.time())
        changes = await asyncio.gather(*(_request(api, each, at) for each in objects))
        if chosen.wait:
            asked = {change.object for change in changes if change.outcome == "Requested"}
            before = {each.ref: each for each in objects if each.ref in asked}
            ends = await _ends(api, choice, before, at, chosen.timeout)
            changes = [ends.get(change.object, change) for change in changes]
    return ChangeReport(objects=changes)


async def _request(api: KubePort, each: Observed, at: int) -> ObjectChange:
    if each.suspended:
        return changed(each, "Refused", _suspended(each))
    text = format_time(at)
    patch = {"metadata": {"annotations": {REFRESH_REQUESTED_ANNOTATION: text}}}
    message = f"requested at {text}; --wait would tell how it ends"
    return await failure(api, each, patch) or changed(each, "Requested", message)


def end_of(each: Observed, before: Observed, at: int, now: float) -> ObjectChange | None:
    """How the request for a token issued at `at` or later ended; None if it may still be fulfilled.

    `before` is the object as it was then. Both times are in POSIX seconds.
    """
    known = {(one.reason, one.message) for one in before.conditions}
    handled, refused = each.handled_refresh_at, each.refused_refresh_at
    if handled is not None and handled >= at and not _is_broken(each):
        until = None if each.expires_at is None else format_time(each.expires_at)
        good = f", good until {until}" if until else ""
        return changed(each, "Refreshed", f"refreshed in {duration(now - at)}{good}", until)
    if refused is not None and refused >= at:
        known = set()  # what the conditions say is the answer, even if they said it before
    refusal = _refusal(each, known)
    return changed(each, "Refused", refusal) if refusal else None


def _is_broken(each: Observed) -> bool:
    """Whether something else than the token is wrong, such as the URL that a cloud tells."""
    return each.handled and each.ready is not None and each.ready.status == "False"


def _refusal(each: Observed, known: Set[tuple[str, str]]) -> str | None:
    """Why the operator does not fulfil a request that it has seen; None if it may still do so.

    `known` are reason and message of conditions that are no answer to it: they are older, and the
    login is tried again.
    """
    if each.suspended:
        return _suspended(each)
    for one in each.conditions if each.handled else ():
        more = f"; more: {command_for('why', each)}"
        if one.reason == Reason.NOT_SELECTED:
            return f"{one.reason}: {one.message}{more}"
        if (one.reason, one.message) in known:
            continue
        if one.type == READY and REFRESH_REQUESTED_ANNOTATION in one.message:
            return f"{one.message}; set the clock of this machine, and request it again"
        failing = (one.type, one.status) in ((READY, "False"), (REFRESH_FAILING, "True"))
        if failing and (one.reason in _MUST_ACT or (one.type == READY and each.stalled)):
            return f"{one.reason}: {one.message}{more}"
    return None


def _suspended(each: Observed) -> str:
    return f"suspended, so nothing is refreshed: {command_for('resume', each)}, then try again"


async def _ends(
    api: KubePort, choice: Choice, before: dict[ObjectRef, Observed], at: int, seconds: float
) -> dict[ObjectRef, ObjectChange]:
    """How the request ends for each object, at the latest after so many seconds."""
    clock = asyncio.get_running_loop().time
    deadline, pending = clock() + seconds, before
    ends: dict[ObjectRef, ObjectChange] = {}
    while pending:
        current = {each.ref: each for each in await choice.read(api)}
        late = clock() >= deadline
        for ref, old in pending.items():
            each = current.get(ref)
            if each is None:
                ends[ref] = changed(old, "Refused", "deleted meanwhile")
            elif end := end_of(each, old, at, time.time()) or (late and _timed_out(each, seconds)):
                ends[ref] = end
        pending = {ref: old for ref, old in pending.items() if ref not in ends}
        if pending:
            left = deadline - clock()
            seen = _seen([current[ref] for ref in pending])
            show_progress(f"{len(ends)} of {len(before)} done; giving up in {duration(left)}{seen}")
            await asyncio.sleep(max(0.0, min(READ_EVERY, left)))
    show_progress("")
    return ends


def _seen(pending: Sequence[Observed]) -> str:
    """What is wrong with the first of those that are waited for, as the end of a line."""
    for each in pending:
        for problem in problems_of(each, time.time()):
            return f"; {problem.object.name}: {problem.reason}"
    return ""


def _timed_out(each: Observed, seconds: float) -> ObjectChange:
    why = _refusal(each, frozenset())
    if why is None:
        why = f"the operator has not answered; {SEE_THE_OPERATOR}"
        for problem in problems_of(each, time.time()):
            why = f"{problem.reason}: {problem.message}; more: {command_for('why', each)}"
            break
    return changed(each, "TimedOut", f"not refreshed within {duration(seconds)}: {why}")
