"""The real control plane that all cluster tests share."""

import os
from collections.abc import Iterator

import pytest

from support.control_plane import ControlPlane, ControlPlaneUnavailable


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
