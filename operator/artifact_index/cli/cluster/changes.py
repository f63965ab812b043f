"""Changes of objects by the caller, and what becomes of them."""

import argparse
import asyncio
import sys
from typing import Any, Final

from artifact_index.cli.cluster.choice import RESOURCES, choice_of
from artifact_index.cli.cluster.connection import connected, explained, flags_of
from artifact_index.cli.cluster.objects import Observed
from artifact_index.cli.console import Exit, Painter, print_report
from artifact_index.cli.reports import ChangeReport, ObjectChange, Outcome
from artifact_index.kube.errors import ApiError
from artifact_index.kube.port import KubePort

_BAD: Final = {"Failed": Exit.UNKNOWN, "Refused": Exit.NOT_GOOD, "TimedOut": Exit.TIMED_OUT}
"""The first of these outcomes that an object has decides on the exit status."""


async def failure(api: KubePort, each: Observed, patch: dict[str, Any]) -> ObjectChange | None:
    """Apply a merge patch to an object; the result tells why that failed."""
    resource = RESOURCES[each.kind]
    try:
        await api.patch(resource, each.namespace, each.name, patch)
    except ApiError as error:
        flags = flags_of(api)
        message = explained(error, "patch", resource, each.namespace, each.name, flags=flags)
        return changed(each, "Failed", message)
    return None


def changed(
    each: Observed, outcome: Outcome, message: str, expires_at: str | None = None
) -> ObjectChange:
    """What became of an object."""
    return ObjectChange(object=each.ref, outcome=outcome, message=message, expires_at=expires_at)


def command_for(command: str, each: Observed) -> str:
    """The command line that does something else with the object."""
    return f"`artifact-index {command} {each.arguments}`"


async def set_suspended(chosen: argparse.Namespace, *, suspend: bool) -> ChangeReport:
    """Suspend or resume what the flags choose. Raises CommandError."""
    choice = choice_of(chosen)
    async with connected(chosen) as api:
        objects = await choice.read(api)
        changes = await asyncio.gather(*(_set_suspended(api, each, suspend) for each in objects))
    return ChangeReport(objects=changes)


async def _set_suspended(api: KubePort, each: Observed, suspend: bool) -> ObjectChange:
    if each.suspended == suspend:
        return changed(each, "Unchanged", "suspended already" if suspend else "not suspended")
    # Without a value nobody is recorded as the one who decided on the field.
    if failed := await failure(api, each, {"spec": {"suspend": True if suspend else None}}):
        return failed
    if not suspend:
        return changed(each, "Resumed", f"resumed; {command_for('why', each)} shows how it goes")
    meaning = "no token is requested for it, and its entry stays until its token is withdrawn"
    if not each.is_index:
        meaning = "its files are neither written nor repaired, and no token is withdrawn from them"
    until = f"until {command_for('resume', each)}"
    return changed(each, "Suspended", f"suspended {until}: {meaning}")


def finish(report: ChangeReport, chosen: argparse.Namespace) -> Exit:
    """Print what became of each object, and return the exit status."""
    if chosen.output == "text":
        paint = Painter(chosen)
        for each in report.objects:
            mark = paint("red", "✗") if each.outcome in _BAD else paint("green", "✓")
            sys.stdout.write(f"{mark} {each.object.text}: {each.message}\n")
    else:
        print_report(report, chosen.output)
    outcomes = {each.outcome for each in report.objects}
    return next((status for outcome, status in _BAD.items() if outcome in outcomes), Exit.GOOD)
