"""What a status says of formats, and of indexes that share a host. Pure."""

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


def format_problem(written: Sequence[DesiredOutput]) -> Problem | None:
    """The logins that a format could not hold: somebody asked for them and must act."""
    limits = [limit for limit in _limits(written) if limit.severe]
    if not limits:
        return None
    return Problem(limits[0].reason, "; ".join(one.message for one in limits))


def format_note(written: Sequence[DesiredOutput]) -> DesiredCondition | None:
    """What else a format cannot say."""
    limits = [limit for limit in _limits(written) if not limit.severe]
    if not limits:
        return None
    message = "; ".join(one.message for one in limits)
    return DesiredCondition(FORMAT_LIMITED, "True", limits[0].reason, message)


def shared_host_note(
    spec: IndexOptionsSpec, placed: Sequence[IndexPlan]
) -> DesiredCondition | None:
    """Indexes without a login on the host of one that has a login.

    uv takes the host with its port for one place, and tries a login that it has for it.
    """
    open_ones: defaultdict[str, list[str]] = defaultdict(list)
    credentialed: defaultdict[str, list[str]] = defaultdict(list)
    for one in placed:
        host = host_of(one.shown_url) if one.shown_url is not None else None
        if host is None or one.record.spec is None:
            continue
        has_login = one.record.spec.source.has_login
        (credentialed if has_login else open_ones)[host].append(one.record.ref.name)
    if spec.public_index.enabled:
        host = host_of(spec.public_index.url or PYPI_URL)
        open_ones[host or ""].append(spec.public_index.name)
    shared = [host for host in open_ones if host in credentialed]
    if not shared:
        return None
    message = "; ".join(
        f"{named(open_ones[host])} has no login and is on host {host!r} beside "
        f"{named(credentialed[host])}, and uv may send it that login"
        for host in shared
    )
    return DesiredCondition(HOST_SHARED, "True", Reason.ANONYMOUS_BESIDE_CREDENTIALED, message)


def _limits(written: Sequence[DesiredOutput]) -> list[FormatLimit]:
    """Each limit once: two outputs of one format have the same."""
    return list(dict.fromkeys(limit for output in written for limit in output.limits))
