"""What a simulated operator lives with: logins of all kinds, outages, restarts, clock steps."""

import math
import random
from bisect import bisect_right
from dataclasses import dataclass, field

from artifact_index.credentials.tokens.freshness import Margins

HOUR = 3600
DAY = 86_400
EPOCH = 1_700_000_000
MARGINS = Margins()


@dataclass(frozen=True)
class Kind:
    """Logins of one sort: life of their tokens and length of the builds, in seconds.

    `source` is the field of the spec: CodeArtifact's, or Google's where tokens repeat, if empty.
    `promised`: whether builds of this length can be promised; None: not before the source has
    shown itself to repeat its tokens.
    """

    life: int
    build: int
    promised: bool | None
    repeats: bool = False
    source: str = ""


def logins(counts: dict[Kind, int]) -> dict[str, Kind]:
    """One login for each count of its kind, by name."""
    kinds = [kind for kind, count in counts.items() for _ in range(count)]
    return {f"login-{number:03}": kind for number, kind in enumerate(kinds)}


@dataclass
class Trouble:
    """When clouds, operator and clock fail, in seconds of the truth."""

    outages: list[tuple[float, float]] = field(default_factory=list)
    throttles: list[tuple[float, float]] = field(default_factory=list)
    restarts: list[tuple[float, float]] = field(default_factory=list)
    steps: list[tuple[float, float]] = field(default_factory=list)


def trouble(rng: random.Random, seconds: float) -> Trouble:
    """One misfortune after the other, none longer than R, each with time to recover from it."""
    found, at = Trouble(), 600.0
    longest = MARGINS.outage - 15
    while (at := at + rng.uniform(1800, 4 * 3600)) < seconds - 3600:
        match rng.choice(("outage", "outage", "throttle", "restart", "step")):
            case "outage":
                found.outages.append((at, at := at + rng.uniform(0.5, 1) * longest))
            case "throttle":
                found.throttles.append((at, at := at + rng.uniform(30, 300)))
            case "restart":
                found.restarts.append((at, at := at + rng.uniform(5, 300)))
            case _:
                # The clock is always within half of e of the truth, and so are any two of them.
                found.steps.append((at, rng.uniform(-0.5, 0.5) * MARGINS.clock_skew))
    return found


def during(windows: list[tuple[float, float]], now: float) -> bool:
    """Whether `now` lies in one of them; they are in order and apart."""
    at = bisect_right(windows, (now, math.inf))
    return at > 0 and now < windows[at - 1][1]
