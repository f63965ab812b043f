"""The documentation of one reason."""

from dataclasses import dataclass

from artifact_index.api.reasons import Reason


@dataclass(frozen=True, slots=True)
class ReasonDoc:
    """The meaning and the remedy of one reason.

    `kinds` are the kinds whose conditions can have it. `condition` is the type of a
    note's own condition, or of a further condition that can have the reason. `stalled_after` is the
    default number of seconds after which the user must act although the reason says retry;
    `stalled_where` says in words when that is so.
    """

    reason: Reason
    kinds: tuple[str, ...]
    meaning: str
    remedy: str
    condition: str | None = None
    stalled_after: int | None = None
    stalled_where: str | None = None
