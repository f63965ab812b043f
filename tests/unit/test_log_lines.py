"""What the log says of the life of an index, line by line, and how long it says nothing."""

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from tools.log_reference import CATALOGUE

from artifact_index.api.reasons import Reason
from artifact_index.credentials.errors import LoginError
from artifact_index.logs import JsonFormatter, LogEvent, RedactingFilter, TextFormatter
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.wiring import env_of
from support.engine import BROKEN, OPTIONS, Engine
from support.log_handlers import logging_to
from support.misfortunes import HOUR, Kind, Trouble, logins
from support.month import Month
from support.operating import operating
from support.operator_process import REPOSITORY
from support.reconcile_builders import NAMESPACE, SECRETS, source
from support.simulation import SETTINGS
from support.virtual_time import VirtualLoop

pytestmark = pytest.mark.unit

GAR = {**source("googleArtifactRegistry"), "name": "gar"}
REFUSED = LoginError(Reason.INVALID_CREDENTIAL, "the key is refused", request_id="4be7")


class Lines(logging.Handler):
    """Keeps each line of the operator as an object, and as text."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.addFilter(RedactingFilter())
        self.all: list[dict[str, Any]] = []
        self.text: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.all.append(json.loads(JsonFormatter().format(record)))
        self.text.append(TextFormatter().format(record))

    def take(self) -> list[str]:
        """The lines since the last call: event, object, and what is particular about it."""
        taken = [
            " ".join(
                str(line[key])
                for key in ("event", "kind", "name", "condition", "status", "reason", "requestID")
                if key in line
            )
            for line in self.all
        ]
        self.all.clear()
        return taken


@pytest.fixture
def lines() -> Iterator[Lines]:
    """The lines of level INFO and above."""
    with logging_to(Lines()) as handler:
        yield handler


def index_and_options(status: str, reason: str) -> list[str]:
    """The lines of both objects, whose conditions follow each other."""
    of_options = "Available" if status == "True" else "IndexesNotReady"
    return [
        f"ConditionChanged IndexOptions uv-config Ready {status} {of_options}",
        f"ConditionChanged ArtifactIndex gar Ready {status} {reason}",
    ]


def refresh(engine: Engine, *, after: float) -> None:
    """Have somebody request another token after these seconds."""
    engine.time += after
    status = engine.status("artifactindexes", "gar")
    engine.index("gar", GAR, refresh_requested=engine.time, status=status)


@pytest.mark.looptime(noop_cycles=1)
async def test_each_change_of_state_and_each_mint_is_one_line(lines: Lines) -> None:
    engine = Engine()
    engine.secret("gcp-key")
    engine.error = REFUSED
    engine.index("gar", GAR)
    engine.options()
    await engine.settle()
    refused = "TokenRefused ArtifactIndex gar InvalidCredential 4be7"
    assert lines.take() == [refused, *index_and_options("False", "InvalidCredential")]

    # The same state again is no line, whatever asks for it.
    await engine.settle(*engine.cache.all_keys())
    assert lines.take() == []

    engine.error = None
    refresh(engine, after=60)
    await engine.settle()
    issued = "TokenIssued ArtifactIndex gar"
    assert lines.take() == [issued, *index_and_options("True", "Available")]

    refresh(engine, after=HOUR)
    await engine.settle()
    assert lines.take() == [issued], "a refresh is one line, whatever is written because of it"

    engine.error = REFUSED
    refresh(engine, after=HOUR)
    await engine.settle()
    failing = "RefreshFailing True InvalidCredential"
    assert lines.take() == [
        refused,
        f"ConditionChanged IndexOptions uv-config {failing}",
        f"ConditionChanged ArtifactIndex gar {failing}",
    ]

    engine.time += 12 * HOUR
    await engine.settle()
    # The end of RefreshFailing is no good news here, and no line.
    assert lines.take() == index_and_options("False", "CredentialExpired")

    engine.operator.feed.watched("artifactindexes", "DELETED", engine.port.objects[
        "artifactindexes", NAMESPACE, "gar"
    ])  # fmt: skip
    await engine.settle(OPTIONS)
    assert lines.take() == [
        "Deleted ArtifactIndex gar",
        "ConditionChanged IndexOptions uv-config Ready False NoIndexes",
    ]
    for canary in ("minted-", *SECRETS["gcp-key"].values()):
        assert not [text for text in lines.text if canary in text]


@pytest.mark.looptime(noop_cycles=1)
async def test_a_line_has_the_keys_of_its_event_and_no_other(lines: Lines) -> None:
    engine = Engine()
    engine.secret("gcp-key")
    engine.error = REFUSED
    engine.index("gar", GAR)
    engine.options({"outputs": [{"kind": "Secret", "name": "one"}]})
    await engine.settle()
    engine.error = None
    refresh(engine, after=60)
    engine.options({"outputs": [{"kind": "Secret", "name": "two"}]})
    await engine.settle()

    always = {"time", "level", "logger", "message", "event"}
    for line in lines.all:
        event = CATALOGUE["events"][line["event"]]
        assert line.keys() <= always | set(event["keys"]), line
        assert line["level"] in event["levels"], line
        assert (line["namespace"], bool(line["name"])) == (NAMESPACE, True)
    by_event = {line["event"]: line for line in lines.all}
    assert by_event.keys() >= {"TokenRefused", "TokenIssued", "ConditionChanged", "OutputRemoved"}
    login = {"secret": "gcp-key", "provider": "google", "consumers": 1}
    assert login.items() <= by_event["TokenRefused"].items()
    assert login.items() <= by_event["TokenIssued"].items()
    assert by_event["TokenRefused"]["nextTry"] > by_event["TokenRefused"]["time"][:4]
    assert by_event["TokenIssued"]["nextTry"] < by_event["TokenIssued"]["expiresAt"]
    assert any(
        text.split(" ", 1)[1].startswith(
            f"WARNING TokenRefused ArtifactIndex {NAMESPACE}/gar: the key is refused provider="
        )
        for text in lines.text
    )


@pytest.mark.looptime(noop_cycles=1)
async def test_a_refused_status_is_told_with_the_next_try(lines: Lines) -> None:
    engine = Engine()
    engine.index("open")
    engine.options()
    engine.port.refuse = lambda verb, plural, name: (
        BROKEN if (verb, plural) == ("patch", "indexoptions") else None
    )
    engine.queue.add_after(OPTIONS, 0)
    for _ in range(3):
        key = await engine.queue.get()
        await engine.controller.reconcile(key)
        engine.queue.done(key)
    retried = [line for line in lines.all if line["event"] == "Retried"]
    assert retried and {(line["kind"], line["name"]) for line in retried} == {
        ("IndexOptions", "uv-config")
    }
    keys = set(CATALOGUE["events"]["Retried"]["keys"])
    assert all(keys <= line.keys() and line["level"] == "warning" for line in retried)
    assert "try later" in retried[0]["message"]


def test_commands_that_configure_no_logs_print_none() -> None:
    script = "import logging, artifact_index.logs; logging.getLogger('artifact_index.x').error('x')"
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY / "operator")}
    command = [sys.executable, "-c", script]
    run = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert run.stdout + run.stderr == ""


def test_the_page_explains_every_event_and_every_key() -> None:
    assert set(CATALOGUE["events"]) == set(get_args(LogEvent))
    used = {key for event in CATALOGUE["events"].values() for key in event["keys"]}
    common = {"time", "level", "logger", "message", "event", "exception"}
    assert set(CATALOGUE["keys"]) == used | common


def hours(month: Month, lines: Lines, count: int) -> None:
    """Let the operator live, with its relists; the lines are those after its first minute."""
    month.trouble = Trouble()

    async def life() -> None:
        env = env_of(SETTINGS, Digester(b"key"), clock=month.now)
        async with operating(SETTINGS, await month.port(), month.providers(), env) as operator:
            relist = asyncio.create_task(operator.relister.run(5))
            await asyncio.sleep(60)
            lines.all.clear()
            await asyncio.sleep(count * 3600)
            relist.cancel()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(life())


def test_a_converged_cluster_logs_nothing_in_an_hour(lines: Lines) -> None:
    kinds = logins({Kind(12 * HOUR, HOUR, promised=True): 200})
    hours(Month(kinds, HOUR, seed=3), lines, 1)
    assert lines.text, "the start is logged"
    assert lines.all == []


def test_a_refused_login_logs_at_its_back_off(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    month = Month(logins({Kind(12 * HOUR, HOUR, promised=True): 1}), 2 * HOUR, seed=3)

    async def refuse(*_: Any) -> Any:
        raise LoginError(Reason.ACCESS_DENIED, "not allowed")

    monkeypatch.setattr(month, "issue", refuse)
    hours(month, lines, 2)
    repeats = [line["attempt"] for line in lines.all]
    assert {line["event"] for line in lines.all} == {"TokenRefused"}
    assert 3 < len(repeats) < 12 and repeats == sorted(set(repeats))
