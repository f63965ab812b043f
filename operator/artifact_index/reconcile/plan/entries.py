"""Plans the indexes of one IndexOptions: names, entries, fallbacks and blocked entries. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from artifact_index.api.reasons import Reason
from artifact_index.credentials.tokens.freshness import Margins, Shortfall
from artifact_index.formats.document import IndexEntry, asked_of_entry
from artifact_index.formats.names import NameAssignment
from artifact_index.reconcile.cache.objects import ObjectRef, options_kind
from artifact_index.reconcile.plan.blocked import blocked_entry, describing
from artifact_index.reconcile.plan.fallback import Published, fallback_for
from artifact_index.reconcile.plan.naming import name_indexes
from artifact_index.reconcile.plan.shadowing import shadowing_problems
from artifact_index.reconcile.resolve.memo import Memo, StateKey
from artifact_index.reconcile.resolve.resolution import SelectedIndex
from artifact_index.reconcile.resolve.token_view import IndexState, without_login
from artifact_index.sources.policy import Problem
from artifact_index.sources.registry import of


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """What one selected index gets in the files of one IndexOptions.

    `name` is the assigned name; None while there is none. `entry` is None if the index is left out.
    `published` is set if the entry holds a usable login. `failing` is why a published login cannot
    be refreshed; `shortfall` is why the tokens are too short for the promise to builds.
    `refresh_at` is when the token is due for a refresh, `recheck_at` when time alone changes the
    plan, `fresh_as_of` when the cloud last answered for the token, and `refused_as_of` when the
    last refresh request was answered by a problem; all in POSIX seconds. `note` says what looks
    like a slip in the source Secret.
    """

    selected: SelectedIndex
    name: str | None
    entry: IndexEntry | None
    published: Published | None
    problem: Problem | None
    failing: Problem | None = None
    shortfall: Shortfall | None = None
    shown_url: str | None = None
    refresh_at: int | None = None
    recheck_at: float | None = None
    fresh_as_of: float = -math.inf
    refused_as_of: float = -math.inf
    note: str = ""

    @property
    def ready(self) -> bool:
        """Whether the file holds what the spec asks for."""
        return self.problem is None

    @property
    def expires_at(self) -> int | None:
        """When the published credential expires, if that is known; POSIX seconds."""
        return self.published.expires_at if self.published else None


class PlanKey(NamedTuple):
    """Everything that the plan of a fresh login depends on."""

    state: StateKey
    name: NameAssignment


PlanMemo = Memo[PlanKey, IndexPlan]


def plan_indexes(
    indexes: Sequence[IndexState],
    *,
    published: Mapping[str, Published],
    assigned: Mapping[str, str],
    public_name: str | None,
    with_credentials: bool,
    margins: Margins,
    now: float,
    memo: PlanMemo | None = None,
) -> list[IndexPlan]:
    """Plan every selected index, in search order: higher priority first, then by object name.

    Those for uploads (`explicit` and `publish`), which are not searched, come after all others.
    `published` are the entries that the outputs hold, and `assigned` the names given earlier, both
    by UID. `with_credentials` means that some output holds logins, so that a published entry
    without its own is no fallback. `now` is in POSIX seconds. Through the `memo`, IndexOptions with
    the same state of an index share its plan.
    """
    usable = {
        uid: before for uid, before in published.items() if not (before.bare and with_credentials)
    }
    names, refused = name_indexes(indexes, usable, assigned, public_name)
    named = [index for index in indexes if index.selected.uid not in refused]
    refused |= shadowing_problems(named, usable)
    ordered = sorted(indexes, key=_place_in_file)
    return [
        _plan(
            refused.get(index.selected.uid, index),
            names[index.selected.uid],
            usable.get(index.selected.uid),
            margins,
            now,
            memo=memo,
        )
        for index in ordered
    ]


def plan_vanished(
    owner: ObjectRef,
    names: Mapping[str, str],
    staying: Mapping[str, Published],
    margins: Margins,
    now: float,
) -> list[IndexPlan]:
    """Plan the entries that an output still holds although no plan of its indexes goes into it.

    `names` are those of all its entries, by UID. Every token leaves at once, in one write: the next
    write would not know an entry that is blocked now. Static logins that are `staying` stay. The
    blocked entries name the IndexOptions that is the `owner`, since their objects are not known.
    """
    indexes = [
        without_login(_unknown_index(owner.namespace, uid, name), None, None)
        for uid, name in names.items()
    ]
    plans = plan_indexes(
        indexes,
        published=staying,
        assigned=names,
        public_name=None,
        with_credentials=True,
        margins=margins,
        now=now,
    )
    described_by = describing(options_kind(owner), owner)
    return [
        replace(plan, entry=replace(plan.entry, described_by=described_by))
        if plan.entry is not None and plan.entry.blocked
        else plan
        for plan in plans
    ]


def _unknown_index(namespace: str, uid: str, name: str) -> SelectedIndex:
    """Stand in for an ArtifactIndex of which only the published entry is known."""
    return SelectedIndex(ObjectRef(namespace, name), uid, generation=0, created="", spec=None)


def _plan(
    index: IndexState,
    name: NameAssignment,
    published: Published | None,
    margins: Margins,
    now: float,
    *,
    memo: PlanMemo | None,
) -> IndexPlan:
    if index.problem is None and not index.stands_still:
        return _shared(index, name, memo)
    if fallback := fallback_for(index, published, margins, now):
        plan = _with_fallback(index, fallback, name, margins)
    else:
        plan = _without_login(index, name)
    return replace(plan, fresh_as_of=index.fresh_as_of, refused_as_of=index.refused_as_of)


def _shared(index: IndexState, name: NameAssignment, memo: PlanMemo | None) -> IndexPlan:
    """Plan a fresh login once for all IndexOptions that have the same state of the index."""
    if memo is None or index.key is None:
        return _fresh(index, name)
    place, key = index.key.place, PlanKey(index.key, name)
    plan = memo.get(place, key)
    if plan is None:
        plan = _fresh(index, name)
        memo.put(place, key, plan)
    return plan


def _fresh(index: IndexState, name: NameAssignment) -> IndexPlan:
    """Plan a fresh login."""
    spec, login = index.selected.spec, index.login
    if spec is None or login is None or index.url is None:
        raise ValueError("an index without a problem has a login and a URL")
    source = of(spec)
    token = index.token.token if index.token else None
    entry = IndexEntry(
        name=name.name,
        url=index.url,
        credential=index.credential,
        verbatim_url=login.verbatim_url,
        public_path=source.public_path(),
        credentialed=login.credentialed,
        expires_at=token.expires_at if token else None,
        **asked_of_entry(spec, source.publish_url(index.url)),
    )
    published = Published(
        entry=entry,
        destination=index.destination,
        token=index.token_digest if token else None,
        endpoint=index.endpoint_digest,
        issued_at=token.issued_at if token else 0,
        expires_at=token.expires_at if token else None,
        repeats=index.token is not None and index.token.repeats,
        bare=login.token is not None and token is None,
    )
    return IndexPlan(
        index.selected,
        _assigned(name),
        entry,
        published,
        problem=None,
        failing=index.failing,
        shortfall=index.shortfall,
        shown_url=source.shown_url(index.url),
        refresh_at=index.refresh_at,
        fresh_as_of=index.fresh_as_of,
        refused_as_of=index.refused_as_of,
        note=login.note,
    )


def _with_fallback(
    index: IndexState, fallback: Published, name: NameAssignment, margins: Margins
) -> IndexPlan:
    """Keep the published login; the rest of the entry follows the spec unless it is suspended."""
    spec, entry = index.selected.spec, replace(fallback.entry, name=name.name)
    if spec is not None:
        entry = replace(entry, public_path=of(spec).public_path())
    if spec is not None and not index.suspended:
        entry = replace(entry, **asked_of_entry(spec, of(spec).publish_url(entry.url)))
    problem, failing = index.problem, None
    if index.login is not None and problem is not None:
        # The source is sound and a live token is published: a login that fails is a failing
        # refresh, and one that is awaited is neither. Other problems are the user's to mend.
        failing = None if problem.reason == Reason.MINTING_CREDENTIAL else problem
        problem = None
    return IndexPlan(
        index.selected,
        _assigned(name),
        entry,
        replace(fallback, entry=entry),
        problem=problem,
        failing=failing,
        shown_url=of(spec).shown_url(index.url or fallback.entry.url) if spec else None,
        recheck_at=_earliest(fallback.withdraw_at(margins), index.recheck_at),
    )


def _without_login(index: IndexState, name: NameAssignment) -> IndexPlan:
    """Block the index, or leave it out if its spec says `whenUnavailable: Omit`."""
    spec, problem = index.selected.spec, index.problem
    blocked = None
    if not _omits(index):
        blocked = blocked_entry(name.name, index.selected)
    if index.suspended and problem is None:
        problem = _suspended_without_login(index)
    return IndexPlan(
        index.selected,
        _assigned(name),
        blocked,
        None,
        problem,
        shown_url=of(spec).shown_url(index.url) if spec else None,
        recheck_at=index.recheck_at,
    )


def _assigned(name: NameAssignment) -> str | None:
    return name.name if name.assigned else None


def _earliest(*times: float | None) -> float | None:
    return min((time for time in times if time is not None), default=None)


def _suspended_without_login(index: IndexState) -> Problem:
    effect = "it is left out" if _omits(index) else "builds that ask it stop"
    return Problem(
        Reason.SUSPENDED,
        f"spec.suspend is true and no published login is still valid, so {effect}; set "
        "spec.suspend to false",
        must_act=True,
    )


def _omits(index: IndexState) -> bool:
    spec = index.selected.spec
    return spec is not None and spec.when_unavailable == "Omit"


def _place_in_file(index: IndexState) -> tuple[bool, int, str]:
    """An index for uploads comes last: of two with one URL uv reads with the first one's login."""
    spec, name = index.selected.spec, index.selected.ref.name
    if spec is None:
        return False, -100, name
    return spec.is_for_uploads, -spec.priority, name
