"""One tenant has as many and as large files as it may: the event loop goes on for all others."""

import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from artifact_index.reconcile.plan.outputs import desired_outputs
from artifact_index.reconcile.plan.sizes import MOST_ENTRIES
from support.control_plane import wait_until
from support.emulated_world import EmulatedWorld, anonymous, emulated_world
from support.operator_process import OperatorProcess, health
from support.reconcile_builders import DIGESTER, index, index_state, options, plans_from, source
from support.world import PATIENCE, artifact_index, index_options, secret

pytestmark = pytest.mark.emulated

FORMATS = ["UvToml", "Netrc", "PipConf", "Pypirc", "PdmToml"]
OUTPUTS = 8
COUNT = MOST_ENTRIES // (OUTPUTS * len(FORMATS))
FILES = ("first", "second")
"""Two IndexOptions with as many entries as one may have."""


@pytest.fixture(scope="module")
def world() -> Iterator[EmulatedWorld]:
    with emulated_world() as opened:
        yield opened


@pytest.fixture(scope="module")
def operator(world: EmulatedWorld) -> Iterator[OperatorProcess]:
    with world.operator("--relist-interval=1h") as running:
        yield running


def outputs(name: str) -> list[dict[str, Any]]:
    return [
        {"kind": "Secret", "name": f"{name}-{number}", "formats": FORMATS}
        for number in range(OUTPUTS)
    ]


def add_large_files(world: EmulatedWorld, namespace: str, count: int) -> None:
    sources = (
        {"url": f"https://h{number}.example/simple/", "secretRef": {"name": "login"}}
        for number in range(count)
    )
    world.add(
        namespace,
        secret("login", {"username": "u", "password": "first"}),
        *(artifact_index(f"i{number}", basicAuth=each) for number, each in enumerate(sources)),
        *(index_options(name, outputs=outputs(name)) for name in FILES),
    )


def pace() -> float:
    """Seconds in which this machine renders one of the two now, whatever else it does."""
    states = (
        index_state(
            index(f"i{number}", source("basicAuth", url=f"https://h{number}.example/simple/")),
            values={"username": "u", "password": str(time.monotonic())},
        )
        for number in range(COUNT)
    )
    plans = plans_from(*states)
    began = time.monotonic()
    made, _ = desired_outputs(options(spec={"outputs": outputs("pace")}), plans, DIGESTER)
    assert len(made) == OUTPUTS
    return time.monotonic() - began


def longest_holds(operator: OperatorProcess) -> dict[float, float]:
    """How many timers of the event loop ran at most so many seconds late."""
    url = f"http://127.0.0.1:{operator.health_port}/metrics"
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return {
        float(sample.labels["le"]): sample.value
        for family in families
        for sample in family.samples
        if sample.name == "artifact_index_event_loop_lag_seconds_bucket"
    }


@contextmanager
def always_healthy(operator: OperatorProcess) -> Iterator[None]:
    """Ask /healthz all the time: it must answer as the chart's probe wants it."""
    done = threading.Event()
    answers: list[tuple[int, float]] = []

    def ask() -> None:
        while not done.wait(0.1):
            began = time.monotonic()
            status, _ = health(operator.health_port, "healthz")
            answers.append((status, time.monotonic() - began))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    assert {status for status, _ in answers} == {200}
    assert max(seconds for _, seconds in answers) < 5


@contextmanager
def never_held(operator: OperatorProcess) -> Iterator[None]:
    """The event loop is never held for as long as a few of its large files take to render."""
    before = longest_holds(operator)
    yield
    after = longest_holds(operator)
    allowed = min(bound for bound in after if bound >= 2 * pace())
    late = {bound: after[bound] - before[bound] for bound in after}
    assert late[allowed] == late[float("inf")], f"held for more than {allowed} s: {late}"


def serve_another(world: EmulatedWorld, namespace: str) -> float:
    """Seconds until a new file of another tenant is served."""
    began = time.monotonic()
    world.add(namespace, artifact_index("a", **anonymous("a")), index_options("uv-config"))
    wait_until(lambda: world.serves(namespace, "a"), "the other tenant's file", PATIENCE)
    return time.monotonic() - began


def change_password(world: EmulatedWorld, namespace: str, password: str) -> None:
    change = {"stringData": {"username": "u", "password": password}}
    world.emulator.patch("secrets", namespace, "login", change)


def all_hold(world: EmulatedWorld, namespace: str, password: str) -> bool:
    """Whether every output of both IndexOptions holds a password in all of its entries."""
    files = (world.served(namespace, f"{name}-{n}") for name in FILES for n in range(OUTPUTS))
    return all(
        f":{password}@" in table["url"]
        for served in files
        for name, table in served.items()
        if name != "pypi"
    )


def test_too_many_entries_hold_up_nobody_else(
    world: EmulatedWorld, operator: OperatorProcess
) -> None:
    usual = serve_another(world, "before")
    with never_held(operator), always_healthy(operator):
        add_large_files(world, "more", COUNT + 1)
        for name in FILES:
            world.wait_reason("indexoptions", "more", name, "TargetTooLarge")
        change_password(world, "more", "second")
        beside = serve_another(world, "beside-more")
    assert beside < 1 + 10 * usual


def test_large_files_hold_up_nobody_else_even_over_a_restart(
    world: EmulatedWorld, operator: OperatorProcess
) -> None:
    usual = serve_another(world, "before-large")
    with never_held(operator), always_healthy(operator):
        add_large_files(world, "large", COUNT)
        for name in FILES:
            world.wait_reason("indexoptions", "large", name, "Available")
        world.settle()
        beside = []
        for password in ("second", "third", "fourth"):
            change_password(world, "large", password)
            beside.append(serve_another(world, f"beside-{password}"))
        wait_until(lambda: all_hold(world, "large", "fourth"), "the password", PATIENCE)
    assert max(beside) < 1 + 10 * usual

    world.settle()
    operator.stop()
    world.emulator.requests.clear()
    operator.start()
    with never_held(operator), always_healthy(operator):
        world.wait_second_listing()
        world.settle()
    assert world.emulator.requests.writes() == []
