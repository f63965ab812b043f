"""Kills at random moments: readers see nothing of them, and every start comes to the same end.

`CHAOS_SEED` in the environment chooses another run, `CHAOS_KILLS` and `CHAOS_STOPPED` (seconds for
which the process is stopped) a longer one.
"""

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest

from support.chaos import Fleet, Reader
from support.chaos.fleet import PLURALS
from support.chaos.oracle import body_of, trouble
from support.control_plane import AuditEvent, wait_until
from support.kube_proxy import KubeProxy, Unanswered
from support.operator_process import STOP_SECONDS, OperatorProcess, health
from support.world import World, artifact_index, index_options

pytestmark = pytest.mark.chaos

SEED = int(os.environ.get("CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
KILLS = int(os.environ.get("CHAOS_KILLS", "25"))
TOKEN_SECONDS = 9
# Longer than a token lives.
STOPPED = float(os.environ.get("CHAOS_STOPPED", "10"))
LONG_TOKENS = 12 * 3600
PATIENCE = 90.0
"""Seconds that a busy machine may take to come to rest."""

# The least margins, so that a token of some seconds is refreshed once in its life.
FLAGS = (
    *("--outage-budget=0s", "--write-time=0s", "--propagation-time=0s", "--pod-start-time=0s"),
    *("--clock-skew=0s", "--min-refresh-interval=1s", "--mint-patience=2s"),
)


@pytest.fixture(scope="module")
def proxy(world: World) -> Iterator[KubeProxy]:
    with KubeProxy(world.plane) as opened:
        yield opened


@pytest.fixture
def fleet(world: World, proxy: KubeProxy, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    print(f"CHAOS_SEED={SEED}")
    namespace = world.namespace(f"chaos-{request.node.name[5:].replace('_', '-')[:40]}".rstrip("-"))
    fleet = Fleet(world, proxy, namespace, random.Random(SEED))
    world.aws.cap_seconds = TOKEN_SECONDS
    fleet.populate()
    try:
        with fleet:
            yield fleet
    finally:
        world.aws.cap_seconds = None
        world.plane.kubectl("delete", "namespace", namespace, "--wait=false")


# What has to be waited for, and found


def wait_converged(fleet: Fleet, reader: Reader, operator: OperatorProcess) -> None:
    last: list[str | None] = [""]

    def converged() -> bool:
        try:
            last[0] = trouble(fleet, reader)
        except Unanswered as error:
            last[0] = f"the API server does not answer: {error}"
        return last[0] is None

    with contextlib.suppress(TimeoutError):
        wait_until(converged, "the cluster to converge", PATIENCE)
    assert last[0] is None, f"{last[0]} (CHAOS_SEED={SEED}); log:\n{operator.log[-6000:]}"
    assert reader.violations == [], f"CHAOS_SEED={SEED}; deleted by: {deletions(fleet)}"
    fleet.settled()


def deletions(fleet: Fleet) -> list[tuple[str, str, int]]:
    """Who deleted which Secret of the namespace, for the message of a failure."""
    events = fleet.world.plane.audit_events(verbs=["delete", "deletecollection"])
    return [
        (event.user, event.name, event.code)
        for event in events
        if (event.resource, event.namespace) == ("secrets", fleet.namespace)
    ]


def at_a_random_moment(rng: random.Random, longest: float, act: Callable[[], None]) -> None:
    """The moment is the test's input; nothing is waited for here."""
    time.sleep(rng.uniform(0, longest))
    act()


def assert_a_fresh_operator_changes_nothing(
    fleet: Fleet, reader: Reader, operator: OperatorProcess, fresh: OperatorProcess
) -> None:
    """Long-lived tokens first: no refresh may fall into the time that is looked at.

    `fresh` lists everything every few seconds.
    """
    world = fleet.world
    world.aws.cap_seconds = None
    born = time.time()

    def tokens_last() -> bool:
        # By what is written, not by what is minted: a stop between the two loses the token.
        codes = [name for name, index in fleet.indexes.items() if index.kind == "code"]
        bodies = [body_of(fleet.proxy, "ArtifactIndex", fleet.namespace, name) for name in codes]
        # A token that died before it could be replaced is told of no more.
        credentials = [body.get("status", {}).get("credential", {}) for body in bodies]
        ends = [credential.get("expiresAt", "1970-01-01T00:00:00Z") for credential in credentials]
        return all(datetime.fromisoformat(end).timestamp() - born > LONG_TOKENS / 2 for end in ends)

    wait_until(tokens_last, "tokens that last", PATIENCE)
    wait_converged(fleet, reader, operator)
    versions = reader.versions
    operator.stop()
    mark, mints = world.plane.audit_mark(), world.aws.mints()
    counts = world.plane.request_counts()
    with fresh:
        # The second one, some 5 s later, would find what the first had missed; when the third one
        # comes, what the second found has been worked on.
        wait_until(lambda: len(listings(world, mark)) >= 3, "the third listing", PATIENCE)
        wait_converged(fleet, reader, fresh)
        found = world.operator_writes(since=mark)
    # What the one before it sent last may have been noted down after its end.
    begun = listings(world, mark)[0].received_at
    writes = [(item.verb, item.resource, item.name) for item in found if item.received_at > begun]
    assert writes == [], fresh.log[-6000:]
    assert world.aws.mints() == mints
    assert reader.versions == versions
    assert world.plane.request_counts() != counts


def listings(world: World, mark: int) -> list[AuditEvent]:
    """The last request of each of the operator's own listings."""
    events = world.plane.audit_events(verbs=["list"], since=mark)
    ours = [event for event in events if event.user_agent.startswith("artifact-index-operator")]
    return [event for event in ours if event.resource == "configmaps"]


# The tests


@pytest.mark.timeout(600 + 10 * KILLS)
def test_kills_at_random_moments_leave_no_trace(
    world: World, fleet: Fleet, proxy: KubeProxy
) -> None:
    rng = random.Random(SEED + 1)
    operator = world.operator(*FLAGS, "--namespace", fleet.namespace)
    with Reader(proxy, fleet) as reader, operator:
        wait_converged(fleet, reader, operator)
        kills = 0
        while kills < KILLS:
            fleet.resume()
            at_a_random_moment(rng, 1.2, operator.kill)
            kills += 1
            if kills < KILLS and rng.random() < 0.4:
                # Once more in its start: before, in or after the first listing and writes.
                operator.start(wait=False)
                at_a_random_moment(rng, 2.0, operator.kill)
                kills += 1
            fleet.pause()
            operator.start(wait=False)
            wait_converged(fleet, reader, operator)
        fresh = world.operator(*FLAGS, "--namespace", fleet.namespace, "--relist-interval=3s")
        assert_a_fresh_operator_changes_nothing(fleet, reader, operator, fresh)
        print(f"{kills} kills, {fleet.changes} changes, {reader.versions} versions seen")
        assert fleet.changes > kills
        for item in (operator, fresh):
            assert "Traceback" not in item.log, item.log[-6000:]


def test_an_api_server_and_an_etcd_that_die_are_lived_through(
    world: World, fleet: Fleet, proxy: KubeProxy
) -> None:
    rng = random.Random(SEED + 2)
    operator = world.operator(*FLAGS, "--namespace", fleet.namespace)
    with Reader(proxy, fleet) as reader, operator:
        wait_converged(fleet, reader, operator)
        pid = operator.pid
        fleet.resume()
        at_a_random_moment(rng, 1.0, world.plane.kill_apiserver)
        at_a_random_moment(rng, 2.0, world.plane.start_apiserver)
        fleet.pause()
        wait_converged(fleet, reader, operator)
        fleet.resume()
        at_a_random_moment(rng, 1.0, world.plane.restart_etcd)
        fleet.pause()
        wait_converged(fleet, reader, operator)
        assert operator.pid == pid
        assert operator.process is not None
        assert operator.process.poll() is None


@pytest.mark.timeout(600 + STOPPED)
def test_a_process_that_stood_still_while_its_tokens_died_goes_on(
    world: World, fleet: Fleet, proxy: KubeProxy
) -> None:
    operator = world.operator(*FLAGS, "--namespace", fleet.namespace)
    with Reader(proxy, fleet) as reader, operator:
        wait_converged(fleet, reader, operator)
        process = operator.process
        assert process is not None
        fleet.resume()
        process.send_signal(signal.SIGSTOP)
        try:
            # How long it stands still is the test's input; nothing is waited for here.
            time.sleep(STOPPED)
        finally:
            process.send_signal(signal.SIGCONT)
        fleet.pause()
        wait_converged(fleet, reader, operator)
        wait_until(lambda: health(operator.health_port, "healthz")[0] == 200, "health", PATIENCE)
        assert process.poll() is None
        print(f"stopped for {STOPPED:.0f} s, {fleet.changes} changes, {reader.versions} versions")


def test_sigterm_in_the_first_wave_ends_it_at_once_and_the_next_start_goes_on(
    world: World, proxy: KubeProxy
) -> None:
    namespace = world.namespace("chaos-first-wave")
    count = 150
    names = [f"wave-{number:03}" for number in range(count)]
    one = artifact_index("a", name="a", anonymous={"url": "https://a.example/simple/"})
    world.apply(one, *(index_options(name) for name in names), namespace=namespace)

    def outputs() -> int:
        _, answer = proxy.request("GET", PLURALS["Secret"].format(namespace))
        return len(answer["items"])

    operator = world.operator(*FLAGS, "--namespace", namespace)
    operator.start(wait=False)
    try:
        wait_until(lambda: outputs() > 0, "the first output", PATIENCE)
        process = operator.process
        assert process is not None
        assert operator.stop() < STOP_SECONDS
        assert process.returncode == 0
        written = outputs()
        operator.start()
        wait_until(lambda: outputs() == count, "every output", PATIENCE)
        print(f"{written} of {count} outputs when SIGTERM came")
    finally:
        operator.stop()
        world.plane.kubectl("delete", "namespace", namespace, "--wait=false")
