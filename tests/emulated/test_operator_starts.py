"""Starts on an API server that is not ready for them, and what ends the process."""

import re
import subprocess
import time
from collections.abc import Iterator

import pytest

from support.control_plane import wait_until
from support.emulated_world import OURS, EmulatedWorld, anonymous, emulated_world
from support.operator_process import STOP_SECONDS, OperatorProcess
from support.world import PATIENCE, artifact_index, code_artifact, index_options, secret

pytestmark = pytest.mark.emulated

KINDS = ("artifactindexes", "indexoptions", "secrets", "configmaps")


@pytest.fixture
def world() -> Iterator[EmulatedWorld]:
    with emulated_world() as opened:
        yield opened


@pytest.fixture
def unforked() -> Iterator[EmulatedWorld]:
    """The same with operators that take the whole way of a start, imports included."""
    with emulated_world(forked=False) as opened:
        yield opened


def wait_exit(operator: OperatorProcess) -> int:
    assert operator.process is not None
    try:
        return operator.process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        pytest.fail(f"still running after {PATIENCE} s; its log:\n{operator.log[-3000:]}")


def last_error(operator: OperatorProcess) -> str:
    operator.stop()
    return [line for line in operator.log.splitlines() if " ERROR " in line][-1]


@pytest.mark.parametrize("kind", ["artifactindexes", "indexoptions"])
def test_a_missing_crd_ends_the_start_with_what_to_do(kind: str, unforked: EmulatedWorld) -> None:
    message = "the server could not find the requested resource"
    unforked.emulator.fail("list", kind, 404, count=None, message=message)
    operator = unforked.operator()
    operator.start(wait=False)
    assert wait_exit(operator) == 1
    error = last_error(operator)
    assert f"): there is no CustomResourceDefinition {kind}.artifactindex.dev; " in error
    assert "artifact-index crds | kubectl apply -f -" in error
    assert "Traceback" not in operator.log


def test_a_crd_that_is_served_a_moment_later_is_waited_for(world: EmulatedWorld) -> None:
    message = "the server could not find the requested resource"
    world.emulator.fail("list", "artifactindexes", 404, count=2, message=message)
    with world.operator() as operator:
        assert operator.process is not None
        assert operator.process.poll() is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_permission_ends_the_start_with_its_name(kind: str, world: EmulatedWorld) -> None:
    world.emulator.fail("list", kind, 403, count=None, message=f"cannot list resource {kind!r}")
    operator = world.operator()
    operator.start(wait=False)
    assert wait_exit(operator) == 1
    assert f"cannot list resource {kind!r}" in last_error(operator)
    assert world.emulator.requests.writes() == []


def test_a_permission_that_is_taken_back_ends_the_process_within_its_patience(
    world: EmulatedWorld,
) -> None:
    operator = world.operator("--watch-patience=3s", "--relist-interval=1h")
    with operator:
        wait_until(lambda: len(world.emulator.watches()) == len(KINDS), "the watches", PATIENCE)
        begun = time.monotonic()
        world.emulator.fail("watch", "artifactindexes", 403, count=None)
        world.emulator.drop_watches("artifactindexes")
        assert wait_exit(operator) == 1
        assert time.monotonic() - begun >= 2.5
    refused = world.emulator.requests.count("watch", "artifactindexes", status=403)
    assert 3 <= refused <= 6


@pytest.mark.parametrize("kind", ["artifactindexes", "indexoptions"])
def test_a_crd_that_is_deleted_ends_the_process_with_what_to_do(
    kind: str, world: EmulatedWorld
) -> None:
    with world.operator("--relist-interval=1h") as operator:
        wait_until(lambda: len(world.emulator.watches()) == len(KINDS), "the watches", PATIENCE)
        for verb in ("watch", "list"):
            world.emulator.fail(verb, kind, 404, count=None)
        world.emulator.drop_watches(kind)
        assert wait_exit(operator) == 1
    assert f"there is no CustomResourceDefinition {kind}.artifactindex.dev" in last_error(operator)
    assert "Traceback" not in operator.log


def test_a_login_that_is_refused_ends_the_process_within_its_patience(
    world: EmulatedWorld,
) -> None:
    with world.operator("--watch-patience=3s", "--relist-interval=1h") as operator:
        wait_until(lambda: len(world.emulator.watches()) == len(KINDS), "the watches", PATIENCE)
        begun = time.monotonic()
        for verb in ("watch", "list"):
            world.emulator.fail(verb, "*", 401, count=None)
        world.emulator.drop_watches()
        assert wait_exit(operator) == 1
        assert time.monotonic() - begun >= 2
    assert "the operator's login has expired" in last_error(operator)
    assert "Traceback" not in operator.log


def test_nothing_is_written_before_every_kind_was_listed(world: EmulatedWorld) -> None:
    for number in range(5):
        name = f"index-{number}"
        world.add("early", artifact_index(name, **anonymous(name)))
    world.add("early", index_options("uv-config"))
    world.emulator.delay(1.5, verb="list", kind="configmaps")
    requests = world.emulator.requests
    operator = world.operator()
    operator.start(wait=False)
    wait_until(lambda: requests.count("list", "configmaps") == 1, "the last listing", PATIENCE)
    [last] = requests.matching("list", "configmaps")

    def listed_and_quiet_until_then() -> bool:
        ended = bool(last.status)
        assert ended or requests.writes() == []
        return ended

    wait_until(listed_and_quiet_until_then, "the end of the last listing", PATIENCE)
    world.wait_served("early", *(f"index-{number}" for number in range(5)))
    operator.stop()


