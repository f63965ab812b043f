"""Notes in a status about the limits of formats and about indexes that share a host. Pure."""

from collections import defaultdict
from collections.abc import Sequence

from artifact_index.api.conditions import FORMAT_LIMITED, HOST_SHARED
from artifact_index.api.constants import PYPI_URL
from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.api.reasons import Reason
from artifact_index.formats.base import FormatLimit, named
from artifact_index.formats.urls import host_of
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

    uv tries a login that it has for a host and port with every index there.
    """
    open_indexes: defaultdict[str, list[str]] = defaultdict(list)
    credentialed: defaultdict[str, list[str]] = defaultdict(list)
    for plan in plans:
        host = host_of(plan.shown_url) if plan.shown_url is not None else None
        if host is None or plan.selected.spec is None:
            continue
        has_login = plan.selected.spec.source.has_login
        (credentialed if has_login else open_indexes)[host].append(plan.selected.ref.name)
    if spec.public_index.enabled:
        host = host_of(spec.public_index.url or PYPI_URL)
        open_indexes[host or ""].append(spec.public_index.name)
    shared = [host for host in open_indexes if host in credentialed]
    if not shared:
        return None
    message = "; ".join(
        f"{named(open_indexes[host])} has no login and is on host {host!r} beside "
        f"{named(credentialed[host])}, and uv may send it that login"
        for host in shared
    )
    return DesiredCondition(HOST_SHARED, "True", Reason.ANONYMOUS_BESIDE_CREDENTIALED, message)


def _limits(outputs: Sequence[DesiredOutput], *, severe: bool) -> list[FormatLimit]:
    """Each limit once: two outputs of one format have the same."""
    limits = dict.fromkeys(limit for output in outputs for limit in output.limits)
    return [limit for limit in limits if limit.severe is severe]


def _messages(limits: Sequence[FormatLimit]) -> str:
    return "; ".join(limit.message for limit in limits)
