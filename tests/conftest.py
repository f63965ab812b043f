"""The real control plane, and the world around the operator, that several tiers share."""

import gc
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from support import chart, file_order, grafana, kind, krew, promtool
from support.control_plane import ControlPlane, ControlPlaneUnavailable
from support.control_plane.binaries import find_binaries
from support.hanging_tests import HangingTests
from support.operator_process import OperatorProcess
from support.whole_files import WholeFiles
from support.world import World, open_world

# How long an example takes is a matter of what else the machine does. In CI the examples are the
# same each time, so that a change fails by what it changed; by hand they are new ones.
settings.register_profile(
    "any machine",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=os.environ.get("CI") == "true",
)
settings.load_profile("any machine")

# The control plane's programs, Helm and kubectl are Go, and most of them live for a moment: they
# collect garbage less often, for a tenth of their CPU.
os.environ.setdefault("GOGC", "400")

_dead_workers: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    """Limit what hangs."""
    config.pluginmanager.register(HangingTests())


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Look for no garbage meanwhile: imported modules and collected tests live until the end.

    Afterwards look for none among them, and less often than a server should: it was a tenth of the
    tests' CPU.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mix files that mostly wait with those that compute, the bench first."""
    order = file_order.places((item.path for item in items), Path(__file__).parent)
    items.sort(key=lambda item: order[item.path])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """`--dist loadfile`, with the node tier as one file."""
    return WholeFiles(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Remember workers that died, also after all of their tests."""
    if error:
        _dead_workers.append(node.gateway.id)


def _not_run(reporter: pytest.TerminalReporter) -> int:
    """How many tests were skipped or expected to fail."""
    return sum(len(reporter.stats.get(outcome, ())) for outcome in ("skipped", "xfailed"))


def _reporter(config: pytest.Config) -> pytest.TerminalReporter | None:
    found = config.pluginmanager.getplugin("terminalreporter")
    return found if isinstance(found, pytest.TerminalReporter) else None


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI a test that did not run is a failure; everywhere, a worker that died."""
    if exitstatus == 0 and _dead_workers:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    reporter = _reporter(session.config)
    if os.environ.get("CI") == "true" and exitstatus == 0 and reporter and _not_run(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say so, above pytest's last line."""
    if _dead_workers:
        terminalreporter.write_line(f"died: {', '.join(_dead_workers)}", red=True)
    if os.environ.get("CI") == "true" and (count := _not_run(terminalreporter)):
        terminalreporter.write_line(f"CI: {count} tests did not run; that is a failure", red=True)


@pytest.fixture(scope="session")
def helm(request: pytest.FixtureRequest) -> None:
    """Helm 4 and Helm 3 are built; where they cannot be, tests are skipped, but fail in CI."""
    _build(request, chart.helm)


@pytest.fixture(scope="session")
def prometheus(request: pytest.FixtureRequest) -> None:
    """The same for promtool."""
    _build(request, promtool.program)


@pytest.fixture(scope="session")
def grafana_schema(request: pytest.FixtureRequest) -> None:
    """The same for Grafana's schema."""
    _build(request, grafana.program)


@pytest.fixture(scope="session")
def kind_built(request: pytest.FixtureRequest) -> None:
    """The same for kind."""
    _build(request, kind.program)


@pytest.fixture(scope="session")
def krew_on_path(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The same for kubectl and krew; returns an environment whose PATH has both before all else."""
    _build(request, krew.programs)
    _build(request, find_binaries)
    folder = tmp_path_factory.mktemp("krew")
    built = krew.programs()
    (folder / "kubectl").symlink_to(find_binaries().kubectl)
    (folder / "kubectl-krew").symlink_to(built / "krew")
    (folder / "validate-krew-manifest").symlink_to(built / "validate-krew-manifest")
    return {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(folder)}


def _build(request: pytest.FixtureRequest, build: Callable[[], object]) -> None:
    """Build a program, and show how far that is."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():
            build()
    except ControlPlaneUnavailable as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(error.reason)


@pytest.fixture(scope="session")
def control_plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """A started control plane; tests use namespaces of their own and leave the servers running.

    Where it is unavailable tests are skipped with the reason, but fail in CI.
    """
    with _new_control_plane(request) as plane:
        yield plane


@pytest.fixture(scope="module")
def own_control_plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """A control plane for one module alone, which may change what others rely on."""
    with _new_control_plane(request) as plane:
        yield plane


def _new_control_plane(request: pytest.FixtureRequest) -> ControlPlane:
    capture = request.config.pluginmanager.getplugin("capturemanager")
    try:
        # A first build takes minutes: its progress has to be seen.
        with capture.global_and_fixture_disabled():
            return ControlPlane()
    except ControlPlaneUnavailable as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(error.reason)


@pytest.fixture(scope="session")
def world(control_plane: ControlPlane, helm: None) -> Iterator[World]:
    """The control plane with CRDs and permissions, and the clouds and package index beside it.

    Shared by the whole session: each test takes a namespace, principals and domains of its own.
    """
    with open_world(control_plane, forked=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def operator(world: World) -> Iterator[OperatorProcess]:
    """One running operator for a module's tests; a test that restarts it starts its own."""
    with world.operator("--log-level", "debug") as running:
        yield running
