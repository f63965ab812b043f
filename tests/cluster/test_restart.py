"""A restart over a converged cluster writes nothing and mints nothing; health tells the truth."""

import itertools
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.control_plane import wait_until
from support.control_plane.audit import AuditEvent
from support.emulator import Emulator
from support.operator_process import STOP_SECONDS, OperatorProcess, health
from support.world import (
    OPERATOR_USER,
    PATIENCE,
    World,
    access_key_secret,
    artifact_index,
    artifact_registry,
    basic_auth,
    code_artifact,
    condition_in,
    google_key_secret,
    in_namespace,
    index_options,
    secret,
)

pytestmark = pytest.mark.cluster

NAMESPACES = ("restart-a", "restart-b")
PER_NAMESPACE = 250
GROUPS = 5
LONG = 180.0
"""Seconds that 500 indexes may take on a busy machine."""
FLAGS = ("--missing-secret-grace", "1s", "--mint-patience", "10s", "--log-level", "debug")


@pytest.fixture(scope="module")
def operator(world: World) -> Iterator[OperatorProcess]:
    """An operator that serves these tests' namespaces, so that nothing else moves."""
    served = [flag for name in NAMESPACES for flag in ("--namespace", name)]
    with world.operator(*served, *FLAGS, python=sys.executable) as running:
        yield running


def source_of(number: int) -> dict[str, Any]:
    """A spec's source: each kind in turn, two logins for each cloud, labelled and not."""
    variant = number // 5 % 2
    match number % 5:
        case 0:
            name = f"repository-{number}"
            return {"codeArtifact": code_artifact(f"aws-{variant}", repository=name)}
        case 1:
            name = f"repository-{number}"
            return {"googleArtifactRegistry": artifact_registry(f"gcp-{variant}", repository=name)}
        case 2:
            urls = {"name": "urls", "key": f"u{variant}"}
            return {"preauthenticated": {"urlSecretRef": urls, "publicPath": True}}
        case 3:
            url = f"https://packages.example/{number}/simple/"
            return {"basicAuth": basic_auth(url, f"basic-{variant}", None)}
        case _:
            return {"anonymous": {"url": f"https://open.example/{number}/simple/"}}


def objects(world: World, namespace: str) -> list[dict[str, Any]]:
    """250 indexes in 5 groups, a few of them special, and what they need."""
    account = "arn:aws:iam::111122223333:user"
    sources = [
        access_key_secret(world, "aws-0", f"{account}/{namespace}-0"),
        access_key_secret(world, "aws-1", f"{account}/{namespace}-1", labelled=False),
        google_key_secret(world, "gcp-0", f"zero@{namespace}.iam.gserviceaccount.com"),
        google_key_secret(world, "gcp-1", f"one@{namespace}.iam.gserviceaccount.com"),
        secret("urls", {f"u{n}": f"https://ci:pw{n}@verbatim.example/simple/" for n in (0, 1)}),
        secret("basic-0", {"username": "ci", "password": "p@ss/0"}),
        secret("basic-1", {"username": "ci", "password": "pass-1"}, labelled=False),
    ]
    indexes = [
        artifact_index(
            f"index-{number:03}", labels={"group": f"g{number % GROUPS}"}, **source_of(number)
        )
        for number in range(PER_NAMESPACE - 2)
    ]
    indexes.append(
        artifact_index("nobodys", labels={"group": "none"}, **source_of(0)),
    )
    indexes.append(
        artifact_index(
            "missing", labels={"group": "g0"}, whenUnavailable="Omit",
            basicAuth=basic_auth("https://packages.example/missing/simple/", "not-there"),
        )
    )  # fmt: skip
    options = [
        index_options(
            f"uv-g{number}",
            indexSelector={"matchLabels": {"group": f"g{number}"}},
            **({"outputs": outputs(number)} if number in (3, 4) else {}),
        )
        for number in range(GROUPS)
    ]
    return in_namespace(namespace, [*sources, *indexes, *options])


def outputs(number: int) -> list[dict[str, str]]:
    """A Secret and a ConfigMap."""
    return [
        {"kind": "Secret", "name": f"uv-g{number}"},
        {"kind": "ConfigMap", "name": f"uv-public-g{number}"},
    ]


def mints(world: World) -> int:
    """Everything that the clouds have granted, endpoints included."""
    return world.aws.mints() + world.google.mints()


