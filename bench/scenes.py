"""Every scene by name, with its budget: at full size, and small for CI."""

from dataclasses import dataclass, replace

from artifact_index.election.candidate import Timing
from bench.budget import Budget
from bench.fan_out import FanOut
from bench.phase import (
    IDLE,
    KEY_ROTATED,
    NAMESPACES_ADDED,
    RESTART,
    SECRETS_CHANGED,
    STORM,
    Durations,
)
from bench.scene import Scene
from bench.tenants.plan import A_FEW, EVERYBODY, Tenants
from bench.week.plan import Week

WEEK = "week"
"""The name of the simulated week, which needs no API server."""

TENANTS = "tenants"
"""The name of the hostile tenants beside a good one."""

GATE = ("files", "ten-tokens", "indexes", "logins")
"""What is run beside another commit's operator where nobody names a scene."""

ALL = "all"
"""Stands for every scene that can be run beside another commit's operator."""

_TOKEN_LIFE = 44 * 60 + 40 + 33
"""Seconds: the margin of the defaults and a build of 30 minutes, and the least refresh period."""

_MANY_MINTS = ("--mints-per-second=1000",)
"""The brake on mints is for the clouds' sake: with it, many logins would measure the brake."""


@dataclass(frozen=True)
class Plan:
    """What is run, and how often.

    While a time or the memory breaks its budget, more rounds than `rounds` are run, up to
    `most_rounds`: on a busy machine a single round proves little. A wrong count is final. `weeks`
    are one week at several sizes; they are lived through once, as are the `tenants`.
    """

    scenes: tuple[tuple[Scene, Budget], ...]
    durations: Durations
    rounds: int
    most_rounds: int
    weeks: tuple[Week, ...] = ()
    tenants: tuple[Tenants, ...] = ()


_FILES = Budget(cpu=2.8)
_LARGE = Budget(memory=150.0)
# Beside so few writes its lists, the SDK and the logins show (ADR 25).
_FAN_OUT = Budget(ratio=1.2, start_ups=0.8)

GROWTH = tuple(
    Scene(
        f"growth-{size}",
        f"growth: {size:,} indexes in {size // 10:,} files",
        indexes=size,
        options=size // 10,
        phases=(RESTART, IDLE, KEY_ROTATED),
        compared=False,
    )
    for size in (100, 1_000, 10_000)
)

FULL = Plan(
    scenes=(
        (
            Scene(
                "files",
                "1,000 files of one index each",
                indexes=1_000,
                options=1_000,
                per_output=1,
            ),
            _FILES,
        ),
        (
            Scene(
                "shared-login",
                "1,000 indexes in 100 files",
                indexes=1_000,
                options=100,
                both_clouds=True,
            ),
            # After a restart the first use of boto3 is a fifth of the rotation of so few files.
            Budget(start_ups=0.6),
        ),
        (
            FanOut(
                "fan-out",
                "10 cluster indexes in 1,000 namespaces",
                indexes=10,
                options=1,
                namespaces=1_000,
                phases=(RESTART, IDLE, KEY_ROTATED, NAMESPACES_ADDED),
            ),
            replace(_FAN_OUT, answer_p99=1000.0),
        ),
        (
            FanOut(
                "fan-out-10k",
                "10 cluster indexes in 10,000 namespaces",
                indexes=10,
                options=1,
                namespaces=10_000,
                both_clouds=True,
                phases=(RESTART, IDLE, KEY_ROTATED),
            ),
            replace(_FAN_OUT, memory=150.0),
        ),
        # Ten tokens in each of a thousand Secrets are memory that no other scene needs.
        (
            Scene("ten-tokens", "10 indexes in 1,000 files", indexes=10, options=1_000),
            Budget(memory=160.0),
        ),
        (
            Scene(
                "indexes",
                "10,000 indexes in 100 files",
                indexes=10_000,
                options=100,
                per_output=100,
                both_clouds=True,
                phases=(RESTART, IDLE, KEY_ROTATED),
            ),
            _LARGE,
        ),
        (
            Scene(
                "many-files",
                "5,000 files of one index each",
                indexes=5_000,
                options=5_000,
                per_output=1,
                phases=(RESTART, IDLE, KEY_ROTATED),
            ),
            Budget(memory=None),
        ),
        (
            Scene(
                "logins",
                "1,000 logins in 1,000 files",
                indexes=1_000,
                options=1_000,
                per_output=1,
                logins=1_000,
                phases=(RESTART, IDLE, KEY_ROTATED),
                flags=_MANY_MINTS,
                many_calls=True,
            ),
            # A thousand keys are changed while it works, which the bare loop does not.
            Budget(ratio=2.25, memory=160.0),
        ),
        (
            Scene(
                "namespaces",
                "100 namespaces with 100 indexes each",
                indexes=10_000,
                options=100,
                per_output=100,
                namespaces=100,
                both_clouds=True,
                phases=(RESTART, IDLE, KEY_ROTATED),
                flags=_MANY_MINTS,
                many_calls=True,
            ),
            # Each index has a URL of its own, to be asked for and held for each login.
            Budget(ratio=1.75, memory=175.0),
        ),
        (
            Scene(
                "shared-secret",
                "one source Secret of 1,000 indexes",
                indexes=1_000,
                options=100,
                source="basicAuth",
                phases=(RESTART, IDLE, KEY_ROTATED),
            ),
            # The moment in which changes are gathered is half of a rotation of a hundred writes.
            Budget(start_ups=0.6),
        ),
        (
            Scene(
                "source-changed",
                "10,000 indexes, 100 source Secrets",
                indexes=10_000,
                options=100,
                per_output=100,
                logins=100,
                source="basicAuth",
                phases=(RESTART, SECRETS_CHANGED),
                compared=False,
            ),
            Budget(memory=150.0, answer_p99=1000.0),
        ),
        (
            Scene(
                "storm",
                "1,000 edits in 10 s",
                indexes=1_000,
                options=100,
                phases=(RESTART, STORM),
                compared=False,
            ),
            Budget(),
        ),
        *((scene, Budget(memory=None)) for scene in GROWTH),
    ),
    durations=Durations(idle=10, storm=10, life=_TOKEN_LIFE),
    rounds=3,
    most_rounds=3,
    weeks=(
        Week("a week with 1,000 indexes", width=1),
        Week("a week with 10,000 indexes", width=10),
    ),
    tenants=(EVERYBODY,),
)

