"""Runs every test of this folder inside the node's namespace; what they share there."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import tour
from support.control_plane import ControlPlane
from support.control_plane.commands import NODE_ADDRESS
from support.control_plane.errors import ControlPlaneUnavailable
from support.node.images import BUILDER, OPERATOR, Images
from support.node.machine import ensure_programs
from support.node.node import Node
from support.node.relay import Relay

HERE = Path(__file__).parent
INSIDE = "NODE_RELAY" in os.environ
_relays: list[Relay] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Outside, the relay limits a test's time: the pytest within has first to say what hangs."""
    for item in items:
        if not INSIDE and item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(0))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Outside the namespace a test of this folder is run by the pytest within."""
    if INSIDE or not item.path.is_relative_to(HERE):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    stays = nextitem is not None and nextitem.path.is_relative_to(HERE)
    for report in _reports(item, nextitem.nodeid if stays and nextitem else None):
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _reports(item: pytest.Item, following: str | None) -> Iterator[pytest.TestReport]:
    reports: list[pytest.TestReport] = []

    def run() -> None:
        try:
            reports.extend(_relay(item.config).run(item.nodeid, following))
        except ControlPlaneUnavailable as error:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(error.reason)

    call = pytest.CallInfo.from_call(run, when="setup")
    if call.excinfo is not None:
        yield pytest.TestReport.from_item_and_call(item, call)
    else:
        yield from reports


def _relay(config: pytest.Config) -> Relay:
    if not _relays:
        _relays.append(Relay(config, HERE))
    relay = _relays[0]
    if not relay.runs:
        capture = config.pluginmanager.getplugin("capturemanager")
        # Programs and images may have to be built: their progress has to be seen.
        with capture.global_and_fixture_disabled():
            relay.start()
    return relay


def pytest_sessionfinish() -> None:
    """End what runs inside."""
    for relay in _relays:
        relay.close()


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """A control plane that serves pods."""
    binaries, _ = ensure_programs()
    with ControlPlane(binaries, for_pods=True) as plane:
        yield plane


@pytest.fixture(scope="session")
def node(control_plane: ControlPlane) -> Iterator[Node]:
    """The one node."""
    images = Images(
        operator=Path(os.environ["NODE_OPERATOR"]),
        builder=Path(os.environ["NODE_BUILDER"]),
        sandbox=Path(os.environ["NODE_SANDBOX"]),
    )
    programs = Path(os.environ["NODE_PROGRAMS"])
    with Node(control_plane, programs, images, cgroup=os.environ["NODE_CGROUP"]) as started:
        yield started


@pytest.fixture(scope="session")
def stand_ins() -> Iterator[tour.StandIns]:
    """The clouds and the packages, at the node's address."""
    with tour.open_stand_ins(NODE_ADDRESS) as opened:
        yield opened


@pytest.fixture(scope="session")
def guide(node: Node, stand_ins: tour.StandIns) -> tour.Tour:
    """The tour over this node; a module installs and uninstalls the chart."""
    return tour.Tour(node.plane, stand_ins, tour.Images(operator=OPERATOR, builder=BUILDER))
