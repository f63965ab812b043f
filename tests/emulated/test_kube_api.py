"""The port to the API server against the emulator: the shared contract, repetition and faults."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from artifact_index.kube.client import KubeApi
from artifact_index.kube.connect import load_configuration
from artifact_index.kube.errors import ApiError
from artifact_index.kube.resources import ARTIFACT_INDEXES, CONFIG_MAPS, SECRETS
from support.emulator import Emulator, wait_for
from support.port_contract import CHECKS, Check, secret
from support.recording_meter import RecordingMeter

pytestmark = pytest.mark.emulated


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as started:
        yield started


class Port:
    """A port whose waits between tries take no time and are noted."""

    def __init__(self, api: KubeApi, waits: list[float], meter: RecordingMeter) -> None:
        self.api = api
        self.waits = waits
        self.meter = meter


@pytest.fixture
async def port(emulator: Emulator) -> AsyncIterator[Port]:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    configuration = await load_configuration(kubeconfig=emulator.kubeconfig())
    meter = RecordingMeter()
    api = KubeApi(configuration, sleep=sleep, rand=lambda: 0.5, meter=meter)
    yield Port(api, waits, meter)
    await api.close()


def config_maps(emulator: Emulator, count: int) -> None:
    for number in range(count):
        emulator.create("configmaps", {"metadata": {"name": f"c-{number}"}})


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_contract(check: Check, emulator: Emulator, port: Port) -> None:
    emulator.create_namespace("contract")
    await check(port.api, "contract")


@pytest.mark.parametrize("status", [429, 500, 503, 504])
async def test_a_read_is_repeated_after_a_transient_error(
    status: int, emulator: Emulator, port: Port
) -> None:
    config_maps(emulator, 1)
    emulator.fail("get", "configmaps", status, count=2)
    assert await port.api.get(CONFIG_MAPS, "default", "c-0")
    assert port.waits == [0.2, 0.4]
    assert port.meter.requests == {
        ("get", "configmaps", "", status): 2,
        ("get", "configmaps", "", 200): 1,
    }


async def test_a_read_is_given_up_after_three_tries(emulator: Emulator, port: Port) -> None:
    emulator.fail("get", "configmaps", 500, count=None)
    with pytest.raises(ApiError) as caught:
        await port.api.get(CONFIG_MAPS, "default", "c-0")
    assert caught.value.transient
    assert emulator.requests.count("get", "configmaps") == 3


@pytest.mark.parametrize("status", [400, 403, 409])
async def test_a_lasting_error_is_not_repeated(status: int, emulator: Emulator, port: Port) -> None:
    emulator.fail("get", "configmaps", status)
    with pytest.raises(ApiError) as caught:
        await port.api.get(CONFIG_MAPS, "default", "c-0")
    assert (caught.value.status, caught.value.transient) == (status, False)
    assert emulator.requests.count("get") == 1


async def test_a_read_is_repeated_after_a_dropped_connection(
    emulator: Emulator, port: Port
) -> None:
    config_maps(emulator, 1)
    emulator.fail("get", "configmaps", outcome="reset", count=2)
    assert await port.api.get(CONFIG_MAPS, "default", "c-0")


async def test_retry_after_is_honoured(emulator: Emulator, port: Port) -> None:
    config_maps(emulator, 1)
    emulator.fail("get", "configmaps", 429, retry_after=3)
    await port.api.get(CONFIG_MAPS, "default", "c-0")
    assert port.waits == [pytest.approx(3.1)]


async def test_a_long_retry_after_is_left_to_the_caller(emulator: Emulator, port: Port) -> None:
    emulator.fail("get", "configmaps", 503, retry_after=60)
    with pytest.raises(ApiError) as caught:
        await port.api.get(CONFIG_MAPS, "default", "c-0")
    assert caught.value.retry_after == 60
    assert port.waits == []


@pytest.mark.parametrize(("status", "message"), [(404, ""), (429, "storage is (re)initializing")])
async def test_a_new_kind_is_listed_again_at_once(
    status: int, message: str, emulator: Emulator, port: Port
) -> None:
    emulator.fail("list", ARTIFACT_INDEXES, status, message=message, retry_after=1)
    pages = [page async for page in port.api.list(ARTIFACT_INDEXES)]
    assert len(pages) == 1
    assert port.waits == [0.05]


async def test_a_kind_that_does_not_exist_is_reported(emulator: Emulator, port: Port) -> None:
    emulator.fail("list", ARTIFACT_INDEXES, 404, count=None)
    with pytest.raises(ApiError) as caught:
        [page async for page in port.api.list(ARTIFACT_INDEXES)]
    assert caught.value.not_found
    assert emulator.requests.count("list") == 3


async def test_a_refused_write_is_repeated_where_the_server_says_when(
    emulator: Emulator, port: Port
) -> None:
    emulator.fail("create", "secrets", 429, retry_after=1, count=2)
    await port.api.create(SECRETS, "default", secret("one"))
    assert emulator.requests.count("create") == 3


@pytest.mark.parametrize("status", [429, 500, 504])
async def test_a_write_that_may_have_happened_is_not_repeated(
    status: int, emulator: Emulator, port: Port
) -> None:
    emulator.fail("create", "secrets", status)
    with pytest.raises(ApiError):
        await port.api.create(SECRETS, "default", secret("one"))
    assert emulator.requests.count("create") == 1


@pytest.mark.parametrize("verb", ["create", "patch"])
async def test_a_write_whose_answer_is_lost_is_left_to_the_caller(
    verb: str, emulator: Emulator, port: Port
) -> None:
    config_maps(emulator, 1)
    emulator.fail(verb, "configmaps", outcome="lost")
    body = {"metadata": {"name": "new", "labels": {"a": "b"}}}
    with pytest.raises(ApiError) as caught:
        if verb == "create":
            await port.api.create(CONFIG_MAPS, "default", body)
        else:
            body["metadata"].pop("name")
            await port.api.patch(CONFIG_MAPS, "default", "c-0", body)
    assert (caught.value.status, caught.value.sent) == (0, True)
    assert emulator.requests.count(verb) == 1
    assert emulator.list("configmaps", labels="a=b")


async def test_a_write_to_a_server_that_is_down_is_repeated(emulator: Emulator, port: Port) -> None:
    emulator.stop()
    waited = asyncio.Event()

    async def sleep(_: float) -> None:
        if not waited.is_set():
            waited.set()
            emulator.start()

    port.api._sleep = sleep
    await port.api.create(SECRETS, "default", secret("one"))
    assert waited.is_set()
    assert emulator.find("secrets", "default", "one")


async def test_a_server_that_stays_down_is_reported_as_unreachable(
    emulator: Emulator, port: Port
) -> None:
    emulator.stop()
    with pytest.raises(ApiError) as caught:
        await port.api.get(SECRETS, "default", "one")
    assert (caught.value.status, caught.value.reason) == (0, "Unreachable")
    assert (caught.value.sent, caught.value.transient) == (False, True)
    assert len(port.waits) == 2


async def test_a_request_that_takes_too_long_is_given_up(emulator: Emulator) -> None:
    emulator.delay(5.0, verb="create")
    configuration = await load_configuration(kubeconfig=emulator.kubeconfig())
    api = KubeApi(configuration, timeout=0.1)
    with pytest.raises(ApiError) as caught:
        await api.create(SECRETS, "default", secret("one"))
    await api.close()
    assert (caught.value.reason, caught.value.sent) == ("Timeout", True)


async def test_waiting_for_a_free_connection_does_not_count_as_the_request(
    emulator: Emulator,
) -> None:
    emulator.delay(0.3)
    config_maps(emulator, 1)
    configuration = await load_configuration(kubeconfig=emulator.kubeconfig())
    api = KubeApi(configuration, max_concurrency=1, timeout=2.0)
    gets = [api.get(CONFIG_MAPS, "default", "c-0") for _ in range(8)]
    assert len(await asyncio.gather(*gets)) == 8
    await api.close()


async def test_large_bodies_that_are_answered_late_soon_let_others_go(emulator: Emulator) -> None:
    """Two are sent at a time; a webhook on one namespace must not hold both places."""
    emulator.create_namespace("slow")
    emulator.delay(20.0, verb="create", namespace="slow")
    api = KubeApi(await load_configuration(kubeconfig=emulator.kubeconfig()))
    bodies = [{**secret(f"large-{number}"), "data": {"a": "eHh4" * 25_000}} for number in range(5)]
    slow = [asyncio.create_task(api.create(SECRETS, "slow", body)) for body in bodies[1:]]
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await api.create(SECRETS, "default", bodies[0])
    assert not any(task.done() for task in slow)
    emulator.clear_faults()
    await asyncio.gather(*slow)
    await api.close()


async def test_an_expired_listing_begins_again_and_says_so(emulator: Emulator, port: Port) -> None:
    config_maps(emulator, 5)
    names: list[list[str]] = []
    firsts: list[bool] = []
    async for page in port.api.list(CONFIG_MAPS, namespace="default", page=2):
        if not firsts:
            emulator.delete("configmaps", "default", "c-0")
            emulator.compact()
        firsts.append(page.first)
        names.append([item["metadata"]["name"] for item in page.items])
    assert firsts == [True, True, False]
    assert names[1:] == [["c-1", "c-2"], ["c-3", "c-4"]]


async def test_a_listing_that_keeps_expiring_is_read_in_one_piece(
    emulator: Emulator, port: Port
) -> None:
    config_maps(emulator, 5)
    emulator.fail("list", "configmaps", 410, continued=True, count=None)
    pages = [page async for page in port.api.list(CONFIG_MAPS, namespace="default", page=2)]
    assert [(page.first, len(page.items)) for page in pages] == [(True, 2), (True, 2), (True, 5)]


async def test_an_answer_that_is_no_object_is_a_transient_error(
    emulator: Emulator, port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("support.emulator.server._object", lambda _: _html())
    config_maps(emulator, 1)
    with pytest.raises(ApiError) as caught:
        await port.api.get(CONFIG_MAPS, "default", "c-0")
    assert (caught.value.status, caught.value.reason) == (502, "BadAnswer")


async def test_the_user_agent_and_the_field_manager_name_the_operator(
    emulator: Emulator, port: Port
) -> None:
    await port.api.create(SECRETS, "default", secret("one"))
    [request] = emulator.requests.writes(user_agent="artifact-index-operator/")
    assert request.query == {"fieldManager": "artifact-index-operator"}


async def test_a_proxy_of_the_environment_is_used(emulator: Emulator, tmp_path: Path) -> None:
    # A proxy is asked for the whole URL; the emulator does not mind the host in it.
    path = emulator.kubeconfig(tmp_path / "kubeconfig")
    path.write_text(path.read_text().replace(emulator.url, "http://api.invalid"))
    environ = {"HTTP_PROXY": emulator.url, "NO_PROXY": "10.0.0.0/8"}
    api = KubeApi(await load_configuration(kubeconfig=path, environ=environ))
    assert await api.create(SECRETS, "default", secret("one"))
    await api.close()


async def test_a_request_that_is_cancelled_gives_its_connection_back(emulator: Emulator) -> None:
    config_maps(emulator, 1)
    configuration = await load_configuration(kubeconfig=emulator.kubeconfig())
    api = KubeApi(configuration, max_concurrency=1)
    emulator.delay(1.0, verb="get")
    cancelled = asyncio.create_task(api.get(CONFIG_MAPS, "default", "c-0"))
    await wait_for(lambda: emulator.requests, "the request")
    cancelled.cancel()
    emulator.clear_faults()
    async with asyncio.timeout(60):
        assert await api.get(CONFIG_MAPS, "default", "c-0")
    await api.close()


async def test_a_rotated_token_is_read_again(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("artifact_index.kube.connect.TOKEN_REFRESH_SECONDS", 0.0)
    token = tmp_path / "token"
    token.write_text("first")
    path = emulator.kubeconfig(tmp_path / "kubeconfig")
    path.write_text(path.read_text().replace("token: emulated", f"tokenFile: {token}"))
    configuration = await load_configuration(kubeconfig=path)
    assert await configuration.get_api_key_with_prefix("BearerToken") == "Bearer first"
    token.write_text("second")
    assert await configuration.get_api_key_with_prefix("BearerToken") == "Bearer second"


def _html() -> object:
    from aiohttp import web  # noqa: PLC0415

    return web.Response(text="<html>not the API server</html>")


async def test_every_request_is_measured_with_its_subresource_and_its_outcome(
    emulator: Emulator, port: Port
) -> None:
    emulator.create_namespace("measured")
    body = {"metadata": {"name": "a"}, "spec": {"anonymous": {"url": "https://a.example/simple/"}}}
    emulator.create("artifactindexes", body, namespace="measured")
    await port.api.patch(ARTIFACT_INDEXES, "measured", "a", {"status": {}}, subresource="status")
    emulator.fail("get", "artifactindexes", 500, count=None, outcome="reset")
    with pytest.raises(ApiError):
        await port.api.get(ARTIFACT_INDEXES, "measured", "a")
    assert port.meter.requests == {
        ("patch", "artifactindexes", "status", 200): 1,
        ("get", "artifactindexes", "", 0): 3,
    }


async def test_a_page_of_large_objects_is_given_up_and_read_in_small_ones(
    emulator: Emulator, port: Port
) -> None:
    """Small objects were listed before, so that the average expects no large ones."""
    port.api.page_sizes.learn("configmaps", objects=100, size=100_000)
    for number in range(30):
        data = {"x": "x" * 900_000}
        emulator.create("configmaps", {"metadata": {"name": f"c-{number:02}"}, "data": data})
    pages = [page async for page in port.api.list(CONFIG_MAPS, namespace="default")]
    names = [body["metadata"]["name"] for page in pages for body in page.items]
    assert names == [f"c-{number:02}" for number in range(30)]
    assert [page.first for page in pages] == [True, False, False]
    assert max(len(page.items) for page in pages) == 10
    assert port.meter.requests == {("list", "configmaps", "", 200): 4}
