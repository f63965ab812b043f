"""What the event loop refuses is a failure to connect, like any other."""

import gc

import aiohttp
import pytest

from artifact_index.kube.session import connected

pytestmark = pytest.mark.unit


class Leaked:
    """Garbage that only a collection frees, as a transport is that refers to itself."""

    freed = False

    def __init__(self) -> None:
        self.own = self

    def __del__(self) -> None:
        Leaked.freed = True


async def refused() -> aiohttp.ClientResponse:
    raise RuntimeError("File descriptor 18 is used by transport <TCPTransport closed=False>")


async def test_a_refused_socket_is_a_failure_to_connect_and_its_garbage_is_freed() -> None:
    gc.disable()
    try:
        Leaked()
        with pytest.raises(aiohttp.ClientConnectionError, match="File descriptor 18"):
            await connected(refused())
        assert Leaked.freed
    finally:
        gc.enable()
