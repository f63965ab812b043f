"""The leader dies, stands still or is cut off: the other takes over, and never do both write.

The judge is the API server's audit log. `ELECTION_ROUNDS` in the environment chooses how many
rounds are played, `CHAOS_SEED` in which order.
"""

import os
import random
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import pytest

from support.control_plane import wait_until
from support.control_plane.audit import AuditEvent
from support.election.faulty_way import Fault
from support.election.pair import (
    LEASE_SECONDS,
    PATIENCE,
    RETRY_SECONDS,
    Pair,
    Replica,
)
from support.operator_process import waited
from support.world import World

pytestmark = pytest.mark.chaos

ROUNDS = int(os.environ.get("ELECTION_ROUNDS", "25"))
REPEATS = max(1, ROUNDS // 25)
"""How often both begin at once, and the API server restarts."""
SEED = int(os.environ.get("CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
CLOCKS = {"right": 0.0, "ahead": 30.0, "behind": -30.0}
"""The pairs, by the seconds by which the clock of the second machine is ahead of the first."""

AT_ONCE = 1.0
"""Seconds from SIGTERM to the other's first write."""
TAKEOVER = LEASE_SECONDS + RETRY_SECONDS + 1.5
"""Seconds from a fault that nobody announces to the other's leading: a last renewal may arrive
although its answer does not, and the API server is busy."""


@dataclass(frozen=True)
class Scenario:
    """What happens to the leader, and how it is put right once the other leads."""

    happens: Callable[[Pair, Replica], None]
    heals: Callable[[Pair, Replica], None]
    seconds: float = TAKEOVER


def terminated(pair: Pair, leader: Replica) -> None:
    leader.process.stop()


def killed(pair: Pair, leader: Replica) -> None:
    leader.process.kill()


def stopped(pair: Pair, leader: Replica) -> None:
    leader.stop_running()


def disturbed(fault: Fault) -> Callable[[Pair, Replica], None]:
    return lambda pair, leader: leader.way.disturb(fault)


def restarted(pair: Pair, leader: Replica) -> None:
    leader.process.start()


def woken(pair: Pair, leader: Replica) -> None:
    leader.go_on()


def mended(pair: Pair, leader: Replica) -> None:
    leader.way.mend()


SCENARIOS = {
    "SIGTERM": Scenario(terminated, restarted, AT_ONCE),
    "SIGKILL": Scenario(killed, restarted),
    "SIGSTOP": Scenario(stopped, woken),
    **{
        fault: Scenario(disturbed(fault), mended)
        for fault in ("hang", "reset", "lost answers", "slow")
    },
}


class Game:
    """The rounds of one pair."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.seconds: dict[str, list[float]] = defaultdict(list)

    def play(self, name: str, *, busy: bool) -> None:
        """One round; the user changes things all the time, or not before the other leads."""
        pair, scenario = self.pair, SCENARIOS[name]
        old = pair.leader()
        new = pair.other(old)
        pair.wait_warm(new)
        mark, minted, versions = pair.plane.audit_mark(), pair.aws.mints(), pair.versions()
        with pair.changing() if busy else pair.polled() as seen:
            begun, queued = datetime.now(UTC), waited(new.process.pid)
            scenario.happens(pair, old)
            first = self._first(mark, new, of_work=busy)
            spent = (first.received_at - begun).total_seconds()
            spent -= waited(new.process.pid) - queued
            if not busy:
                assert [each.uri for each in pair.judge.writes(mark)] == []
                assert pair.versions() == versions
                assert seen == [versions]
                pair.change()
                pair.converge()
            scenario.heals(pair, old)
            assert pair.leader() is new
        pair.converge()
        assert pair.judge.out_of_term(mark) == []
        assert pair.aws.mints() == minted
        assert spent < scenario.seconds
        self.seconds[name].append(spent)

    def play_all(self, names: Sequence[str]) -> None:
        """One round after the other."""
        for number, name in enumerate(names):
            try:
                self.play(name, busy=number % 2 == 0)
            except BaseException as error:
                error.add_note(f"round {number} of {self.pair.namespace}: {name}")
                raise

    def begin_again(self, *, killed: bool) -> None:
        """Both end, and are started at the same moment; then a user changes something."""
        pair = self.pair
        mark, minted, versions = pair.plane.audit_mark(), pair.aws.mints(), pair.versions()
        with pair.polled() as seen:
            for replica in pair.replicas:
                (replica.process.kill if killed else replica.process.stop)()
            start_both(pair)
            pair.leader()
            assert seen == [versions]
            pair.change()
            pair.converge()
        assert pair.judge.out_of_term(mark) == []
        assert pair.aws.mints() == minted
        written = Counter(
            each.name for each in pair.judge.writes(mark) if each.resource == "secrets"
        )
        assert set(written.values()) == {1}

    def _first(self, mark: int, new: Replica, *, of_work: bool) -> AuditEvent:
        """The new leader's first write, or its first of the Lease."""
        found: list[AuditEvent] = []

        def came() -> bool:
            judge = self.pair.judge
            taken = judge.taken(mark, new.user)
            found[:] = judge.writes(mark, new.user)[:1] if of_work else [taken] if taken else []
            return bool(found)

        wait_until(came, f"{self.pair.namespace}: {new.user} to take over", PATIENCE)
        return found[0]


@pytest.fixture(scope="module")
def games(world: World) -> Iterator[list[Game]]:
    """The pairs, whose replicas are started at the same moment."""
    print(f"CHAOS_SEED={SEED}")
    with ExitStack() as stack:
        pairs = [
            stack.enter_context(Pair(world, f"takeover-{name}", ahead=ahead))
            for name, ahead in CLOCKS.items()
        ]
        for pair in pairs:
            start_both(pair)
        for pair in pairs:
            pair.leader()
            pair.converge()
        yield [Game(pair) for pair in pairs]


def start_both(pair: Pair) -> None:
    for replica in pair.replicas:
        replica.process.start(wait=False)
    for replica in pair.replicas:
        replica.process.wait_ready(seconds=PATIENCE)


def test_of_two_that_start_at_once_one_leads_and_one_token_is_minted(games: list[Game]) -> None:
    for game in games:
        leader = game.pair.leader()
        # Whoever comes first makes the key of the digests, in the other namespace.
        writes = [
            each for each in game.pair.judge.writes(0) if each.namespace == game.pair.namespace
        ]
        assert {each.user for each in writes} == {leader.user}
        assert game.pair.aws.mints("GetAuthorizationToken") == 1


def together(games: list[Game], work: Callable[[Game], None]) -> None:
    """Do it with all pairs at the same time; what fails is told with the ends of their logs."""

    def do(game: Game) -> None:
        try:
            work(game)
        except BaseException as error:
            for replica in game.pair.replicas:
                error.add_note(f"{replica.user}:\n{replica.process.log[-3000:]}")
            raise

    with ThreadPoolExecutor(len(games)) as pool:
        for result in [pool.submit(do, game) for game in games]:
            result.result()


def test_of_two_that_begin_again_at_once_one_leads_and_writes_nothing(games: list[Game]) -> None:
    for number in range(REPEATS):
        together(games, partial(Game.begin_again, killed=number % 2 == 0))


@pytest.mark.timeout(600 + 10 * ROUNDS)
def test_no_two_write_however_the_leader_is_lost(games: list[Game]) -> None:
    rng = random.Random(SEED)
    names = [list(SCENARIOS)[number % len(SCENARIOS)] for number in range(ROUNDS)]
    rng.shuffle(names)
    together(games, lambda game: game.play_all(names[games.index(game) :: len(games)]))
    for name in SCENARIOS:
        if seconds := sorted(each for game in games for each in game.seconds[name]):
            median = statistics.median(seconds)
            print(f"{name}: {len(seconds)} rounds, median {median:.2f} s, max {seconds[-1]:.2f} s")
    for game in games:
        assert game.pair.judge.out_of_term() == []


def test_an_api_server_that_restarts_under_load_is_lived_through(games: list[Game]) -> None:
    plane = games[0].pair.plane
    for _ in range(REPEATS):
        mark = plane.audit_mark()
        plane.kill_apiserver()
        plane.start_apiserver()

        def goes_on(game: Game, mark: int = mark) -> None:
            game.pair.leader()
            game.pair.change()
            game.pair.converge()
            assert game.pair.judge.out_of_term(mark) == []

        together(games, goes_on)


def test_a_lease_that_somebody_deletes_empties_or_takes_leads_to_no_two(games: list[Game]) -> None:
    pair = games[0].pair
    mark = pair.plane.audit_mark()
    for change in (None, {"holderIdentity": ""}, {"holderIdentity": "somebody"}):
        with pair.changing():
            pair.change_lease(change)
            pair.leader()
        pair.converge()
    assert pair.judge.out_of_term(mark) == []
