"""When a token is refreshed and when it is withdrawn, so that a build never sees it die.

A builder reads the file once and uses the credential until its build ends. A refresh starts at
`expiry - m`; in the worst case it succeeds `R` later, is written `W` and visible in the pod `P`
after that, and a pod that read the old token just before then starts `S` later and builds for
`B`. With clocks that differ by at most `e` the old token lives long enough iff
`m >= R + W + P + S + B + e`.
"""

import hashlib
import math
from dataclasses import dataclass, fields
from typing import Final, Literal, NamedTuple

from artifact_index.settings import Settings

LEAST_REFRESH_PERIOD: Final = 30
"""Seconds. No promise is made that needs more frequent refreshes than this."""

MOST_JITTER: Final = 600
"""Seconds by which a refresh may be brought forward to spread the load."""


Phase = Literal["none", "live", "withdrawn", "expired"]
"""What may be done with a token; `none`: there is no token."""


@dataclass(frozen=True, slots=True)
class Margins:
    """The operator's assumptions, in seconds (settings of the administrator)."""

    outage: float = 600
    """R: an outage of the cloud, or of the operator, that no build may notice."""
    write: float = 5
    """W: from the issued token to the written output."""
    propagation: float = 95
    """P: from the written Secret to the file in a running pod (kubelet)."""
    pod_start: float = 120
    """S: from reading the Secret to the build's first request."""
    clock_skew: float = 60
    """e: the most that two clocks differ."""
    min_refresh_interval: float = 300
    """The least time between refreshes of tokens that live too short for the promise."""

    def __post_init__(self) -> None:
        for margin in fields(self):
            value = getattr(self, margin.name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{margin.name} must be a finite number of seconds, 0 or more")

    @property
    def first_use(self) -> float:
        """Seconds from an issued token to the first request of a new pod, by the slower clock.

        No build can use a token that lives shorter.
        """
        return self.write + self.propagation + self.pod_start + self.clock_skew

    def before_expiry(self, max_build: float) -> float:
        """`m`, in seconds: how long before its expiry a token has to be refreshed."""
        before_build = self.outage + self.write + self.propagation + self.pod_start
        return before_build + max(0.0, max_build) + self.clock_skew


def margins_of(settings: Settings) -> Margins:
    """The margins of the freshness formula, from the administrator's settings."""
    return Margins(
        outage=settings.outage_budget,
        write=settings.write_time,
        propagation=settings.propagation_time,
        pod_start=settings.pod_start_time,
        clock_skew=settings.clock_skew,
        min_refresh_interval=settings.min_refresh_interval,
    )


@dataclass(frozen=True, slots=True)
class Schedule:
    """What follows from a token's life. Times are whole POSIX seconds, durations whole seconds."""

    expires_at: int | None
    """When the token dies; None: never."""
    refresh_at: int | None
    """When the next token is asked for; None if this one never expires."""
    deadline: int | None
    """By when a refresh has to have succeeded for the promise to hold; None without a promise."""
    withdraw_at: int | None
    """When the token leaves the outputs; None if it never expires."""
    guaranteed: bool
    """Whether a build of the declared length never sees its token die."""
    longest_build: int | None
    """The longest build that a token of this life can promise, at least 0; None: any."""

    def phase_at(self, now: float) -> Phase:
        """What may be done with the token at this time."""
        if self.expires_at is None or self.withdraw_at is None:
            return "live"
        if now >= self.expires_at:
            return "expired"
        return "withdrawn" if now >= self.withdraw_at else "live"

    def next_phase_at(self, now: float) -> float:
        """When the phase changes; infinity: never."""
        changes = (self.withdraw_at, self.expires_at)
        return min((at for at in changes if at is not None and at > now), default=math.inf)

    def next_loss_at(self, now: float) -> float | None:
        """When the promise is broken or, after that, the token is withdrawn."""
        losses = (self.deadline, self.withdraw_at)
        return min((at for at in losses if at is not None and at > now), default=None)


_ENDLESS: Final = Schedule(None, None, None, None, guaranteed=True, longest_build=None)


def schedule(
    *, login_digest: str, issued_at: int, expires_at: int | None, max_build: float, margins: Margins
) -> Schedule:
    """The times of one token; the same inputs give the same times, also after a restart.

    For a life of at least 2 s: `issued_at < refresh_at <= withdraw_at < expires_at`. A shorter
    one is no life: both times are then the second before the expiry.
    """
    if expires_at is None:
        return _ENDLESS
    margin = margins.before_expiry(max_build)
    life = expires_at - issued_at
    longest = math.floor(life - margins.before_expiry(0) - LEAST_REFRESH_PERIOD)
    slack = life - margin
    guaranteed = slack >= LEAST_REFRESH_PERIOD
    # Pods see the withdrawal up to P late, by a clock up to e off; a short life bounds it.
    lead = min(margins.propagation + margins.clock_skew, life / 4)
    withdraw_at = expires_at - max(1, math.ceil(lead))
    if guaranteed:
        seed = hashlib.sha256(f"{login_digest}/{expires_at}".encode()).digest()
        fraction = int.from_bytes(seed[:6]) / 2**48
        refresh_at = math.floor(expires_at - margin - fraction * min(MOST_JITTER, slack / 10))
    else:
        # Never later than half the life: at least a quarter is then left for retries until the
        # withdrawal.
        interval = min(max(margins.min_refresh_interval, life / 3), life / 2)
        refresh_at = issued_at + max(1, math.floor(interval))
    return Schedule(
        expires_at=expires_at,
        refresh_at=min(refresh_at, withdraw_at),
        deadline=math.floor(expires_at - margin + margins.outage) if guaranteed else None,
        withdraw_at=withdraw_at,
        guaranteed=guaranteed,
        longest_build=max(0, longest),
    )


def guaranteed_until(expires_at: int, margins: Margins) -> int:
    """The last second at which a build may end that starts from this token's file."""
    return math.floor(expires_at - margins.pod_start - margins.clock_skew)


class Shortfall(NamedTuple):
    """The longest build that can be guaranteed, in seconds (0: none), and what to do about it."""

    longest_build: int
    note: str


def shortfall_note(
    *, life: int, max_build: float, longest_build: int | None, margins: Margins
) -> Shortfall:
    """The message of condition FreshnessNotGuaranteed, with the numbers and what to change.

    All in seconds: the life of a token, the declared build, and the longest build that can be
    guaranteed (0 or None if a source hands out one token until shortly before its expiry).
    """
    needed = margins.before_expiry(max_build) + LEAST_REFRESH_PERIOD
    sum_of = (
        f"outage {go_duration(margins.outage)}, write {go_duration(margins.write)}, "
        f"propagation {go_duration(margins.propagation)}, "
        f"pod start {go_duration(margins.pod_start)}, "
        f"clock skew {go_duration(margins.clock_skew)}, "
        f"shortest refresh period {go_duration(LEAST_REFRESH_PERIOD)}"
    )
    if longest_build:
        longest = go_duration(longest_build)
        promise = f"The longest build that can be guaranteed is {longest}"
        lower = f"lower spec.maxBuildDuration of the IndexOptions to at most {longest}"
    else:
        promise = "No build length can be guaranteed"
        lower = "let the operator's administrator lower the margins (--outage-budget first)"
    if life >= needed:
        problem = (
            "the source hands out the same token again until shortly before its expiry, "
            "so it cannot be refreshed early enough"
        )
        remedy = "use an identity whose tokens are minted on request"
    else:
        problem = (
            f"tokens are valid for {go_duration(life)}, but a build of {go_duration(max_build)} "
            f"needs at least {go_duration(needed)} ({sum_of})"
        )
        remedy = f"ask for longer-lived tokens, or {lower}"
    note = f"{promise}: {problem}. Tokens are still refreshed and published; {remedy}."
    return Shortfall(longest_build or 0, note)


def go_duration(seconds: float) -> str:
    """Seconds, rounded up, as the shortest Go duration: 3900 is `1h5m`, 0 is `0s`."""
    hours, rest = divmod(math.ceil(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    parts = [(hours, "h"), (minutes, "m"), (rest, "s")]
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
