"""An exception in one index is this index's problem: the file of the others goes on."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from artifact_index.formats import base, uv_toml
from artifact_index.formats.document import IndexEntry
from artifact_index.reconcile.cache.objects import ObjectRef
from artifact_index.reconcile.cache.sources.parsing import parse_source_secret
from artifact_index.reconcile.plan import entries, shadowing
from artifact_index.reconcile.resolve import resolver, token_view
from artifact_index.sources.base import Inputs
from artifact_index.sources.basic_auth import BasicAuth
from artifact_index.sources.google_artifact_registry import GoogleArtifactRegistry
from support.blocked import blocked_at
from support.engine import GAR, OPTIONS, WITHDRAWAL, Engine
from support.reconcile_builders import CANARY, HOUR, NAMESPACE, SECRETS, secret_body, source

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

OTHER = {**source("codeArtifact", endpoint="https://aws.example/pypi/p/"), "name": "other"}
BASIC = {**source("basicAuth"), "name": "basic"}
LABELS = {"artifactindex.dev/role": "source"}
NEW = f"new-{CANARY}"
"""The password that comes while the operator fails."""


def raising(original: Callable[..., Any], when: Callable[..., bool]) -> Callable[..., Any]:
    """The function, but for arguments at which it raises with a secret in its text."""

    def spoiled(*arguments: Any, **keywords: Any) -> Any:
        if when(*arguments):
            raise ValueError(f"'{CANARY}' does not appear to be an IPv4 or IPv6 address")
        return original(*arguments, **keywords)

    return spoiled


def in_its_check(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(BasicAuth, "problem", raising(BasicAuth.problem, lambda *_: True))


def in_its_login(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(BasicAuth, "resolve", raising(BasicAuth.resolve, lambda *_: True))


def in_its_token(patch: pytest.MonkeyPatch) -> None:
    def is_basic(resolved: Any, *_: object) -> bool:
        return bool(resolved.index.ref.name == "basic")

    patch.setattr(resolver, "with_token", raising(token_view.with_token, is_basic))


def in_its_plan(patch: pytest.MonkeyPatch) -> None:
    def is_basic(state: Any, *_: object) -> bool:
        return bool(state.selected.ref.name == "basic")

    patch.setattr(entries, "_fresh", raising(entries._fresh, is_basic))


def in_its_root(patch: pytest.MonkeyPatch) -> None:
    def is_basic(state: Any, *_: object) -> bool:
        return state.selected.ref.name == "basic" and state.url is not None

    patch.setattr(shadowing, "_root", raising(shadowing._root, is_basic))


def in_its_rendering(patch: pytest.MonkeyPatch) -> None:
    """Only with its new login: the published one can be rendered again."""

    def is_new(entry: IndexEntry, *_: object) -> bool:
        return entry.credential is not None and entry.credential.raw_password == NEW

    uv_toml._entry_text.cache_clear()
    patch.setattr(uv_toml, "_entry_table", raising(uv_toml._entry_table, is_new))


STAGES = [in_its_check, in_its_login, in_its_token, in_its_plan, in_its_root, in_its_rendering]


async def published(engine: Engine, spec: dict[str, Any] | None = None) -> None:
    """Three indexes in a file: two with tokens, and `basic` with a password."""
    for name in SECRETS:
        engine.secret(name)
    for name, index in (("gar", GAR), ("other", OTHER), ("basic", BASIC)):
        engine.index(name, index)
    engine.options(spec)
    await engine.settle()
    assert engine.ready()[:2] == ("True", "Available")


@pytest.mark.parametrize("stage", STAGES)
async def test_the_file_goes_on_and_keeps_the_last_good_entry(
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    stage: Callable[[pytest.MonkeyPatch], None],
) -> None:
    await published(engine)
    before = engine.entries()
    with monkeypatch.context() as patch:
        stage(patch)
        body = secret_body("basic", {"username": "u", "password": NEW}, labels=LABELS)
        changed = parse_source_secret(engine.port.put("secrets", body), body["data"])
        engine.cache.put_source(ObjectRef(NAMESPACE, "basic"), changed)
        engine.index("late", source("anonymous"))
        engine.time += HOUR
        for name, index in (("gar", GAR), ("other", OTHER)):
            engine.index(name, index, refresh_requested=engine.time)
        await engine.settle()
        await engine.settle()

        now = engine.entries()
        assert now["basic"] == before["basic"] and "open" in now
        assert now["gar"] != before["gar"] and now["other"] != before["other"], "new tokens"
        status, reason, message = engine.ready("artifactindexes", "basic")
        assert (status, reason) == ("False", "InternalError") and "log" in message
        incident = message.split()[2].rstrip(";")
        assert f"ArtifactIndex builders/basic fails: internal error {incident}" in caplog.text
        assert CANARY not in caplog.text + message + str(engine.status())
        for name in ("gar", "other", "late"):
            assert engine.ready("artifactindexes", name)[:2] == ("True", "Available")
        assert engine.ready()[:2] == ("False", "IndexesNotReady")
        assert 0 < engine.due_in() <= 30

        writes = engine.record_writes()
        engine.time += 30
        await engine.settle()
        assert writes == [], "the same error is the same status"
    await engine.settle()
    assert engine.ready()[:2] == ("True", "Available")
    assert NEW in engine.entries()["basic"]


async def test_a_token_that_cannot_be_replaced_is_withdrawn(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await published(engine)

    def is_gar(source: GoogleArtifactRegistry, _: Inputs, *__: object) -> bool:
        return True

    spoiled = raising(GoogleArtifactRegistry.resolve, is_gar)
    monkeypatch.setattr(GoogleArtifactRegistry, "resolve", spoiled)
    engine.index("gar", {**GAR, "explicit": True})
    await engine.settle()
    assert "minted-" in engine.entries()["gar"]

    engine.time += WITHDRAWAL
    engine.index("other", OTHER, refresh_requested=engine.time)
    await engine.settle()
    await engine.settle()
    assert engine.entries()["gar"] == blocked_at("gar")
    assert "minted-" in engine.entries()["other"]


async def test_an_index_whose_published_entry_fails_too_is_blocked(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = [{"kind": "Secret", "name": "uv-config", "formats": ["UvToml", "Netrc"]}]
    await published(engine, {"outputs": outputs})

    def is_basic(entry: IndexEntry, *_: object) -> bool:
        return entry.name == "basic" and not entry.blocked

    monkeypatch.setattr(base, "login_of", raising(base.login_of, is_basic))
    uv_toml._entry_text.cache_clear()
    engine.time += 11 * HOUR
    await engine.settle()
    await engine.settle()
    assert engine.entries()["basic"] == blocked_at("basic")
    assert "minted-" in engine.entries()["gar"]
    assert engine.ready("artifactindexes", "basic")[1] == "InternalError"


async def test_a_failure_of_no_index_alone_is_that_of_the_options(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await published(engine)
    before = engine.entries()

    def is_whole(document: Any, *_: object) -> bool:
        return len(document.entries) == 3

    monkeypatch.setattr(uv_toml, "_check_names", raising(uv_toml._check_names, is_whole))
    for _ in range(3):
        await engine.settle()
    status, reason, message = engine.ready()
    assert (status, reason) == ("False", "InternalError")
    assert engine.entries() == before and engine.queue.num_requeues(OPTIONS) > 0
    assert CANARY not in caplog.text + message
    # The incident is the same at each retry, and so is the status.
    writes = engine.record_writes()
    await engine.settle()
    assert ("indexoptions", "uv-config") not in writes


async def test_an_index_that_nobody_selects_says_so_itself(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(BasicAuth, "urls", raising(BasicAuth.urls, lambda *_: True))
    engine.index("basic", BASIC)
    engine.options({"indexSelector": {"matchLabels": {"no": "such"}}})
    await engine.settle(*engine.cache.all_keys())
    assert engine.ready("artifactindexes", "basic")[1] == "InternalError"
    assert CANARY not in caplog.text


async def test_many_indexes_that_fail_are_found(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    for number in range(40):
        url = f"https://h{number}.example/simple/"
        engine.index(f"i{number}", {"name": f"i{number}", **source("anonymous", url=url)})
    bad = {f"i{number}" for number in (0, 7, 8, 23, 39)}

    def is_bad(entry: IndexEntry, *_: object) -> bool:
        return entry.name in bad and not entry.blocked

    monkeypatch.setattr(uv_toml, "_entry_table", raising(uv_toml._entry_table, is_bad))
    uv_toml._entry_text.cache_clear()
    engine.options()
    await engine.settle()
    found = engine.entries()
    assert {name for name, url in found.items() if ".unavailable.invalid" in url} == bad
    assert len(found) == 41
