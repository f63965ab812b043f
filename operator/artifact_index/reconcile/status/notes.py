"""Notes in a status about the limits of formats and about indexes that share a host. Pure."""

from collections import defaultdict
from collections.abc import Sequence

from artifact_index.api.conditions import FORMAT_LIMITED, HOST_SHARED
from artifact_index.api.constants import PYPI_URL
from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.api.reasons import Reason
from artifact_index.formats.base import FormatLimit, named
from artifact_index.formats.urls import place_of
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.outputs import DesiredOutput
from artifact_index.reconcile.status.conditions import DesiredCondition
from artifact_index.sources.policy import Problem


def format_problem(outputs: Sequence[DesiredOutput]) -> Problem | None:
    """The logins that a format cannot hold: the user asked for them and must act."""
    limits = _limits(outputs, severe=True)
    return Problem(limits[0].reason, _messages(limits)) if limits else None


def format_note(outputs: Sequence[DesiredOutput]) -> DesiredCondition | None:
    """Whatever else a format cannot say."""
    if not (limits := _limits(outputs, severe=False)):
        return None
    return DesiredCondition(FORMAT_LIMITED, "True", limits[0].reason, _messages(limits))


def shared_host_note(spec: IndexOptionsSpec, plans: Sequence[IndexPlan]) -> DesiredCondition | None:
    """Name indexes without a login on the host of an index with a login.

    uv tries a login that it has for a scheme, host and port with every index there.
    """
    open_indexes: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    credentialed: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for plan in plans:
        # The URL that may be shown of a preauthenticated index has no port.
        url = plan.entry.url if plan.entry is not None else ""
        place = place_of(url or plan.shown_url or "")
        if place is None or plan.selected.spec is None:
            continue
        has_login = plan.selected.spec.source.has_login
        names = (credentialed if has_login else open_indexes)[place.scheme, place.address]
        names.append(plan.selected.ref.name)
    public = place_of(spec.public_index.url or PYPI_URL)
    if spec.public_index.enabled and public is not None:
        open_indexes[public.scheme, public.address].append(spec.public_index.name)
    shared = [origin for origin in open_indexes if origin in credentialed]
    if not shared:
        return None
    message = "; ".join(
        f"{named(open_indexes[origin])} has no login and is on host {origin[1]!r} beside "
        f"{named(credentialed[origin])}, and uv may send it that login"
        for origin in shared
    )
    return DesiredCondition(HOST_SHARED, "True", Reason.ANONYMOUS_BESIDE_CREDENTIALED, message)


def _limits(outputs: Sequence[DesiredOutput], *, severe: bool) -> list[FormatLimit]:
    """Each limit once: two outputs of one format have the same."""
    limits = dict.fromkeys(limit for output in outputs for limit in output.limits)
    return [limit for limit in limits if limit.severe is severe]


def _messages(limits: Sequence[FormatLimit]) -> str:
    return "; ".join(limit.message for limit in limits)
