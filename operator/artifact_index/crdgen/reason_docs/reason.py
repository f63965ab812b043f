"""What the reference says of one reason."""

from dataclasses import dataclass

from artifact_index.api.reasons import Reason


@dataclass(frozen=True, slots=True)
class ReasonDoc:
    """The meaning and the remedy of one reason.

    `kinds` are the kinds whose conditions can have it. `condition` is the type of the condition
    that a note has as its own, or that the reason can also appear in. `stalled_after` is the number
    of seconds after which a reason to retry becomes one to act, by default; `stalled_where` says in
    words where it is one.
    """

    reason: Reason
    kinds: tuple[str, ...]
    meaning: str
    remedy: str
    condition: str | None = None
    stalled_after: int | None = None
    stalled_where: str | None = None
