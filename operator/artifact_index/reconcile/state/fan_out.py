"""What a ClusterIndexOptions writes into its namespaces, and how far it has come."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from artifact_index.reconcile.cache.consents import Consents, IndexSet
from artifact_index.reconcile.cache.objects import ObjectRef, OptionsObject, OutputObject
from artifact_index.reconcile.plan.blocked import Blocked
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.fallback import Published, is_better
from artifact_index.reconcile.plan.outputs import DesiredOutput
from artifact_index.sources.policy import Problem

_QUIET_FAILURES: Final = 2
"""Failures in a row of a namespace that are retried before the status counts them."""

_MOST_CONTENTS: Final = 64
"""Contents that a standby keeps before it looks which of them still stand in an output."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What all namespaces with one set of indexes get; the outputs have no namespace yet.

    `problem` is why another output could not be rendered. `blocked`: the public index is.
    """

    plans: Sequence[IndexPlan]
    outputs: Sequence[DesiredOutput]
    problem: Problem | None
    blocked: bool = False

    def within(self, namespace: str) -> list[DesiredOutput]:
        """The outputs of a namespace; their texts are the same objects for all."""
        return [output.within(namespace) for output in self.outputs]

    @property
    def content(self) -> tuple[str, ...]:
        """The digests of what is written."""
        return tuple(output.digest for output in self.outputs)


def published_in(plans: Iterable[IndexPlan]) -> dict[str, Published]:
    """The entries of plans that hold a usable login, by UID of the index."""
    return {plan.selected.uid: plan.published for plan in plans if plan.published is not None}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why outputs in a namespace could not be written, and how often in a row by API errors.

    `content` is the `Rendered.content` that could not be written, empty for a withdrawal. None if
    no other content could be written either.
    """

    problem: Problem
    content: tuple[str, ...] | None
    errors: int = 0

    def is_of(self, content: tuple[str, ...]) -> bool:
        """Whether this content has been tried: it is tried again in its own time."""
        return self.content is None or self.content == content

    @property
    def counts(self) -> bool:
        """Whether the status counts it: not a brief outage of the API server."""
        return not 0 < self.errors <= _QUIET_FAILURES


