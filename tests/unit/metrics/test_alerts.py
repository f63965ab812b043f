"""The alerts over simulated incidents: how early they fire, and that they do not flap.

The series are those of an operator in virtual time, whose parts are the product's own; the rules
are those of the chart; Prometheus's own promtool evaluates them.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tools.monitoring.rules import FAILURES, RUNBOOKS, rule_groups

from artifact_index.api.reasons import Reason
from support.incident import OPERATOR, Incident
from support.misfortunes import HOUR, Kind
from support.promtool import promtool, rule_test
from support.virtual_time import VirtualLoop

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("prometheus")]

RULES = rule_groups(runbooks=RUNBOOKS, operator=f'namespace="{OPERATOR}"')
USED = set(re.findall(r"artifact_index_\w+", str(RULES["groups"][-1])))
AT = 2520
"""Seconds after which something happens: just before a refresh, when the least time is left."""

USUAL = {"acme": Kind(HOUR, 1800, promised=True)}
SHORT = {"acme": Kind(900, 300, promised=False)}
LONG = {
    "day": Kind(12 * HOUR, HOUR, promised=True),
    "hours": Kind(4 * HOUR, HOUR, promised=True),
}
REPEATED = {"repeats": Kind(HOUR, 600, promised=None, repeats=True)}


async def refused(life: Incident) -> None:
    """The key is deleted at the cloud; scrapes are missed, and the operator restarts meanwhile."""
    async with life.process():
        await asyncio.sleep(AT)
        life.refused = Reason.INVALID_CREDENTIAL
        await asyncio.sleep(1500)
        life.answering = False
        await asyncio.sleep(60)
        life.answering = True
        await asyncio.sleep(300)
    await asyncio.sleep(60)
    async with life.process():
        await asyncio.sleep(2400)
        life.refused = None
        life.put_key("next")
        await asyncio.sleep(1800)


async def away(life: Incident) -> None:
    """The cloud does not answer for an hour."""
    async with life.process():
        await asyncio.sleep(AT)
        life.refused = Reason.CLOUD_UNAVAILABLE
        await asyncio.sleep(3600)
        life.refused = None
        await asyncio.sleep(1800)


async def rotated(life: Incident) -> None:
    """Somebody puts a key into the Secret that the cloud refuses."""
    async with life.process():
        await asyncio.sleep(AT)
        life.refused = Reason.INVALID_CREDENTIAL
        life.put_key("bad")
        await asyncio.sleep(3600)
        life.refused = None
        life.put_key("good")
        await asyncio.sleep(1800)


async def removed(life: Incident) -> None:
    """Somebody deletes the Secret."""
    async with life.process():
        await asyncio.sleep(AT)
        life.delete_key()
        await asyncio.sleep(3600)


async def suspended(life: Incident) -> None:
    """Somebody suspends the IndexOptions."""
    async with life.process():
        await asyncio.sleep(AT)
        life.change("indexoptions", "acme", suspend=True)
        await asyncio.sleep(3600)


async def dead(life: Incident) -> None:
    """All replicas are gone, or their event loops stuck: no scrape has an answer."""
    async with life.process():
        await asyncio.sleep(AT)
    life.standbys = []
    await asyncio.sleep(3600)


async def never_there(life: Incident) -> None:
    """Nothing is scraped for half an hour."""
    life.answering = False
    await asyncio.sleep(1800)
    life.answering = True
    async with life.process():
        await asyncio.sleep(900)


async def unserved(life: Incident) -> None:
    """The API server accepts the operator's token no longer: the Lease is lost, none leads."""
    async with life.process():
        await asyncio.sleep(AT)
        life.serving = False
        await asyncio.sleep(10)
    await asyncio.sleep(3590)
    life.serving = True
    async with life.process():
        await asyncio.sleep(1800)


async def blocked(life: Incident) -> None:
    """No worker takes anything from the queue."""
    async with life.process():
        await asyncio.sleep(AT)
    async with life.process(workers=0):
        await asyncio.sleep(3600)
    async with life.process():
        await asyncio.sleep(1800)


