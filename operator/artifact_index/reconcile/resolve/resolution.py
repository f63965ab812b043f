"""What an IndexOptions needs of an index, and what the index resolves to."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.index_options import OutputFormat
from artifact_index.formats.registry import login_formats, needs_login
from artifact_index.reconcile.cache.env import Env
from artifact_index.reconcile.cache.objects import IndexObject, ObjectRef, OptionsObject
from artifact_index.reconcile.cache.refresh_requests import refresh_request
from artifact_index.reconcile.resolve.memo import Place, SourceKey
from artifact_index.sources.base import ResolvedSource
from artifact_index.sources.policy import Policy, Problem


@dataclass(frozen=True, slots=True)
class Needs:
    """What one IndexOptions needs of each of its indexes, found once for each reconcile.

    `login_formats` are the formats of its outputs that may hold logins. `max_build` is in seconds.
    `fresh_after` is its own refresh request in POSIX seconds, until its status repeats it.
    """

    login_formats: frozenset[OutputFormat]
    max_build: int
    fresh_after: int | None
    policy: Policy

    def place_of(self, index: ObjectRef, spec: ArtifactIndexSpec) -> Place:
        """The place in the memo that it shares with every IndexOptions of the same needs."""
        return Place(index, self.max_build, needs_login(self.login_formats, spec))


class SelectedIndex(NamedTuple):
    """An ArtifactIndex without its status, so that a plan holds no old one in memory."""

    ref: ObjectRef
    uid: str
    generation: int
    created: str
    spec: ArtifactIndexSpec | None

    @classmethod
    def of(cls, index: IndexObject) -> "SelectedIndex":
        """The part of an ArtifactIndex that plans read."""
        return cls(index.ref, index.uid, index.generation, index.created, index.spec)

    @property
    def suspended(self) -> bool:
        """Whether the user suspended the index."""
        return self.spec is not None and self.spec.suspend

    def is_generation(self, uid: str, generation: int) -> bool:
        """Whether this is that object with that spec."""
        return (self.uid, self.generation) == (uid, generation)


@dataclass(frozen=True, slots=True)
class Resolved:
    """An index that passed its checks, with its login.

    `destination` is a digest of where the login may be sent. `place` and `key` are the memo's.
    `fresh_after` is the latest refresh request for its token that is not handled, in POSIX seconds.
    """

    index: IndexObject
    destination: str
    login: ResolvedSource
    place: Place
    key: SourceKey
    fresh_after: int | None


@dataclass(frozen=True, slots=True)
class Unresolved:
    """The first problem of an index, None if it is suspended; `destination` is None without a spec.

    `recheck_at` is when time alone changes the problem, and `refused_as_of` the refresh request
    that found it; both in POSIX seconds.
    """

    index: IndexObject
    destination: str | None
    problem: Problem | None
    recheck_at: float | None
    refused_as_of: float = -math.inf


Resolution = Resolved | Unresolved


def needs_of(options: OptionsObject, env: Env) -> Needs:
    """What an IndexOptions needs of each of its indexes."""
    spec, ref = options.spec, options.ref
    return Needs(
        login_formats=login_formats(spec, ref.name) if spec else frozenset(),
        max_build=spec.max_build_duration.seconds if spec else 0,
        fresh_after=unhandled_refresh(options, env),
        policy=env.policy(ref.namespace),
    )


def unhandled_refresh(requested: IndexObject | OptionsObject, env: Env) -> int | None:
    """The refresh request of an object, in POSIX seconds, until its status repeats it."""
    if requested.refresh_requested is None:
        return None
    request = refresh_request(requested, now=env.clock(), skew=env.margins.clock_skew)
    return request.at if request is not None and not request.handled else None