def test_a_listing_that_expires_between_its_pages_is_begun_again(world: EmulatedWorld) -> None:
    names = [f"index-{number:03}" for number in range(520)]
    for name in names:
        world.add("many", artifact_index(name, **anonymous(name)))
    world.add("many", index_options("uv-config"))
    world.emulator.fail("list", "artifactindexes", 410, continued=True, count=1)
    with world.operator("--relist-interval=1h"):
        world.wait_served("many", *names)
        expired = world.emulator.requests.matching("list", "artifactindexes", status=410)
        assert len(expired) == 1
        assert OURS in expired[0].user_agent
        # No file with the first page alone was ever written.
        assert world.emulator.requests.count("create", "secrets") == 1
        assert world.emulator.requests.count("patch", "secrets") == 0


def test_a_restart_over_a_converged_cluster_writes_and_mints_nothing(world: EmulatedWorld) -> None:
    endpoint = "https://aws.example/pypi/python/"
    basic = {"url": "https://basic.example/simple/", "secretRef": {"name": "login"}}
    missing = {"url": "https://missing.example/simple/", "secretRef": {"name": "nowhere"}}
    private = {"matchLabels": {"tier": "open"}}
    world.add(
        "full",
        world.access_key("key", "full"),
        secret("login", {"username": "u", "password": "p"}),
        secret("link", {"url": "https://user:pass@link.example/simple/"}, labelled=False),
        artifact_index(
            "minted", name="minted", codeArtifact=code_artifact("key", endpoint=endpoint)
        ),
        artifact_index("basic", name="basic", basicAuth=basic),
        artifact_index("link", name="link", preauthenticated={"urlSecretRef": {"name": "link"}}),
        artifact_index("open", labels={"tier": "open"}, anonymous={"url": "https://x.example/s/"}),
        artifact_index("same", labels={"tier": "open"}, anonymous={"url": "https://x.example/t/"}),
        artifact_index("missing", name="missing", basicAuth=missing),
        index_options("uv-config"),
        index_options(
            "public",
            indexSelector=private,
            outputs=[{"kind": "ConfigMap", "name": "public", "formats": ["UvToml"]}],
        ),
        index_options("nothing", indexSelector={"matchLabels": {"tier": "none"}}),
    )
    with world.operator("--relist-interval=1h") as operator:
        world.wait_served("full", "minted", "basic", "link", "x", "x-2", "missing")
        world.wait_reason("indexoptions", "full", "uv-config", "IndexesNotReady")
        world.wait_reason("indexoptions", "full", "public", "Available")
        world.wait_reason("indexoptions", "full", "nothing", "NoIndexes")
        world.wait_reason("artifactindexes", "full", "missing", "SecretNotFound")
        for name in ("minted", "basic", "link", "open", "same"):
            world.wait_reason("artifactindexes", "full", name, "Available")
        world.settle()
        told = len(operator.log)
        for _ in range(2):
            operator.stop()
            world.emulator.requests.clear()
            operator.start()
            world.wait_second_listing()
            world.settle()
            assert world.emulator.requests.writes() == []
    assert world.aws.mints("GetAuthorizationToken") == 1
    assert not re.search(r"ERROR|Traceback|WARNING(?! ConditionChanged)", operator.log), (
        operator.log
    )
    # What is as it was is not told again.
    again = r"WARNING|ConditionChanged|TokenIssued|EndpointFound|Deleted"
    assert not re.search(again, operator.log[told:]), operator.log


def test_a_signal_in_the_middle_of_the_first_wave_ends_it_in_two_seconds(
    unforked: EmulatedWorld,
) -> None:
    for number in range(200):
        namespace = f"wave-{number}"
        unforked.add(namespace, artifact_index("a", **anonymous("a")), index_options("uv-config"))
    unforked.emulator.delay(0.5, verb="create", kind="secrets")
    operator = unforked.operator()
    operator.start(wait=False)
    wait_until(
        lambda: unforked.emulator.requests.count("create", "secrets") > 40, "writes", PATIENCE
    )
    process = operator.process
    assert process is not None
    assert operator.stop() < STOP_SECONDS
    assert process.returncode == 0
    assert unforked.emulator.requests.count("create", "secrets") < 200
    assert "Traceback" not in operator.log


@pytest.mark.parametrize("flags", [(), ("--leader-elect",)])
def test_watches_begin_after_the_first_wave(flags: tuple[str, ...], world: EmulatedWorld) -> None:
    """Beside it they would bring back each write, and list everything again (ADR 4)."""
    files = [index_options(f"uv-{number}") for number in range(60)]
    world.add("wave", artifact_index("one", **anonymous("one")), *files)
    world.emulator.delay(0.1, verb="create", kind="secrets")
    with world.operator(*flags):
        wait_until(lambda: len(world.emulator.watches("secrets")) == 1, "the watches", PATIENCE)
        world.wait_served("wave", "one", name="uv-59")
    requests = world.emulator.requests
    created = [each for each in requests.matching("create", "secrets") if each.namespace == "wave"]
    watched = [each for each in requests.matching("watch") if each.resource in KINDS]
    assert len(created) == len(files)
    assert max(map(requests.index, created)) < min(map(requests.index, watched))
