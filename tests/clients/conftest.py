"""A private index that asks for a login, a public one with look-alikes, and a place for clients."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.client_runs import Clients
from support.index_server import IndexServer, Repository
from support.uv_scenes import good
from support.wheels import make_wheel


@pytest.fixture
def server() -> Iterator[IndexServer]:
    with IndexServer() as running:
        yield running


@pytest.fixture
def pypi(server: IndexServer) -> Iterator[IndexServer]:
    """Another host: clients send a login to all of one host."""
    with IndexServer(log=server.log) as running:
        yield running


@pytest.fixture
def private(server: IndexServer) -> Repository:
    """`mine` 1.0, which also has a command, for whoever has the login."""
    return server.add_repository("pypi/acme", make_wheel("mine", "1.0", command=True), accepts=good)


@pytest.fixture
def public(pypi: IndexServer) -> Repository:
    """A look-alike `mine` 9.9, and `other` 1.0 that exists here alone."""
    return pypi.add_repository(
        "public", make_wheel("mine", "9.9", command=True), make_wheel("other", "1.0")
    )


@pytest.fixture
def clients(tmp_path: Path, server: IndexServer) -> Clients:
    """Runs real clients; a way to other hosts leads through `server.tunnels()` only."""
    return Clients(tmp_path, proxy=f"http://{server.netloc}")
