"""Kills at random moments: readers see nothing of them, and every start comes to the same end.

`CHAOS_SEED` and `CHAOS_KILLS` in the environment choose another run, or a longer one.
"""

import base64
import contextlib
import os
import random
import time
import tomllib
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from pydantic import SecretStr

from artifact_index.api.constants import PYPI_URL
from artifact_index.rendering.entries import PublicEntry, UvDocument
from artifact_index.rendering.uv_toml import sensitive_uv_toml
from support.chaos import Fleet, Reader
from support.chaos.fleet import PLURALS, Options
from support.control_plane import wait_until
from support.kube_proxy import KubeProxy
from support.operator_process import OperatorProcess
from support.world import World, artifact_index, index_options

pytestmark = pytest.mark.chaos

SEED = int(os.environ.get("CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
KILLS = int(os.environ.get("CHAOS_KILLS", "25"))
TOKEN_SECONDS = 9
LONG_TOKENS = 12 * 3600

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


# The oracle


def body_of(proxy: KubeProxy, kind: str, namespace: str, name: str) -> dict[str, Any]:
    status, body = proxy.request("GET", f"{PLURALS[kind].format(namespace)}/{name}")
    return body if status == 200 else {}


def ready(body: dict[str, Any]) -> bool:
    conditions = {one["type"]: one for one in body.get("status", {}).get("conditions", [])}
    found = conditions.get("Ready", {})
    generation = body.get("metadata", {}).get("generation")
    return (found.get("reason"), found.get("observedGeneration")) == ("Available", generation)


def output_trouble(fleet: Fleet, options: Options, reader: Reader) -> str | None:
    """What an output has that the pure functions do not make of the same objects."""
    body = body_of(fleet.proxy, "Secret", fleet.namespace, options.name)
    if not body:
        return f"{options.name} is missing"
    if not reader.has_seen(options.name, body["metadata"]["resourceVersion"]):
        return f"the reader has not seen the last {options.name}"
    text = base64.b64decode(body["data"]["uv.toml"]).decode()
    urls = {table["name"]: urlsplit(table["url"]) for table in tomllib.loads(text)["index"]}
    names = reader.names_of(options.name)
    order = fleet.expected_order(options)
    if set(names) != {index.name for index in order}:
        return f"{options.name} holds {sorted(names)} and not {sorted(i.name for i in order)}"
    entries = []
    for index in order:
        password = unquote(urls[names[index.name]].password or "")
        if index.kind == "code":
            live = fleet.world.aws.is_valid("aws", password, domain=index.login)
            if not live:
                return f"the token of {index.name} in {options.name} is not live"
        entries.append(fleet.expected_entry(index, names[index.name], SecretStr(password)))
    document = UvDocument(tuple(entries), PublicEntry("pypi", PYPI_URL))
    if sensitive_uv_toml(document).get_secret_value() != text:
        return f"{options.name} differs from what its objects say"
    return None


def status_trouble(fleet: Fleet, reader: Reader) -> str | None:
    """A status that does not say what is so."""
    expiries = {}
    for name in fleet.indexes:
        body = body_of(fleet.proxy, "ArtifactIndex", fleet.namespace, name)
        if not ready(body):
            return f"ArtifactIndex {name} is not ready"
        expiries[name] = body["status"].get("credential", {}).get("expiresAt")
    for name, options in fleet.options.items():
        body = body_of(fleet.proxy, "IndexOptions", fleet.namespace, name)
        if not ready(body):
            return f"IndexOptions {name} is not ready"
        items = body["status"]["indexes"]
        listed = [(one["artifactIndex"], one["name"], one.get("expiresAt")) for one in items]
        names, order = reader.names_of(name), fleet.expected_order(options)
        if listed != [(one.name, names[one.name], expiries[one.name]) for one in order]:
            return f"the status of IndexOptions {name} lists {listed}"
    return None


def trouble(fleet: Fleet, reader: Reader) -> str | None:
    """The first way in which the cluster is not what its objects ask for."""
    for options in fleet.options.values():
        if (found := output_trouble(fleet, options, reader)) is not None:
            return found
    _, answer = fleet.proxy.request("GET", PLURALS["Secret"].format(fleet.namespace))
    roles = {
        body["metadata"]["name"]
        for body in answer["items"]
        if body["metadata"].get("labels", {}).get("artifactindex.dev/role") == "output"
    }
    if roles != set(fleet.options):
        return f"there are outputs {sorted(roles)} for {sorted(fleet.options)}"
    return status_trouble(fleet, reader)


def wait_converged(fleet: Fleet, reader: Reader, operator: OperatorProcess, seconds: float) -> None:
    last: list[str | None] = [""]

    def converged() -> bool:
        last[0] = trouble(fleet, reader)
        return last[0] is None

    with contextlib.suppress(TimeoutError):
        wait_until(converged, "the cluster to converge", seconds)
    assert last[0] is None, f"{last[0]} (CHAOS_SEED={SEED}); log:\n{operator.log[-6000:]}"
    assert reader.violations == [], f"CHAOS_SEED={SEED}; deleted by: {deletions(fleet)}"
    fleet.settled()


def deletions(fleet: Fleet) -> list[tuple[str, str, int]]:
    """Who deleted which Secret of the namespace, for the message of a failure."""
    events = fleet.world.plane.audit_events(verbs=["delete", "deletecollection"])
    return [
        (one.user, one.name, one.code)
        for one in events
        if (one.resource, one.namespace) == ("secrets", fleet.namespace)
    ]


def at_a_random_moment(rng: random.Random, longest: float, act: Callable[[], None]) -> None:
    """The moment is the test's input; nothing is waited for here."""
    time.sleep(rng.uniform(0, longest))
    act()


def assert_a_fresh_operator_changes_nothing(
    fleet: Fleet, reader: Reader, operator: OperatorProcess
) -> None:
    """Long-lived tokens first: no refresh may fall into the time that is looked at."""
    world = fleet.world
    world.aws.cap_seconds = None
    born = time.time()

    def tokens_last() -> bool:
        # By what is written, not by what is minted: a stop between the two loses the token.
        codes = [name for name, index in fleet.indexes.items() if index.kind == "code"]
        bodies = [body_of(fleet.proxy, "ArtifactIndex", fleet.namespace, name) for name in codes]
        ends = [body["status"]["credential"]["expiresAt"] for body in bodies]
        return all(datetime.fromisoformat(end).timestamp() - born > LONG_TOKENS / 2 for end in ends)

    wait_until(tokens_last, "tokens that last", 2 * TOKEN_SECONDS)
    wait_converged(fleet, reader, operator, 15)
    versions = reader.versions
    operator.stop()
    mark, mints = world.plane.audit_mark(), world.aws.mints()
    counts = world.plane.request_counts()
    operator.start()
    # Its second listing, some 5 s later, would find what the first had missed.
    wait_until(lambda: listings(world, mark) >= 2, "the second listing", 20)
    wait_converged(fleet, reader, operator, 5)
    writes = [(one.verb, one.resource, one.name) for one in world.operator_writes(since=mark)]
    assert writes == [], operator.log[-6000:]
    assert world.aws.mints() == mints
    assert reader.versions == versions
    assert world.plane.request_counts() != counts


def listings(world: World, mark: int) -> int:
    events = world.plane.audit_events(verbs=["list"], since=mark)
    ours = [one for one in events if one.user_agent.startswith("artifact-index-operator")]
    return sum(one.resource == "configmaps" for one in ours)


# The tests


def test_kills_at_random_moments_leave_no_trace(
    world: World, fleet: Fleet, proxy: KubeProxy
) -> None:
    rng = random.Random(SEED + 1)
    operator = world.operator(*FLAGS, "--namespace", fleet.namespace)
    with Reader(proxy, fleet) as reader, operator:
        wait_converged(fleet, reader, operator, 20)
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
            wait_converged(fleet, reader, operator, 30)
        assert_a_fresh_operator_changes_nothing(fleet, reader, operator)
        print(f"{kills} kills, {fleet.changes} changes, {reader.versions} versions seen")
        assert fleet.changes > kills
        assert "Traceback" not in operator.log, operator.log[-6000:]


def test_an_api_server_and_an_etcd_that_die_are_lived_through(
    world: World, fleet: Fleet, proxy: KubeProxy
) -> None:
    rng = random.Random(SEED + 2)
    operator = world.operator(*FLAGS, "--namespace", fleet.namespace)
    with Reader(proxy, fleet) as reader, operator:
        wait_converged(fleet, reader, operator, 20)
        pid = operator.pid
        fleet.resume()
        at_a_random_moment(rng, 1.0, world.plane.kill_apiserver)
        at_a_random_moment(rng, 2.0, world.plane.start_apiserver)
        fleet.pause()
        wait_converged(fleet, reader, operator, 60)
        fleet.resume()
        at_a_random_moment(rng, 1.0, world.plane.restart_etcd)
        fleet.pause()
        wait_converged(fleet, reader, operator, 60)
        assert operator.pid == pid
        assert operator.process is not None
        assert operator.process.poll() is None


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
        wait_until(lambda: outputs() > 0, "the first output", 30)
        process = operator.process
        assert process is not None
        assert operator.stop() < 2
        assert process.returncode == 0
        written = outputs()
        operator.start()
        wait_until(lambda: outputs() == count, "every output", 30)
        print(f"{written} of {count} outputs when SIGTERM came")
    finally:
        operator.stop()
        world.plane.kubectl("delete", "namespace", namespace, "--wait=false")