def settle(world: World, namespace: str) -> None:
    """Wait until both kinds of object say what they will go on saying."""

    def reasons(kind: str) -> Counter[str]:
        ready: Counter[str] = Counter()
        for item in world.items(kind, namespace):
            current = item["status"].get("observedGeneration") == item["metadata"]["generation"]
            conditions = {c["type"]: c for c in item["status"].get("conditions", [])}
            ready[conditions["Ready"]["reason"] if current and conditions else "none"] += 1
        return ready

    expected = Counter(
        {"Available": PER_NAMESPACE - 3, "NotSelected": 1, "SecretNotFound": 1, "Suspended": 1}
    )

    def told() -> set[tuple[str, str]]:
        """What the statuses of the IndexOptions say of each index."""
        options = world.items("indexoptions", namespace)
        items = [item for option in options for item in option["status"].get("indexes", [])]
        return {(item["artifactIndex"], item["reason"]) for item in items}

    def true() -> set[tuple[str, str]]:
        indexes = world.items("artifactindexes", namespace)
        found = {(index["metadata"]["name"], condition_in(index)["reason"]) for index in indexes}
        return found - {("nobodys", "NotSelected")}

    wait_until(lambda: reasons("artifactindexes") == expected, f"{namespace} to settle", LONG)
    wait_until(lambda: reasons("indexoptions") == {"Available": GROUPS}, "the outputs", LONG)
    wait_until(lambda: told() == true(), "the statuses of the IndexOptions", LONG)
    stalled = world.condition("artifactindex", namespace, "missing", "Stalled")
    assert stalled["status"] == "True"
    world.wait_events(namespace, ("missing", "SecretNotFound"))
    world.wait_events(namespace, ("uv-g0", "IndexOmitted"))


@pytest.fixture(scope="module")
def converged(world: World, operator: OperatorProcess) -> OperatorProcess:
    """An operator over 500 indexes, all of them served or as far as they go."""
    for namespace in NAMESPACES:
        world.namespace(namespace)
        world.apply(*objects(world, namespace))
    for namespace in NAMESPACES:
        # Suspended once it is served: its token stays in the file.
        world.wait_condition("artifactindex", namespace, "index-000", reason="Available")
        world.patch("artifactindex", namespace, "index-000", {"spec": {"suspend": True}})
        world.wait_condition(
            "artifactindex", namespace, "missing", what="Stalled", reason="SecretNotFound"
        )
        settle(world, namespace)
    return operator


def requests(world: World, since: int) -> list[AuditEvent]:
    """The operator's requests after a mark, but those about itself and the API's own documents."""
    events = world.plane.audit_events(OPERATOR_USER, since=since)
    return [event for event in events if event.resource]


def wait_second_listing(world: World, since: int) -> None:
    """Wait until the operator has worked on everything after its start."""
    world.wait_second_listing(since, len(NAMESPACES), LONG)


def most_reads(seconds: float) -> int:
    """How often a Secret that is not there may be read in that time: after 1 s, 2 s, 4 s … 30 s."""
    waits = [min(2.0**number, 30.0) for number in range(20)]
    return 1 + sum(total <= seconds for total in itertools.accumulate(waits))


def test_a_restart_over_500_indexes_writes_nothing_mints_nothing_and_reads_only_lists(
    world: World, converged: OperatorProcess
) -> None:
    process = converged.process
    assert process is not None
    took = converged.stop()
    assert process.returncode == 0
    assert took < STOP_SECONDS
    assert "Traceback" not in converged.log
    mark, minted, calls = world.plane.audit_mark(), mints(world), world.aws.calls()
    counted = world.plane.request_counts()

    begun = time.monotonic()
    converged.start()

    wait_second_listing(world, mark)
    assert_quiet(world, mark, minted, calls)
    gets = Counter(
        (request.namespace, request.name)
        for request in requests(world, mark)
        if request.verb == "get"
    )
    missed = {
        (namespace, "not-there"): gets.pop((namespace, "not-there")) for namespace in NAMESPACES
    }
    most = most_reads(time.monotonic() - begun)
    assert all(1 <= count <= most for count in missed.values()), (missed, most)
    assert gets == Counter(
        {("artifact-index-system", "artifact-index-operator-signing-key"): 1}
        | {(namespace, name): 1 for namespace in NAMESPACES for name in ("aws-1", "basic-1")}
    )
    after = world.plane.request_counts()
    resources = ("artifactindexes", "indexoptions", "secrets", "configmaps")
    written = {
        key: count - counted[key]
        for key, count in after.items()
        if key.resource in resources and key.verb in ("POST", "PUT", "PATCH", "APPLY", "DELETE")
    }
    assert not any(written.values()), written

    # An edit right after it is written without a mint.
    name, namespace = "uv-g1", NAMESPACES[0]
    mark = world.plane.audit_mark()
    world.patch("indexoptions", namespace, name, {"spec": {"indexStrategy": "unsafe-first-match"}})
    world.wait_served(namespace, name, 'index-strategy = "unsafe-first-match"')
    world.wait_condition("indexoptions", namespace, name, reason="Available")
    wait_until(lambda: len(world.operator_writes(mark)) >= 3, "the audit log", PATIENCE)
    writes = Counter((write.resource, write.subresource) for write in world.operator_writes(mark))
    assert writes == {
        ("secrets", ""): 1,
        ("indexoptions.artifactindex.dev", "status"): 1,
        ("events", ""): 1,  # DependencyConfusionRisk
    }
    assert mints(world) == minted


