"""One logging index server, one uv of each version, and the renderer between them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.index_server import IndexServer
from support.uv_clients import VERSIONS, Uv


@pytest.fixture
def server() -> Iterator[IndexServer]:
    with IndexServer() as running:
        yield running


@pytest.fixture
def pypi(server: IndexServer) -> Iterator[IndexServer]:
    """The host of the public index. A host of its own, since uv sends logins to a whole host."""
    with IndexServer(log=server.log) as running:
        yield running


@pytest.fixture(params=VERSIONS)
def uv(request: pytest.FixtureRequest, tmp_path: Path, server: IndexServer) -> Uv:
    """Each supported uv in turn. A way to other hosts leads through `server.tunnels()` only."""
    return Uv(request.param, tmp_path, https_proxy=f"http://{server.netloc}")
