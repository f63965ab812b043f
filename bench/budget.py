"""What each phase must write, mint and ask, and what it may cost."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bench.fan_out import FanOut
from bench.phase import (
    COLD_START,
    IDLE,
    KEY_ROTATED,
    NAMESPACES_ADDED,
    SECRETS_CHANGED,
    STORM,
    TOKEN_REFRESHED,
    Phase,
)
from bench.scene import Scene


@dataclass(frozen=True)
class Budget:
    """What a phase may cost; None where nothing is promised.

    Time and CPU are ratios to the bare loop of the same round, so that they hold on any machine:
    `ratio` to its time, `cpu` to its CPU in a cold start. Where few writes would drown in what is
    loaded at first use, `start_ups` times the bare loop's own start-up comes on top of the time.
    `memory` is MiB, `answer_p99` and `lag_p99` are milliseconds.
    """

    ratio: float = 1.5
    start_ups: float = 0.0
    cpu: float | None = None
    memory: float | None = 125.0
    answer_p99: float | None = None
    lag_p99: float | None = 100.0


@dataclass(frozen=True)
class Expected:
    """`writes` are the least and the most of each label of `Requests.writes`."""

    writes: dict[str, tuple[int, int]] = field(default_factory=dict)
    mints: int = 0
    endpoint_calls: int = 0


def expected(scene: Scene, phase: str) -> Expected:
    """What a phase costs, to the write where nothing depends on time."""
    outputs, statuses = ("patch secrets", scene.outputs), scene.statuses
    told = statuses if scene.expiring else ()
    if phase == COLD_START:
        # The key of the digests is one more Secret.
        created = ("create secrets", scene.outputs + 1)
        return Expected(_exactly(created, *statuses), scene.mints, scene.endpoints)
    if phase == KEY_ROTATED:
        return Expected(_exactly(outputs, *told), scene.mints, scene.endpoints)
    if phase == TOKEN_REFRESHED:
        return Expected(_exactly(outputs, *told), scene.mints)
    if phase == SECRETS_CHANGED:
        return Expected(_exactly(outputs, *told), scene.mints, scene.endpoints)
    if phase == NAMESPACES_ADDED and isinstance(scene, FanOut):
        # The count of namespaces is told at most once a second.
        told_again = {label: (count, 12 * count) for label, count in statuses}
        written = told_again | _exactly(("create secrets", scene.added))
        # One that is created before the new token is there is written once more.
        written[outputs[0]] = (scene.outputs, scene.outputs + scene.added)
        return Expected(written, scene.mints, scene.endpoints)
    if phase == STORM:
        # Edits of one file that come close together are one write.
        written = {"patch secrets": (scene.options, scene.indexes)}
        return Expected(written | _exactly(("patch artifactindexes/status", scene.indexes)))
    return Expected()


def least_writes(scene: Scene, phase: str) -> int:
    """The writes after which a phase may be over."""
    return sum(least for least, _ in expected(scene, phase).writes.values())


def wrong_counts(scene: Scene, phases: Iterable[Phase]) -> list[str]:
    """Every phase of one round that wrote, minted or asked otherwise than it must, in words."""
    problems: list[str] = []
    for phase in phases:
        where = f"{scene.title}, {phase.name}"
        wanted = expected(scene, phase.name)
        if phase.failed:
            problems.append(f"{where}: {phase.failed} requests failed")
        for label in sorted(phase.writes.keys() | wanted.writes.keys()):
            least, most = wanted.writes.get(label, (0, 0))
            if not least <= (found := phase.writes.get(label, 0)) <= most:
                problems.append(f"{where}: {found} times {label}, expected {_span(least, most)}")
        asked = (phase.mints, phase.endpoint_calls)
        if asked != (wanted.mints, wanted.endpoint_calls):
            problems.append(
                f"{where}: mints and endpoint calls were {asked}, expected "
                f"{(wanted.mints, wanted.endpoint_calls)}"
            )
    return problems


def wrong_costs(phases: Sequence[Phase], budget: Budget) -> list[str]:
    """Every phase of one scene that cost more than the budget allows, in words."""
    problems: list[str] = []
    start_up = max((phase.bare_start_up or 0.0 for phase in phases), default=0.0)
    for phase in phases:
        more = budget.start_ups * start_up / phase.bare if phase.bare else 0.0
        for what, found, most in (
            ("times the bare loop's time", phase.ratio, budget.ratio + more),
            (
                "times the bare loop's CPU",
                phase.cpu_ratio if phase.name == COLD_START else None,
                budget.cpu,
            ),
            ("MiB", None if phase.name == IDLE else phase.memory, budget.memory),
            ("ms to the write at p99", phase.answer_p99, budget.answer_p99),
            ("ms of lag at p99", phase.lag_p99, budget.lag_p99),
        ):
            if found is not None and most is not None and found > most:
                where = f"{phase.scene}, {phase.name}"
                problems.append(f"{where}: {found:.2f} {what}, more than {most:.2f}")
    return problems


def _exactly(*counts: tuple[str, int]) -> dict[str, tuple[int, int]]:
    return {label: (count, count) for label, count in counts}


def _span(least: int, most: int) -> str:
    return str(least) if least == most else f"{least} to {most}"
