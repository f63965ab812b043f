"""The real control plane, and the world around the operator, that several tiers share."""

import os
from collections.abc import Iterator

import pytest

from support.control_plane import ControlPlane, ControlPlaneUnavailable
from support.operator_process import OperatorProcess
from support.world import World, open_world


@pytest.fixture(scope="session")
def control_plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """A started control plane; tests use namespaces of their own and leave the servers running.

    Where it is unavailable tests are skipped with the reason, but fail in CI.
    """
    capture = request.config.pluginmanager.getplugin("capturemanager")
    try:
        # A first build takes minutes: its progress has to be seen.
        with capture.global_and_fixture_disabled():
            plane = ControlPlane()
    except ControlPlaneUnavailable as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(error.reason)
    with plane:
        yield plane


@pytest.fixture(scope="session")
def world(control_plane: ControlPlane) -> Iterator[World]:
    """The control plane with CRDs and permissions, and the clouds and package index beside it.

    Shared by the whole session: each test takes a namespace, principals and domains of its own.
    """
    with open_world(control_plane) as opened:
        yield opened


@pytest.fixture(scope="module")
def operator(world: World) -> Iterator[OperatorProcess]:
    """One running operator for a module's tests; a test that restarts it starts its own."""
    with world.operator("--log-level", "debug") as running:
        yield running