async def slow_clock(life: Incident) -> None:
    """The operator's clock falls back by an hour."""
    async with life.process():
        await asyncio.sleep(AT)
        life.set_clock(-3600)
        await asyncio.sleep(4500)


async def lagging(life: Incident) -> None:
    """The event loop runs its timers late."""
    async with life.process():
        await asyncio.sleep(600)
        for _ in range(120):
            life.lag(0.8)
            await asyncio.sleep(15)
        await asyncio.sleep(1200)


async def leaderless(life: Incident) -> None:
    """The replicas are ready, and none gets the Lease."""
    async with life.process():
        await asyncio.sleep(AT)
    life.standbys = ["standby", "another"]
    await asyncio.sleep(3600)
    life.standbys = ["another"]
    async with life.process(pod="standby"):
        await asyncio.sleep(1800)


async def two_leaders(life: Incident) -> None:
    """A process without an election runs beside the one that leads."""
    async with life.process():
        await asyncio.sleep(600)
        life.rivals = ["rival"]
        await asyncio.sleep(1200)
        life.rivals = []
        await asyncio.sleep(900)


async def alone(life: Incident) -> None:
    """A node is lost with the standby, and there is no room for another."""
    async with life.process():
        await asyncio.sleep(600)
        life.standbys = []
        await asyncio.sleep(2400)
        life.standbys = ["another"]
        await asyncio.sleep(900)


async def hard_to_renew(life: Incident) -> None:
    """For 20 minutes the API server refuses every third renewal."""
    async with life.process():
        for number in range(1800):
            life.renew(429 if number % 3 == 0 and 300 < number < 900 else 200)
            await asyncio.sleep(2)


async def unready_leader(life: Incident) -> None:
    """The leader renews its Lease and does nothing else, while a standby is ready."""
    async with life.process():
        await asyncio.sleep(600)
        life.stuck = True
        await asyncio.sleep(600)
        life.stuck = False
        await asyncio.sleep(900)


async def taken_over(life: Incident) -> None:
    """Leaders are lost again and again; the other pod takes over in time, and a new one follows."""
    for number in range(6):
        leader, standby = ("a", "b") if number % 2 else ("b", "a")
        life.standbys = [standby]
        async with life.process(pod=leader):
            for _ in range(450):
                life.renew(200)
                await asyncio.sleep(2)
        # The lease's duration, and a moment for the candidate to see that it has run out.
        await asyncio.sleep(17)


async def healthy(life: Incident) -> None:
    """A restart, a missed scrape, a cloud that throttles: nothing that anybody has to know."""
    async with life.process():
        await asyncio.sleep(HOUR)
        life.answering = False
        await asyncio.sleep(90)
        life.answering = True
        await asyncio.sleep(HOUR)
        life.refused = Reason.CLOUD_THROTTLED
        await asyncio.sleep(120)
        life.refused = None
        await asyncio.sleep(HOUR)
    await asyncio.sleep(90)


async def healthy_week(life: Incident) -> None:
    """The same eight times a day."""
    for _ in range(7 * 8):
        await healthy(life)


@dataclass(frozen=True)
class Case:
    """An incident and all alerts that fire; `failure` is its row in the page of the alerts."""

    events: Callable[[Incident], Awaitable[None]]
    alerts: str
    failure: str | None = None
    kinds: dict[str, Kind] = field(default_factory=lambda: USUAL)
    recovers: bool = True
    perhaps: str = "-"
    """Alerts that fire only if rules are evaluated often, as a regular expression."""
    scrape: int = 30
    """Seconds between scrapes."""