def assert_quiet(world: World, mark: int, minted: int, calls: int) -> None:
    """No write, no mint, not even an attempt at one."""
    assert world.operator_writes(mark) == []
    assert mints(world) == minted
    assert world.aws.calls() == calls


def test_an_edit_while_the_operator_was_away_is_written_without_a_mint(
    world: World, converged: OperatorProcess
) -> None:
    namespace, name = NAMESPACES[1], "uv-g0"
    converged.stop()
    before = world.uv_toml(namespace, name)
    minted, calls = mints(world), world.aws.calls()
    world.patch("indexoptions", namespace, name, {"spec": {"publicIndex": {"enabled": False}}})
    converged.start()

    text = world.wait_served(namespace, name, 'name = "pypi"', there=False)
    assert before is not None
    tokens = [item.value for item in world.aws.tokens.all() if item.value in before]
    assert tokens and all(token in text for token in tokens)
    assert (mints(world), world.aws.calls()) == (minted, calls)


@pytest.mark.parametrize(
    "when", ["Python", "health endpoints", "listed", "Initial authentication has been initiated"]
)
def test_sigterm_during_the_start_ends_the_process_in_time(
    world: World, converged: OperatorProcess, when: str
) -> None:
    converged.stop()
    printed = len(converged.log)
    converged.start(wait=False)
    process = converged.process
    assert process is not None
    if when == "Python":
        wait_until(lambda: handles_sigterm(process.pid), "a handler of SIGTERM", PATIENCE)
    else:
        wait_until(lambda: when in converged.log[printed:], f"{when!r} in the log", PATIENCE)

    took = converged.stop()

    assert took < STOP_SECONDS
    assert process.returncode == 0
    assert "Traceback" not in converged.log[printed:]
    converged.start()


def handles_sigterm(pid: int) -> bool:
    """Whether the process has a handler of its own: as process 1 it would else ignore it."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_health_is_true_while_it_runs(world: World, converged: OperatorProcess) -> None:
    assert health(converged.health_port, "healthz") == (200, "ok\n")
    assert health(converged.health_port, "readyz") == (200, "ok\n")


def test_it_is_alive_but_not_ready_before_everything_has_been_listed() -> None:
    with Emulator() as emulator:
        emulator.create_namespace("artifact-index-system")
        # Until the faults are cleared.
        emulator.delay(600, verb="list", kind="configmaps")
        operator = OperatorProcess(emulator.kubeconfig(), forked=True)
        operator.start(wait=False)
        try:
            wait_until(lambda: "health endpoints" in operator.log, "the health endpoints", PATIENCE)
            port = operator.health_port
            wait_until(lambda: health(port, "healthz")[0] == 200, "liveness", PATIENCE)
            assert health(port, "readyz") == (
                503,
                "the first listing of all objects is not complete\n",
            )
            emulator.clear_faults()
            operator.wait_ready()
            # The signing key is made first, and nothing else without an object to serve.
            assert [write.resource for write in emulator.requests.writes()] == ["secrets"]
        finally:
            assert operator.stop() < STOP_SECONDS


def test_an_api_server_that_is_away_at_the_start_ends_the_process_with_a_reason(
    world: World, converged: OperatorProcess
) -> None:
    converged.stop()
    printed = len(converged.log)
    world.plane.kill_apiserver()
    try:
        converged.start(wait=False)
        process = converged.process
        assert process is not None
        assert process.wait(PATIENCE) == 1
    finally:
        world.plane.start_apiserver()
    converged.stop()
    log = converged.log[printed:]
    assert "ERROR" in log and "the API server" in log
    assert "Traceback" not in log
    mark, minted = world.plane.audit_mark(), mints(world)
    converged.start()
    assert health(converged.health_port, "readyz") == (200, "ok\n")
    wait_second_listing(world, mark)
    assert world.operator_writes(mark) == []
    assert mints(world) == minted


def test_it_outlives_an_outage_of_the_api_server(world: World, converged: OperatorProcess) -> None:
    port = converged.health_port
    world.plane.kill_apiserver()
    try:
        assert health(port, "healthz") == (200, "ok\n")
    finally:
        world.plane.start_apiserver()
    namespace, name = NAMESPACES[0], "uv-g2"
    world.patch("indexoptions", namespace, name, {"spec": {"preferPrivate": False}})
    world.wait_condition(
        # A watch that was cut off waits for as long again as it has waited already.
        "indexoptions", namespace, name, reason="PublicIndexFirst", seconds=LONG,
        what="DependencyConfusionRisk",
    )  # fmt: skip
    assert health(port, "readyz") == (200, "ok\n")
    process = converged.process
    assert process is not None
    assert converged.stop() < STOP_SECONDS
    assert process.returncode == 0
