"""/healthz and /readyz: true of the process as it is, over a real socket."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import pytest

from artifact_index import health as health_module
from artifact_index.health import Health, LoopLag, serve_health
from support.operator_process import health
from support.recording_meter import RecordingMeter

pytestmark = pytest.mark.unit


class Process:
    """The parts whose health is asked for."""

    def __init__(self) -> None:
        self.age: float | None = 0.0
        self.lag = LoopLag()
        self.health = Health(lag=self.lag, listing_age=lambda: self.age, oldest_listing=180)

    async def scrape(self, accept: str) -> tuple[bytes, str]:
        """What /metrics is to answer."""
        return f"up{{accept={accept!r}}} 1\n".encode(), "text/plain; version=0.0.4; charset=utf-8"

    async def answers(self) -> dict[str, tuple[int, str]]:
        """Status and text of both endpoints."""
        found = {}
        async with (
            serve_health(self.health, self.scrape, "127.0.0.1", 0) as port,
            aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
        ):
            for path in ("/healthz", "/readyz"):
                async with client.get(path) as answer:
                    found[path] = (answer.status, (await answer.text()).strip())
        return found


@pytest.fixture
def process() -> Process:
    return Process()


async def test_a_sound_process_is_healthy_and_ready(process: Process) -> None:
    assert await process.answers() == {"/healthz": (200, "ok"), "/readyz": (200, "ok")}


async def test_before_everything_is_listed_it_is_healthy_and_not_ready(process: Process) -> None:
    process.age = None
    answers = await process.answers()
    assert answers["/healthz"] == (200, "ok")
    assert answers["/readyz"] == (503, "the first listing of all objects is not complete")


@pytest.mark.parametrize(("age", "status"), [(180, 200), (181, 503)])
async def test_an_old_listing_is_trouble(process: Process, age: float, status: int) -> None:
    process.age = age
    answers = await process.answers()
    assert [answers[path][0] for path in ("/healthz", "/readyz")] == [status, status]
    if status == 503:
        assert answers["/healthz"][1] == "the last complete relist was 181 s ago"


async def ended() -> None:
    pass


async def failed() -> None:
    raise ValueError("broken")


@pytest.mark.parametrize("end", [ended, failed])
async def test_a_part_that_has_ended_is_trouble_and_named(process: Process, end: object) -> None:
    forever = asyncio.create_task(asyncio.sleep(3600))
    short = asyncio.create_task(end())  # type: ignore[operator]
    process.health.tasks |= {"worker 0": forever, "source reader": short}
    await asyncio.wait({short})
    assert await process.answers() == {
        "/healthz": (503, "source reader has stopped"),
        "/readyz": (503, "source reader has stopped"),
    }
    forever.cancel()
    short.exception()


async def test_a_loop_that_was_late_and_goes_on_is_no_trouble(process: Process) -> None:
    process.lag.samples.append(60.0)
    process.lag.beat -= 60.0
    assert await process.answers() == {"/healthz": (200, "ok"), "/readyz": (200, "ok")}


@pytest.mark.parametrize(("allowed", "status"), [(60.0, 200), (0.2, 503)])
async def test_a_held_loop_is_healthy_until_it_counts_as_stuck(
    process: Process, allowed: float, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "_LONGEST_HOLD", allowed)
    monkeypatch.setattr(health_module, "_PATIENCE", 0.3)
    async with serve_health(process.health, process.scrape, "127.0.0.1", 0) as port:
        with ThreadPoolExecutor() as threads:
            asked = {path: threads.submit(health, port, path) for path in ("healthz", "readyz")}
            # The loop runs nothing else until both are answered.
            held = {path: answer.result(timeout=20) for path, answer in asked.items()}
        after = await asyncio.to_thread(health, port, "healthz")

    assert [answered[0] for answered in held.values()] == [status, status]
    if status == 503:
        assert held["healthz"][1].startswith("the event loop is stuck: nothing else has run on it")
    assert after == (200, "ok\n")


async def test_a_held_loop_is_as_unready_as_it_was(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "_PATIENCE", 0.1)
    process.age = None
    async with serve_health(process.health, process.scrape, "127.0.0.1", 0) as port:
        with ThreadPoolExecutor() as threads:
            answer = threads.submit(health, port, "readyz").result(timeout=20)
    assert answer == (503, "the first listing of all objects is not complete\n")


async def test_a_loop_that_is_never_idle_is_healthy(process: Process) -> None:
    watchdog = asyncio.create_task(process.lag.run())
    working = True

    async def work() -> None:
        while working:
            time.sleep(0.02)  # noqa: ASYNC251 - a callback that takes long
            await asyncio.sleep(0)

    async with serve_health(process.health, process.scrape, "127.0.0.1", 0) as port:
        workers = [asyncio.create_task(work()) for _ in range(4)]
        answers = [await asyncio.to_thread(health, port, "healthz") for _ in range(10)]
        working = False
        await asyncio.gather(*workers)
    watchdog.cancel()
    assert answers == [(200, "ok\n")] * 10


async def test_a_blocked_loop_is_measured() -> None:
    meter = RecordingMeter()
    lag = LoopLag(meter=meter)
    watchdog = asyncio.create_task(lag.run())
    asyncio.get_running_loop().call_later(0.01, time.sleep, 0.3)  # what no coroutine must do
    async with asyncio.timeout(5):
        while not lag.samples:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    watchdog.cancel()
    assert 0.2 < max(lag.samples) < 5
    assert "worst" in str(lag)
    assert meter.lags == list(lag.samples)


async def test_no_other_path_is_served(process: Process) -> None:
    async with (
        serve_health(process.health, process.scrape, "127.0.0.1", 0) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
        client.get("/config") as answer,
    ):
        assert answer.status == 404


async def test_a_scrape_is_answered_as_it_was_written_for_what_it_accepts(process: Process) -> None:
    async with (
        serve_health(process.health, process.scrape, "127.0.0.1", 0) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
        client.get("/metrics", headers={"Accept": "text/plain"}) as answer,
    ):
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert await answer.text() == "up{accept='text/plain'} 1\n"


async def test_the_port_is_free_again_afterwards(process: Process) -> None:
    async with serve_health(process.health, process.scrape, "127.0.0.1", 0) as port:
        pass
    async with serve_health(process.health, process.scrape, "127.0.0.1", port) as again:
        assert again == port


async def test_connections_that_say_nothing_or_half_a_request_keep_nobody_out(
    process: Process,
) -> None:
    async with serve_health(process.health, process.scrape, "127.0.0.1", 0) as port:
        writers = []
        for number in range(300):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            if number % 2:
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ")
            writers.append(writer)
        asked = time.monotonic()
        answer = await asyncio.to_thread(health, port, "healthz")
        took = time.monotonic() - asked
        for writer in writers:
            writer.close()
    assert answer == (200, "ok\n")
    assert took < 10


def test_the_loop_of_the_endpoints_logs_no_text_of_an_exception(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail() -> None:
        raise ValueError("canary-6e2d")

    with health_module._loop_in_a_thread() as loop:
        loop.call_soon_threadsafe(fail)
    assert "ValueError at" in caplog.text and "canary-6e2d" not in caplog.text
