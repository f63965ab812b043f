"""The phases of a round, and what is measured of each."""

from dataclasses import dataclass, field

COLD_START, RESTART, IDLE = "cold start", "restart", "idle"
KEY_ROTATED, TOKEN_REFRESHED = "key rotated", "token refreshed"
STORM, SECRETS_CHANGED = "storm of edits", "secrets changed"
NAMESPACES_ADDED = "namespaces added"

WITH_BARE_LOOP = (COLD_START, KEY_ROTATED, TOKEN_REFRESHED)
"""The phases whose writes the bare loop repeats."""


@dataclass(frozen=True)
class Durations:
    """Seconds: `idle`, for how long the operator is watched doing nothing, `storm`, in which all
    edits come, and `life` of the tokens minted after the key is rotated: a little more than what
    the freshness formula sets aside, so that their refresh can be waited for."""

    idle: float
    storm: float
    life: int


@dataclass
class Phase:
    """One thing that the operator did, and what it cost; None where it has no meaning.

    Seconds: `total` from its first request (or from what made it act) to its last write,
    `writing` from the first to the last write, `bare` the bare loop's from first to last write.
    `start_up` is from the start of the process to its first request, `bare_start_up` that of the
    bare loop until it could write, `ready` to /readyz.
    `memory` is the peak in MiB; of the idle phase it is the growth. `ratio` is `total` over
    `bare`, `cpu_ratio` is `cpu` over `bare_cpu`; `work_ratio` that of the CPU times with the API
    server's, which a machine that is busy with other things distorts less. `stored` are the MiB of
    JSON that both kinds and the outputs are on the API server afterwards. `answer_p50` and
    `answer_p99` are milliseconds from one change to the answer to the write that it led to.
    """

    scene: str
    name: str
    writes: dict[str, int] = field(default_factory=dict)
    reads: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    mints: int = 0
    endpoint_calls: int = 0
    total: float | None = None
    writing: float | None = None
    bare: float | None = None
    ratio: float | None = None
    start_up: float | None = None
    bare_start_up: float | None = None
    ready: float | None = None
    cpu: float | None = None
    bare_cpu: float | None = None
    cpu_ratio: float | None = None
    server_cpu: float | None = None
    bare_server_cpu: float | None = None
    work_ratio: float | None = None
    memory: float | None = None
    stored: float | None = None
    lag_p99: float | None = None
    lag_worst: float | None = None
    answer_p50: float | None = None
    answer_p99: float | None = None

    def compare(self) -> None:
        """Set the operator against the bare loop."""
        if self.total and self.bare:
            self.ratio = self.total / self.bare
        if self.cpu and self.bare_cpu:
            self.cpu_ratio = self.cpu / self.bare_cpu
        if self.cpu and self.server_cpu and self.bare_cpu and self.bare_server_cpu:
            bare = self.bare_cpu + self.bare_server_cpu
            self.work_ratio = (self.cpu + self.server_cpu) / bare