# The fixed cost of a start, boto3's import above all, weighs ten times as much at a tenth of the
# size.
_SMALL = Budget(ratio=2.0, start_ups=3.5, memory=130.0, lag_p99=None)

SMALL = Plan(
    scenes=(
        (
            Scene(
                "shared-login",
                "100 indexes in 10 files",
                indexes=100,
                options=10,
                phases=(RESTART, IDLE, KEY_ROTATED),
            ),
            _SMALL,
        ),
        (
            Scene(
                "storm",
                "100 logins in 100 files, 100 edits",
                indexes=100,
                options=100,
                per_output=1,
                namespaces=10,
                logins=10,
                phases=(RESTART, STORM, SECRETS_CHANGED),
                flags=_MANY_MINTS,
                compared=False,
            ),
            _SMALL,
        ),
    ),
    durations=Durations(idle=2, storm=1, life=_TOKEN_LIFE),
    rounds=1,
    most_rounds=3,
    weeks=(
        Week("17 hours with 100 indexes", hours=17, namespaces=2, files=5, width=1),
        replace(
            Week("17 hours with 400 indexes", hours=17, namespaces=2, files=5, width=4),
            election=Timing(lease=150, deadline=100, retry=20),
        ),
    ),
    tenants=(A_FEW,),
)


def chosen(plan: Plan, names: list[str]) -> tuple[tuple[Scene, Budget], ...]:
    """The scenes of these names, where `growth` is all its sizes; every scene without a name.
    The week and the tenants are none of them.

    Raises ValueError with what there is.
    """
    for name in names:
        if name not in (WEEK, TENANTS) and not any(
            _is_meant(scene, name) for scene, _ in plan.scenes
        ):
            raise ValueError(f"no scene {name!r}; there are {', '.join(names_of(plan))}")
    return tuple(
        (scene, budget)
        for scene, budget in plan.scenes
        if not names or any(_is_meant(scene, name) for name in names)
    )


def paired(names: list[str], *, small: bool) -> tuple[tuple[Scene, Budget], ...]:
    """The scenes of these names to run beside another commit; without a name, those of the gate.

    `all` are all of them. Every scene has a small form here. Raises ValueError with what there is,
    and for the week and the tenants, which are no phases that two commits both go through.
    """
    for name in (WEEK, TENANTS):
        if name in names:
            raise ValueError(f"{name!r} measures nothing that two commits could be compared by")
    found = chosen(FULL, [] if names == [ALL] else names or list(GATE))
    # Another commit may serve no cluster kinds: these are run where they are named.
    scenes = tuple(each for each in found if names != [ALL] or not isinstance(each[0], FanOut))
    return tuple((_tenth(scene) if small else scene, budget) for scene, budget in scenes)


def _tenth(scene: Scene) -> Scene:
    return replace(
        scene,
        title=f"a tenth of {scene.title}",
        indexes=max(scene.indexes // 10, scene.per_output),
        options=scene.options // 10,
        namespaces=max(scene.namespaces // 10, 1),
        logins=max(scene.logins // 10, 1),
    )


def names_of(plan: Plan) -> list[str]:
    """What may be asked for."""
    return [*(scene.name for scene, _ in plan.scenes), "growth", WEEK, TENANTS]


def _is_meant(scene: Scene, name: str) -> bool:
    return scene.name == name or (scene in GROWTH and name == "growth")