LATE = "RefreshLate TokenExpiresSoon"
ENDED = "TokenExpiresSoon BuildsBlocked NotReady"
BLOCKED = f"RefreshFailing RefreshLate {ENDED}"
CASES = {
    "refused": Case(refused, BLOCKED, "refused"),
    "away": Case(away, f"{BLOCKED} CloudFailing", "away"),
    "rotated": Case(rotated, f"RefreshFailing {ENDED}", "rotated", perhaps="RefreshLate"),
    "removed": Case(removed, ENDED, "removed", recovers=False, perhaps="RefreshLate"),
    "suspended": Case(suspended, LATE, "suspended", recovers=False),
    "dead": Case(dead, "Down", "dead", recovers=False),
    "unserved": Case(unserved, "Unready", "unserved"),
    "blocked": Case(blocked, f"QueueStuck {LATE}", "blocked"),
    "slow clock": Case(slow_clock, f"ClockOff {LATE}", "slow clock", recovers=False),
    "short tokens": Case(
        away, f"{ENDED} CloudFailing", "short", SHORT, perhaps="RefreshFailing|RefreshLate"
    ),
    "never there": Case(never_there, "Down"),
    "leaderless": Case(leaderless, "NoLeader", "leaderless"),
    "unready leader": Case(unready_leader, "Unready"),
    "two leaders": Case(two_leaders, "TwoLeaders"),
    "alone": Case(alone, "NoStandby"),
    "hard to renew": Case(hard_to_renew, "RenewalsFail"),
    "taken over": Case(taken_over, ""),
    "lagging": Case(lagging, "LoopLag"),
    "healthy": Case(healthy, "", kinds={**USUAL, **REPEATED, "short": SHORT["acme"]}),
}


@dataclass(frozen=True)
class Outcome:
    """What Prometheus scraped, and when builds stopped; in seconds."""

    case: Case
    series: list[dict[str, str]]
    stopped: float | None
    end: int


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    """Each incident, lived through once."""
    return {name: live(case) for name, case in CASES.items()}


def live(case: Case) -> Outcome:
    """Live through an incident."""

    async def whole() -> Outcome:
        life = Incident(case.kinds, USED, case.scrape)
        await life.scraped(case.events)
        end = int(life.truth()) // 240 * 240
        return Outcome(case, life.scrapes.input_series(), life.stopped, end)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(whole())


def checks(outcome: Outcome, interval: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Queries over all that was recorded of alerts, with the samples that they must have."""
    case, span = outcome.case, f"[{outcome.end}s:{interval}s]"
    firing = 'ALERTS{alertstate="firing"}'
    alerts = case.alerts.split()
    yield (
        "group by (alertname) "
        f'(count_over_time({firing[:-1]},alertname!~"ArtifactIndex({case.perhaps})"}}{span}))',
        {f'{{alertname="ArtifactIndex{name}"}}': 1 for name in alerts},
    )
    if case.recovers:
        yield firing, {}
    if not alerts:
        return
    first, last = (f"{each}_over_time(timestamp({firing}){span})" for each in ("min", "max"))
    once = f"({last} - {first}) / {interval} + 1 - count_over_time({firing}{span})"
    yield f"max({once})", {"{}": 0}
    if case.failure is not None:
        assert outcome.stopped is not None
        warned = outcome.stopped - 60 * FAILURES[case.failure].minutes
        yield f"min({first}) <= bool {warned}", {"{}": 1}
        critical = first.replace("{", '{severity="critical",')
        yield f"min({critical}) <= bool {outcome.stopped}", {"{}": 1}


@pytest.mark.parametrize("interval", [15, 30, 60, 120])
def test_alerts_are_early_and_do_not_flap(
    outcomes: dict[str, Outcome], interval: int, tmp_path: Path
) -> None:
    assert_fired(outcomes, interval, tmp_path)


def test_a_healthy_week_is_silent(tmp_path: Path) -> None:
    week = Case(healthy_week, "", kinds=LONG, scrape=240)
    assert_fired({"week": live(week)}, 240, tmp_path)


def assert_fired(outcomes: dict[str, Outcome], interval: int, folder: Path) -> None:
    """Let promtool evaluate the rules every `interval` seconds."""
    tests = [
        {
            "name": name,
            "interval": f"{outcome.case.scrape}s",
            "input_series": outcome.series,
            "promql_expr_test": [
                {
                    "expr": expr,
                    "eval_time": f"{outcome.end}s",
                    "exp_samples": [{"labels": k, "value": v} for k, v in expected.items()],
                }
                for expr, expected in checks(outcome, interval)
            ],
        }
        for name, outcome in outcomes.items()
    ]
    path = rule_test(folder / "rules", RULES, evaluation_interval=f"{interval}s", tests=tests)
    promtool("test", "rules", path)
