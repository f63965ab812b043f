"""Notes in a status about the limits of formats and about indexes that share a host. Pure."""

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from artifact_index.api.conditions import FORMAT_LIMITED, HOST_SHARED
from artifact_index.api.constants import PYPI_URL
from artifact_index.api.index_options import OptionsSpec
from artifact_index.api.reasons import Reason
from artifact_index.formats.base import FormatLimit, login_of, named
from artifact_index.formats.document import IndexEntry
from artifact_index.formats.urls import place_of
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.outputs import DesiredOutput
from artifact_index.reconcile.status.conditions import DesiredCondition
from artifact_index.sources.policy import Problem

# The names for which the URLs of files have something else: a feed of Azure DevOps, also with the
# name of a view, and its project their GUIDs; a group or a project of GitLab its number.
_GUID: Final = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_FILES_ELSEWHERE: Final = re.compile(
    rf"/_packaging/(?!{_GUID}(@{_GUID})?/)[^/]+/pypi/"
    rf"|//(pkgs\.dev\.azure\.com/[^/]+|[^/]+\.visualstudio\.com)/(?!{_GUID}/)[^/]+/_packaging/"
    r"|/api/v4/(groups|projects)/(?![0-9]+/)[^/]+/(-/)?packages/pypi/",
    re.IGNORECASE,
)


def format_problem(outputs: Sequence[DesiredOutput]) -> Problem | None:
    """The logins that a format cannot hold: the user asked for them and must act."""
    limits = _limits(outputs, severe=True)
    return Problem(limits[0].reason, _messages(limits)) if limits else None


def format_note(outputs: Sequence[DesiredOutput]) -> DesiredCondition | None:
    """Whatever else a format cannot say."""
    if not (limits := _limits(outputs, severe=False)):
        return None
    return DesiredCondition(FORMAT_LIMITED, "True", limits[0].reason, _messages(limits))


def shared_host_note(spec: OptionsSpec, plans: Sequence[IndexPlan]) -> DesiredCondition | None:
    """Name the indexes that may be asked with the login of another one on their host.

    uv tries a login that it has for a scheme, host and port with every index there.
    """
    open_indexes: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    credentialed: defaultdict[tuple[str, str], list[IndexPlan]] = defaultdict(list)
    for plan in plans:
        # The URL that may be shown of a preauthenticated index has no port.
        url = plan.entry.url if plan.entry is not None else ""
        place = place_of(url or plan.shown_url or "")
        if place is None or plan.selected.spec is None:
            continue
        if plan.selected.spec.source.has_login:
            credentialed[place.scheme, place.address].append(plan)
        else:
            open_indexes[place.scheme, place.address].append(plan.selected.ref.name)
    public = place_of(spec.public_index.url or PYPI_URL)
    if spec.public_index.enabled and public is not None:
        open_indexes[public.scheme, public.address].append(spec.public_index.name)
    differing = [(origin[1], _of_different_logins(each)) for origin, each in credentialed.items()]
    elsewhere = [
        f"indexes on host {host!r} have different logins, and the files of ArtifactIndex "
        f"{named(names)} are not below the URL of their index, so clients may ask for them with "
        "another login and stop at 401 or 404; use one token for the host, or write the GUIDs of "
        "project and feed (Azure DevOps) or the number of the group or project (GitLab) in place "
        "of its name in spec.basicAuth.url or the Secret's URL"
        for host, found in differing
        if (names := [name for name, entry in found if _FILES_ELSEWHERE.search(entry.url)])
    ]
    pages = [
        f"indexes on host {host!r} have different logins, and ArtifactIndex {named(names)} is a "
        "page of links, for whose files clients may send another login and stop at 401 or 404; "
        "use one token for the host, or select them by different IndexOptions"
        for host, found in differing
        if (names := [name for name, entry in found if entry.flat])
    ]
    shared = [
        f"{named(open_indexes[origin])} has no login and is on host {origin[1]!r} beside "
        f"{named([plan.selected.ref.name for plan in credentialed[origin]])}, and uv may send it "
        "that login; unless the whole host is trusted, use another host for one of them"
        for origin in open_indexes
        if origin in credentialed
    ]
    files = [*elsewhere, *pages]
    if not files and not shared:
        return None
    reason = Reason.FILES_OUTSIDE_INDEX if files else Reason.ANONYMOUS_BESIDE_CREDENTIALED
    return DesiredCondition(HOST_SHARED, "True", reason, "; ".join([*files, *shared]))


def _of_different_logins(plans: Sequence[IndexPlan]) -> list[tuple[str, IndexEntry]]:
    """The name and the entry of each index of one host; none if all have the same login."""
    entries = [(plan.selected.ref.name, plan.entry) for plan in plans if plan.entry is not None]
    return entries if len({login_of(entry) for _, entry in entries} - {None}) > 1 else []


def _limits(outputs: Sequence[DesiredOutput], *, severe: bool) -> list[FormatLimit]:
    """Each limit once: two outputs of one format have the same."""
    limits = dict.fromkeys(limit for output in outputs for limit in output.limits)
    return [limit for limit in limits if limit.severe is severe]


def _messages(limits: Sequence[FormatLimit]) -> str:
    return "; ".join(limit.message for limit in limits)
