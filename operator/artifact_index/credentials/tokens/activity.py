"""What the token manager is doing about one token."""

import math
from dataclasses import dataclass
from typing import Final

from artifact_index.credentials.requests import Token


@dataclass(frozen=True, slots=True)
class Idle:
    """The next attempt begins at `next_at`, in POSIX seconds; infinity: none is planned."""

    next_at: float


@dataclass(frozen=True, slots=True)
class Queued:
    """An attempt is due and waits for the rate limit; it has to succeed by `deadline`."""

    deadline: float


@dataclass(frozen=True, slots=True)
class InFlight:
    """A cloud is being asked for a successor of `replacing`; None: for a first token."""

    replacing: Token | None


Activity = Idle | Queued | InFlight

UNPLANNED: Final = Idle(math.inf)
