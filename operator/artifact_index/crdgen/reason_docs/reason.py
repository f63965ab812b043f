"""What is known of one reason of a condition."""

from dataclasses import dataclass
from typing import Literal

Polarity = Literal["available", "retry", "act", "note", "keep"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason.

    `kinds` are the kinds whose conditions can have it. `polarity` says what it does to Ready:
    see `CONDITIONS_OF` in `reasons.py`. `condition` is the type of the condition that a note has
    as its own, or that the reason can also appear in. `stalled_after` is the number of seconds
    after which a reason to retry becomes one to act, by default; `stalled_where` says in words
    where it is one.
    """

    name: str
    kinds: tuple[str, ...]
    polarity: Polarity
    meaning: str
    remedy: str
    condition: str | None = None
    stalled_after: int | None = None
    stalled_where: str | None = None