@dataclass(slots=True)
class FanOut:
    """The outputs of one ClusterIndexOptions. Namespaces are named; times are in POSIX seconds."""

    uid: str = ""
    generation: int = 0
    rendered: dict[IndexSet, Rendered] = field(default_factory=dict)
    """What the object with this UID and generation asks for."""

    consents: Consents = field(default_factory=lambda: Consents(()))
    """Those of the last look at a namespace: a wave looks a thousand times."""

    replacing: dict[tuple[str, IndexSet], DesiredOutput] = field(default_factory=dict)
    """What goes on instead of a content, by its digest and what the namespace gets: with the
    indexes that it holds, where all do not fit, or without its tokens, where nothing renews them.
    """

    unserved: frozenset[ObjectRef] = frozenset()
    """The indexes that it selects and that no namespace gets."""

    wave: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The namespaces that the last pass found to differ, with the content that each has to get."""

    pending: set[str] = field(default_factory=set)
    """Those of the wave that are yet to be written."""

    settled: set[str] = field(default_factory=set)
    """Those that were brought to what is `rendered` since that was known."""

    standing: set[str] = field(default_factory=set)
    """The namespaces that have outputs, whether up to date or not."""

    counted: frozenset[str] = frozenset()
    """The namespaces that the last pass knew as selected."""

    failing: dict[str, Failure] = field(default_factory=dict)
    held: dict[str, Mapping[str, Published]] = field(default_factory=dict)
    """The entries in outputs, by the digest of the content: thousands of outputs share a few."""

    blocked: dict[str, Blocked] = field(default_factory=dict)
    """The entries at which outputs stop builds, by the digest of the content, if there are any."""

    most_held: int = _MOST_CONTENTS
    """Contents that a standby keeps before it looks which of them still stand."""

    withdraw_at: float = math.inf
    """When the first token must leave the outputs."""

    quiet_until: float = -math.inf
    """When the status may say how far a wave has come."""

    def rendered_for(self, options: OptionsObject, indexes: IndexSet) -> Rendered | None:
        """What a namespace with this set gets; None if it has not been rendered for this spec."""
        if not options.is_generation(self.uid, self.generation):
            return None
        return self.rendered.get(indexes)

    def hold(
        self,
        digest: str,
        published: Mapping[str, Published],
        blocked: Blocked,
        standing: Callable[[], Iterable[OutputObject]] | None = None,
    ) -> None:
        """Keep what outputs with a content hold.

        A standby is not told when the last output of a content goes: what is not `standing` is
        forgotten now and then.
        """
        self.held[digest] = published
        if blocked:
            self.blocked[digest] = blocked
        if standing is not None and len(self.held) > self.most_held:
            kept = {output.digest for output in standing()} | {digest}
            self.forget(self.held.keys() - kept)
            self.most_held = max(_MOST_CONTENTS, 2 * len(self.held))

    def forget(self, digests: Iterable[str]) -> None:
        """Forget contents that no output has any more."""
        for digest in digests:
            del self.held[digest]
            self.blocked.pop(digest, None)

    def published(self, outputs: Iterable[OutputObject]) -> dict[str, Published]:
        """The entries that some of the outputs hold, by UID of the index.

        The content of most of them counts, but for newer tokens: whoever puts an old content of
        ours back into a namespace decides nothing for the others.
        """
        published: dict[str, Published] = {}
        for digest, _ in Counter(output.digest for output in outputs).most_common():
            for uid, entry in self.held.get(digest, {}).items():
                known = published.get(uid)
                if known is None or not is_better(known, entry):
                    published[uid] = entry
        return published

    def begin(
        self, wave: dict[str, tuple[str, ...]], *, quiet_until: float
    ) -> tuple[list[str], list[str]]:
        """Take in what a pass found to differ; returns what to write at once, and what later.

        What has just been written and differs all the same is undone by somebody: not at once. What
        the API server has refused is tried again by itself, later after each failure. What has been
        written during the pass is no part of it.
        """
        for namespace in self.settled & wave.keys():
            del wave[namespace]
        if wave and not self.pending:
            self.quiet_until = quiet_until
        again = {namespace for namespace, _ in wave.items() & self.wave.items()}
        retried = {each for each in again if self.is_retried(each)}
        self.wave, self.pending = wave, set(wave) - retried
        return sorted(wave.keys() - again), sorted(again - retried)

    @property
    def unsettled(self) -> bool:
        """Whether a namespace is yet to be written, or has failed too seldom to be counted."""
        return bool(self.pending) or not all(each.counts for each in self.failing.values())

    def is_retried(self, namespace: str) -> bool:
        """Whether a namespace is tried again by itself, after an error of the API server."""
        failure = self.failing.get(namespace)
        return failure is not None and failure.errors > 0

    def settle(self, namespace: str, failure: Failure | None, *, stands: bool) -> bool:
        """Take in what became of a namespace; True if the status may have to say it."""
        before = self.failing.get(namespace), namespace in self.standing
        self.pending.discard(namespace)
        self.settled.add(namespace)
        (self.standing.add if stands else self.standing.discard)(namespace)
        if failure is None:
            self.failing.pop(namespace, None)
        else:
            self.failing[namespace] = failure
        # What stands may be left from another namespace of the name, whose end is told late.
        is_new = failure is None and stands is not (namespace in self.counted)
        return is_new or before != (failure, stands)

    def priority_of(self, namespace: str) -> float:
        """A namespace without its outputs goes first: its builds wait. In POSIX seconds."""
        return self.withdraw_at if namespace in self.standing else 0.0

    def stand_by(self) -> None:
        """Forget what only this process has found; what outputs hold is kept."""
        self.rendered.clear()
        self.replacing.clear()
        self.pending.clear()
        self.wave.clear()
        self.settled.clear()
        self.standing.clear()
        self.counted = frozenset()
        self.failing.clear()
        self.unserved, self.quiet_until = frozenset(), -math.inf
