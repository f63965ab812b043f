"""The indexes of one IndexOptions in their places: name, entry, what is served for now. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from artifact_index.api.reasons import Reason
from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.formats.document import IndexEntry
from artifact_index.formats.names import NameAssignment, NameRequest, NameTaken, assign_names
from artifact_index.formats.urls import host_of
from artifact_index.reconcile.cache.objects import ObjectRef
from artifact_index.reconcile.plan.fallback import Published, still_served
from artifact_index.reconcile.plan.shadowing import shadowing_problems
from artifact_index.reconcile.resolve.checks import Problem
from artifact_index.reconcile.resolve.memo import Memo, StateKey
from artifact_index.reconcile.resolve.resolution import SelectedIndex
from artifact_index.reconcile.resolve.token_view import IndexState, without_login
from artifact_index.sources.resolved import publish_url_of, shown_url_of


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """One selected index in one IndexOptions.

    `name` is the allotted name; None while none is allotted. `entry` is None where the index is
    left out. `served` is set where the entry holds a usable login. `recheck_at` is when time
    alone changes something.
    """

    record: SelectedIndex
    name: str | None
    entry: IndexEntry | None
    served: Published | None
    problem: Problem | None
    failing: Problem | None = None
    shortfall: str | None = None
    shown_url: str | None = None
    refresh_at: int | None = None
    recheck_at: float | None = None
    fresh_as_of: float = -math.inf
    """When the cloud last answered for the token, in POSIX seconds."""

    @property
    def ready(self) -> bool:
        """Whether the file serves what the spec asks for."""
        return self.problem is None

    @property
    def expires_at(self) -> int | None:
        """When the served credential expires, if that is known."""
        return self.served.expires_at if self.served else None


class PlanKey(NamedTuple):
    """Everything that the plan of a fresh login depends on."""

    state: StateKey
    name: NameAssignment


PlanMemo = Memo[PlanKey, IndexPlan]


def plan_indexes(
    views: Sequence[IndexState],
    *,
    served: Mapping[str, Published],
    assigned: Mapping[str, str],
    public_name: str | None,
    with_credentials: bool,
    margins: Margins,
    now: float,
    memo: PlanMemo | None = None,
) -> list[IndexPlan]:
    """Every selected index in search order: higher priority first, then by object name.

    `served` and `assigned` are what the outputs hold and which names were given out, by UID.
    `with_credentials` says that some output holds them, so that an entry without its own must not
    stand in. IndexOptions with the same state of an index share its plan through the `memo`.
    """
    usable = {uid: one for uid, one in served.items() if not (one.bare and with_credentials)}
    names = assign_names(
        (_candidate(view, usable, assigned) for view in views), public_name=public_name
    )
    shadowing = shadowing_problems(views, usable)
    ordered = sorted(views, key=lambda view: (-_priority(view), view.record.ref.name))
    return [
        _placed(
            shadowing.get(view.record.uid, view),
            names[view.record.uid],
            usable.get(view.record.uid),
            margins,
            now,
            memo=memo,
        )
        for view in ordered
    ]


def plan_vanished(
    namespace: str, served: Mapping[str, Published], margins: Margins, now: float
) -> list[IndexPlan]:
    """What is left of a file none of whose indexes is selected any more, tokens withdrawn.

    All tokens leave at once, in one write: an entry that is blocked now would otherwise be
    forgotten by the next one. A static login stays.
    """
    views = [
        without_login(
            SelectedIndex(ObjectRef(namespace, one.entry.name), uid, 0, "", None), None, None
        )
        for uid, one in served.items()
    ]
    return plan_indexes(
        views,
        served={uid: one for uid, one in served.items() if one.token is None},
        assigned={uid: one.entry.name for uid, one in served.items()},
        public_name=None,
        with_credentials=True,
        margins=margins,
        now=now,
    )


def _candidate(
    view: IndexState, served: Mapping[str, Published], assigned: Mapping[str, str]
) -> NameRequest:
    record = view.record
    host = host_of(view.url) if view.url is not None else None
    before = served.get(record.uid)
    if host is None and before is not None and before.scope == view.scope:
        host = host_of(before.entry.url)
    return NameRequest(
        uid=record.uid,
        object_name=record.ref.name,
        created=record.created,
        explicit_name=record.spec.name if record.spec else None,
        host=host,
        assigned_name=assigned.get(record.uid),
    )


def _placed(
    view: IndexState,
    name: NameAssignment | NameTaken,
    before: Published | None,
    margins: Margins,
    now: float,
    *,
    memo: PlanMemo | None,
) -> IndexPlan:
    if isinstance(name, NameAssignment) and view.problem is None and not view.stands_still:
        return _shared(view, name, memo)
    placed = _place_one(view, name, before, margins, now)
    return replace(placed, fresh_as_of=view.fresh_as_of)


def _place_one(
    view: IndexState,
    name: NameAssignment | NameTaken,
    before: Published | None,
    margins: Margins,
    now: float,
) -> IndexPlan:
    record = view.record
    if isinstance(name, NameTaken):
        return IndexPlan(record, None, None, None, _name_conflict(name))
    assigned = name.name if name.assigned else None
    kept = still_served(view, before, margins, now)
    if kept is not None:
        return _kept(view, kept, name.name, assigned, margins)
    blocked = None
    if not _omits(record):
        blocked = IndexEntry(
            name=name.name,
            url="",
            blocked=True,
            explicit=record.spec.explicit if record.spec else False,
        )
    return IndexPlan(
        record,
        assigned,
        blocked,
        None,
        _nothing_left(view) if view.suspended and view.problem is None else view.problem,
        shown_url=shown_url_of(record.spec, view.url) if record.spec else None,
        recheck_at=view.recheck_at,
    )


def _shared(view: IndexState, name: NameAssignment, memo: PlanMemo | None) -> IndexPlan:
    """Plan a fresh login once for all IndexOptions that have the same state of the index."""
    if memo is None or view.key is None:
        return _fresh(view, name)
    place, key = view.key.place, PlanKey(view.key, name)
    plan = memo.get(place, key)
    if plan is None:
        plan = _fresh(view, name)
        memo.put(place, key, plan)
    return plan


def _fresh(view: IndexState, name: NameAssignment) -> IndexPlan:
    """The plan of a fresh login."""
    spec, login = view.record.spec, view.login
    if spec is None or login is None or view.url is None:
        raise ValueError("a view without a problem has a login and a URL")
    entry = IndexEntry(
        name=name.name,
        url=view.url,
        credential=view.credential,
        verbatim_url=login.verbatim_url,
        credentialed=login.credentialed,
        explicit=spec.explicit,
        authenticate=spec.authenticate,
        ignore_error_codes=tuple(spec.ignore_error_codes),
        publish_url=publish_url_of(spec, view.url),
    )
    grant = view.token.token if view.token else None
    served = Published(
        entry=entry,
        scope=view.scope,
        token=view.token_digest if grant else None,
        endpoint=view.endpoint_digest,
        issued_at=grant.issued_at if grant else 0,
        expires_at=grant.expires_at if grant else None,
        repeats=view.token is not None and view.token.repeats,
        bare=login.token is not None and grant is None,
    )
    return IndexPlan(
        view.record,
        name.name if name.assigned else None,
        entry,
        served,
        problem=None,
        failing=view.failing,
        shortfall=view.shortfall,
        shown_url=shown_url_of(spec, view.url),
        refresh_at=view.refresh_at,
        fresh_as_of=view.fresh_as_of,
    )


def _kept(
    view: IndexState, kept: Published, name: str, assigned: str | None, margins: Margins
) -> IndexPlan:
    spec, entry = view.record.spec, replace(kept.entry, name=name)
    if spec is not None and not view.suspended:
        entry = replace(
            entry,
            explicit=spec.explicit,
            authenticate=spec.authenticate,
            ignore_error_codes=tuple(spec.ignore_error_codes),
            publish_url=publish_url_of(spec, entry.url),
        )
    served = replace(kept, entry=entry)
    # A login that fails or waits behind a live token of the same place is a failing refresh, not
    # an outage; a missing or unusable Secret and an unreadable spec are the user's to mend.
    behind = view.login is not None and view.problem is not None
    waiting = (
        behind and view.problem is not None and view.problem.reason == Reason.MINTING_CREDENTIAL
    )
    return IndexPlan(
        view.record,
        assigned,
        entry,
        served,
        problem=None if behind else view.problem,
        failing=view.problem if behind and not waiting else None,
        shown_url=shown_url_of(spec, view.url or kept.entry.url) if spec else None,
        recheck_at=_earliest(kept.withdraw_at(margins), view.recheck_at),
    )


def _earliest(*times: float | None) -> float | None:
    return min((time for time in times if time is not None), default=None)


def _nothing_left(view: IndexState) -> Problem:
    effect = "it is left out" if _omits(view.record) else "builds that ask it stop"
    return Problem(
        Reason.SUSPENDED,
        f"spec.suspend is true and there is no live login to go on with, so {effect}; set "
        "spec.suspend to false",
        must_act=True,
    )


def _omits(record: SelectedIndex) -> bool:
    return record.spec is not None and record.spec.when_unavailable == "Omit"


def _name_conflict(name: NameTaken) -> Problem:
    holder = f"ArtifactIndex {name.holder!r}" if name.holder else "the public index"
    return Problem(
        Reason.NAME_CONFLICT,
        f"spec.name {name.name!r} is the name of {holder} in the same file, in the form that "
        "environment variables take; choose another spec.name",
    )


def _priority(view: IndexState) -> int:
    return view.record.spec.priority if view.record.spec else 100
