"""An API server that no longer serves the operator is known within a minute, by its cause."""

import asyncio
import logging
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from artifact_index.kube.client import _unreachable
from artifact_index.kube.errors import ApiError, error_from_response
from artifact_index.kube.port import ListPage
from artifact_index.kube.resources import INDEX_OPTIONS, Resource
from artifact_index.kube.server_check import RestoredBackupError, ServerCheck
from support.memory_port import MemoryPort

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

UNAUTHORIZED = error_from_response(401, "Unauthorized", {}, b"", sensitive=False)
NO_KIND = ApiError(404, "NotFound", "404 page not found")


class Port(MemoryPort):
    """An API server that refuses a kind, or is at some resourceVersion."""

    def __init__(self) -> None:
        super().__init__()
        self.version = 100
        self.error: ApiError | None = None
        self.refused: tuple[str, ...] = ("artifactindexes", "indexoptions")

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        page: int | None = None,
    ) -> AsyncIterator[ListPage]:
        assert (namespace, page) == ("served", 1)
        if self.error is not None and resource.plural in self.refused:
            raise self.error
        yield ListPage((), str(self.version), first=True)


def certificate_error() -> ApiError:
    key = ConnectionKey("10.0.0.1", 443, True, True, None, None, None, None)
    return _unreachable(aiohttp.ClientConnectorCertificateError(key, OSError("self-signed")))


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (UNAUTHORIZED, ["401", "login has expired", "restart the pod"]),
        (NO_KIND, ["indexoptions.artifactindex.dev", "artifact-index crds"]),
        (certificate_error(), ["10.0.0.1:443", "certificate authority", "restart the operator"]),
    ],
    ids=["login", "definition", "authority"],
)
async def test_a_problem_is_known_within_a_minute_and_logged_once(
    error: ApiError, says: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    port = Port()
    check = ServerCheck(port, "served", lambda: 0)
    running = asyncio.create_task(check.run())
    await asyncio.sleep(100)
    assert check.problem is None and caplog.messages == []

    port.error = error
    await asyncio.sleep(60)
    for part in says:
        assert part in str(check.problem)
    await asyncio.sleep(600)
    assert caplog.messages == [check.problem]
    assert all(record.exc_info is None for record in caplog.records)

    port.error = None
    await asyncio.sleep(60)
    assert check.problem is None and len(caplog.messages) == 2
    running.cancel()


@pytest.mark.parametrize("kind", ["artifactindexes", "indexoptions"])
async def test_the_missing_definition_is_named(kind: str) -> None:
    port = Port()
    port.error, port.refused = NO_KIND, (kind,)
    problem = await ServerCheck(port, "served", lambda: 0).problem_of_either_kind()
    assert problem is not None and f"{kind}.artifactindex.dev" in problem


async def test_a_restored_backup_ends_the_operator() -> None:
    port = Port()
    running = asyncio.create_task(ServerCheck(port, "served", lambda: 0).run())
    for port.version in (100, 100, 180):
        await asyncio.sleep(30)
    assert not running.done()
    port.version = 120
    await asyncio.sleep(30)
    assert isinstance(running.exception(), RestoredBackupError)
    assert "from 180 to 120" in str(running.exception())


async def test_a_version_that_an_event_has_shown_counts_before_the_first_check() -> None:
    port = Port()
    check = ServerCheck(port, "served", lambda: 101)
    with pytest.raises(RestoredBackupError, match="from 101 to 100"):
        await check.check(INDEX_OPTIONS)
