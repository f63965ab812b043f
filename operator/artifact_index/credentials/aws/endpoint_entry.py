"""The URL of one CodeArtifact repository: what is known of it, and its lookups. No I/O."""

import asyncio
import itertools
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final

from artifact_index.credentials.attempts import Attempts
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import Requirement

_serials: Final = itertools.count(1)


@dataclass(frozen=True, slots=True)
class EndpointState:
    """What is known of a repository's URL."""

    url: str | None = None
    """As AWS answers it, without `simple/`."""
    error: LoginError | None = None
    """Why the last lookup failed."""
    pending_since: float | None = None
    """POSIX seconds since when a first outcome has been awaited; None once there was one."""
    serial: int = field(default_factory=_serials.__next__, compare=False)
    """Grows with every change: two states of one URL with the same serial are equal."""


@dataclass(slots=True, eq=False)
class EndpointEntry:
    """The URL of one repository, and the lookups of it."""

    digest: str
    state: EndpointState
    attempts: Attempts = field(default_factory=Attempts)
    requirement: Requirement | None = None
    """None once the URL is known, and while no consumer requires it: no key material is kept."""
    consumers: set[Hashable] = field(default_factory=set)
    wanted_since: float = 0.0
    """When the first of the present consumers came."""
    waits_for: str | None = None
    """The login whose next attempt lets the next lookup begin."""
    in_flight: bool = False
    """Whether a lookup is in flight."""
    timer: asyncio.TimerHandle | None = None

    def await_first(self) -> None:
        """Say that a first outcome is awaited, unless there was one."""
        self.set_pending(self.wanted_since if self.attempts.error is None else None)

    def set_pending(self, since: float | None) -> None:
        """Say since when a first outcome has been awaited."""
        if since != self.attempts.pending_since:
            self.attempts.pending_since = since
            self.changed()

    def changed(self) -> None:
        """Give a URL that is not known yet another state."""
        self.state = EndpointState(None, self.attempts.error, self.attempts.pending_since)
