"""Single passes over objects: what is written, what is not, and what is asked for again."""

import asyncio
import base64
import random
import tomllib
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.constants import REFRESH_REQUESTED_ANNOTATION
from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.api.timestamps import format_time
from artifact_index.credentials.aws.endpoints import Endpoints
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import (
    CodeArtifactEndpointRequest,
    KeyMaterial,
    Token,
    TokenRequest,
)
from artifact_index.credentials.tokens.manager import TokenManager
from artifact_index.kube.errors import ApiError
from artifact_index.reconcile.apply.writer import OutputWriter
from artifact_index.reconcile.cache.cache import Cache, Key, index_key, options_key, status_key
from artifact_index.reconcile.cache.feed import Feed
from artifact_index.reconcile.cache.objects import (
    ObjectRef,
    OutputRef,
    parse_custom_object,
    parse_source_secret,
)
from artifact_index.reconcile.cache.relist import Relister
from artifact_index.reconcile.cache.source_cache import SourceCache
from artifact_index.reconcile.controller import Reconciler
from artifact_index.reconcile.queue.workqueue import WorkQueue
from artifact_index.reconcile.queue.write_limiter import WriteLimiter
from artifact_index.reconcile.resolve.checks import Policy
from artifact_index.reconcile.resolve.gather import Gatherer
from artifact_index.reconcile.state.priority import priority_of
from artifact_index.reconcile.state.restore import restore
from artifact_index.reconcile.state.state import State
from artifact_index.reconcile.status.writer import StatusWriter
from support.memory_port import MemoryPort
from support.reconcile_builders import (
    CANARY,
    DIGESTER,
    HOUR,
    MARGINS,
    NAMESPACE,
    NOW,
    SECRETS,
    body_of,
    controller_of,
    endpoint_grant,
    grant,
    secret_body,
    source,
)
from support.recording_meter import RecordingMeter

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

OPTIONS = options_key(ObjectRef(NAMESPACE, "uv-config"))
STATUS = status_key(OPTIONS.ref)
WITHDRAWAL = 12 * HOUR - 155
FORBIDDEN = ApiError(403, "Forbidden", "not yours")
BROKEN = ApiError(500, "InternalError", "try later")
Refuse = Callable[[str, str, str], bool]


class Engine:
    """The parts of the operator that a pass needs, on an API server in a dictionary."""

    def __init__(self, port: MemoryPort | None = None, **policy: Any) -> None:
        self.port = port or MemoryPort()
        self.time = float(NOW)
        self.policy = Policy(
            **{
                "allow_http": False,
                "operator_identity": True,
                "missing_secret_grace": 300,
                **policy,
            }
        )
        self.error: LoginError | None = None
        self.mints = 0
        self.meter = RecordingMeter()
        self.cache, self.state = Cache(), State()
        rng = random.Random(1)
        priority, budget = priority_of(self.state, MARGINS), WriteLimiter()
        self.queue = WorkQueue(priority=priority, rng=rng)
        self.tokens = TokenManager(self._issue, margins=MARGINS, now=self.now, rng=rng)
        self.endpoints = Endpoints(self._issue, now=self.now, rng=rng)
        self.tokens.on_change = self.endpoints.on_change = self._credentials_changed
        sources = SourceCache(
            api=self.port, cache=self.cache, reread=300, on_change=lambda _: None, rng=rng
        )
        gatherer = Gatherer(
            cache=self.cache,
            sources=sources,
            tokens=self.tokens,
            endpoints=self.endpoints,
            state=self.state,
            digester=DIGESTER,
            policy=lambda _: self.policy,
            margins=MARGINS,
            patience=5,
            now=self.now,
        )
        feed = Feed(
            cache=self.cache,
            forget_polled=sources.forget,
            digester=DIGESTER,
            enqueue=lambda keys: None,
        )
        self.relister = Relister(
            api=self.port,
            feed=feed,
            namespaces=(),
            interval=600,
            enqueue=lambda keys: None,
            rng=rng,
        )
        self.restore = partial(
            restore, state=self.state, tokens=self.tokens, endpoints=self.endpoints
        )
        self.reconciler = Reconciler(
            cache=self.cache,
            queue=self.queue,
            gatherer=gatherer,
            output_writer=OutputWriter(
                api=self.port, cache=self.cache, digester=DIGESTER, budget=budget, priority=priority
            ),
            status_writer=StatusWriter(api=self.port, cache=self.cache, budget=budget),
            tokens=self.tokens,
            endpoints=self.endpoints,
            state=self.state,
            digester=DIGESTER,
            margins=MARGINS,
            now=self.now,
            meter=self.meter,
        )

    def now(self) -> float:
        return self.time

    def _credentials_changed(self, consumers: frozenset[Any]) -> None:
        for ref in consumers:
            self.queue.add(options_key(ref), 0)

    async def _issue(self, request: TokenRequest, material: KeyMaterial) -> Token:
        if self.error is not None:
            raise self.error
        self.mints += 1
        if isinstance(request, CodeArtifactEndpointRequest):
            return endpoint_grant()
        return grant(f"minted-{self.mints}", issued_at=int(self.time))

    # Objects

    def index(
        self,
        name: str,
        spec: dict[str, Any] | None = None,
        refresh_requested: float | None = None,
        **how: Any,
    ) -> None:
        body = body_of(name, spec or source("anonymous"), **how)
        if refresh_requested is not None:
            asked = format_time(refresh_requested)
            body["metadata"]["annotations"] = {REFRESH_REQUESTED_ANNOTATION: asked}
        body = self.port.put("artifactindexes", body)
        self.cache.put_index(parse_custom_object(ArtifactIndexSpec, body))

    def drop_index(self, name: str) -> None:
        del self.port.objects["artifactindexes", NAMESPACE, name]
        self.cache.drop_index(ObjectRef(NAMESPACE, name))

    def options(self, spec: dict[str, Any] | None = None, **how: Any) -> None:
        old = self.port.find("indexoptions", NAMESPACE, "uv-config")
        if old is not None:
            how = {"status": old["status"], "generation": old["metadata"]["generation"] + 1, **how}
        body = self.port.put("indexoptions", body_of("uv-config", spec or {}, **how))
        self.cache.put_options(parse_custom_object(IndexOptionsSpec, body))

    def secret(self, name: str) -> None:
        """A labelled source Secret with its usual values."""
        body = secret_body(name, SECRETS[name], labels={"artifactindex.dev/role": "source"})
        self.cache.put_source(
            ObjectRef(NAMESPACE, name), parse_source_secret(self.port.put("secrets", body))
        )

    def refuse(self, error: ApiError, when: Refuse) -> None:
        self.port.refuse = lambda *request: error if when(*request) else None

    # Passes

    async def settle(self, *keys: Key) -> None:
        """Passes over these objects and over all that becomes due by that at once."""
        for key in keys or (OPTIONS,):
            self.queue.add(key, 0)
        while not self.queue.idle or await self.tokens.settled() or await self.endpoints.settled():
            if self.queue.idle:
                continue
            key = await self.queue.get()
            await self.reconciler.reconcile(key)
            self.queue.done(key)

    def due_in(self) -> float:
        """Seconds until the next pass over the IndexOptions that has been arranged."""
        return self.queue._due[OPTIONS] - asyncio.get_running_loop().time()

    # Results

    def status(self, plural: str = "indexoptions", name: str = "uv-config") -> dict[str, Any]:
        found = self.port.find(plural, NAMESPACE, name)
        return found["status"] if found else {}

    def ready(self, plural: str = "indexoptions", name: str = "uv-config") -> tuple[str, str, str]:
        """Status, reason and message of Ready."""
        for one in self.status(plural, name).get("conditions", ()):
            if one["type"] == "Ready":
                return one["status"], one["reason"], one["message"]
        return "", "", ""

    def conditions(self) -> set[str]:
        return {one["type"] for one in self.status()["conditions"]}

    def entries(self, name: str = "uv-config") -> dict[str, str]:
        """Names and URLs in the uv.toml of a Secret."""
        found = self.port.find("secrets", NAMESPACE, name)
        if found is None:
            return {}
        tables = tomllib.loads(base64.b64decode(found["data"]["uv.toml"]).decode())["index"]
        return {table["name"]: table["url"] for table in tables}

    def output_names(self) -> set[str]:
        return {
            name
            for (plural, _, name), body in self.port.objects.items()
            if plural in ("secrets", "configmaps")
            and body["metadata"]["labels"].get("artifactindex.dev/role") == "output"
        }


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    engine = Engine()
    yield engine
    await engine.tokens.close()
    await engine.endpoints.close()


GAR = {**source("googleArtifactRegistry"), "name": "gar"}


async def served(engine: Engine, spec: dict[str, Any] | None = None) -> None:
    """An index with a minted token, served."""
    engine.secret("gcp-key")
    engine.index("gar", GAR)
    engine.options(spec)
    await engine.settle()
    assert engine.ready()[:2] == ("True", "Available")
    assert "minted-1" in engine.entries("uv-config" if spec is None else "s")["gar"]


# -- the good way


async def test_a_pass_writes_the_output_then_both_statuses(engine: Engine) -> None:
    await served(engine)
    assert engine.ready("artifactindexes", "gar")[:2] == ("True", "Available")
    assert engine.port.writes == {
        ("create", "secrets"): 1,
        ("patch", "indexoptions/status"): 1,
        ("patch", "artifactindexes/status"): 1,
    }


async def test_a_second_pass_writes_nothing(engine: Engine) -> None:
    await served(engine)
    engine.port.writes.clear()
    await engine.settle()
    assert not engine.port.writes and engine.mints == 1


async def test_a_restart_writes_and_mints_nothing(engine: Engine) -> None:
    await served(engine)
    engine.secret("basic")
    engine.index("static", source("basicAuth"))
    await engine.settle()
    engine.port.writes.clear()

    later = Engine(engine.port)
    await later.relister.prime(later.restore)
    await later.settle(*later.cache.all_keys())
    assert not engine.port.writes and later.mints == 0
    await later.tokens.close()
    await later.endpoints.close()


@pytest.mark.parametrize("asking", ["gar", "other"])
async def test_any_of_the_indexes_of_a_shared_login_may_ask_for_another_token(
    engine: Engine, asking: str
) -> None:
    await served(engine)
    engine.index("other", {**GAR, "name": "other"})
    await engine.settle()
    assert engine.mints == 1

    engine.time += HOUR
    engine.index(asking, {**GAR, "name": asking}, generation=2, refresh_requested=engine.time)
    await engine.settle()

    assert engine.mints == 2
    assert all("minted-2" in engine.entries()[name] for name in ("gar", "other"))


# -- nothing selected


async def test_a_selection_that_lost_its_indexes_keeps_its_file_until_tokens_die(
    engine: Engine,
) -> None:
    await served(engine)
    before = engine.entries()
    engine.drop_index("gar")
    await engine.settle()

    assert engine.ready()[:2] == ("False", "NoIndexes") and "Reconciling" in engine.conditions()
    assert engine.entries() == before
    assert engine.due_in() == pytest.approx(WITHDRAWAL, abs=5)

    engine.time += WITHDRAWAL
    await engine.settle()
    assert engine.entries()["gar"] == "https://gar.unavailable.invalid/simple/"


async def test_a_withdrawal_creates_nothing_and_ends_what_is_not_named_any_more(
    engine: Engine,
) -> None:
    await served(engine, {"outputs": [{"kind": "Secret", "name": "s"}]})
    engine.drop_index("gar")
    engine.options({"outputs": [{"kind": "Secret", "name": "new"}]})
    await engine.settle()
    assert engine.output_names() == {"s"}

    engine.time += WITHDRAWAL
    await engine.settle()
    assert engine.output_names() == set()


async def test_a_withdrawal_that_fails_is_tried_again(engine: Engine) -> None:
    await served(engine)
    engine.drop_index("gar")
    engine.time += WITHDRAWAL
    engine.refuse(BROKEN, lambda verb, plural, name: (verb, plural) == ("patch", "secrets"))
    await engine.settle()
    assert engine.ready()[1] == "WriteFailed" and "minted-1" in engine.entries()["gar"]
    assert 0 < engine.due_in() < 121

    engine.refuse(BROKEN, lambda *_: False)
    await engine.settle()
    assert engine.ready()[1] == "NoIndexes" and "invalid" in engine.entries()["gar"]


async def test_a_selection_of_nothing_creates_nothing(engine: Engine) -> None:
    engine.options({"indexSelector": {"matchLabels": {"env": "typo"}}})
    await engine.settle()
    assert engine.output_names() == set()
    status, reason, message = engine.ready()
    assert (status, reason) == ("False", "NoIndexes")
    assert "spec.indexSelector" in message and "'builders'" in message


async def test_a_name_comes_back_with_its_index_after_an_empty_selection(engine: Engine) -> None:
    engine.index("a", created="2026-01-01T00:00:00Z")
    engine.index("b", created="2026-01-02T00:00:00Z")
    engine.options({})
    await engine.settle()
    engine.drop_index("a")
    await engine.settle()
    assert set(engine.entries()) == {"pypi", "open-2"}

    engine.options({"indexSelector": {"matchLabels": {"env": "typo"}}})
    await engine.settle()
    engine.options({})
    await engine.settle()
    assert set(engine.entries()) == {"pypi", "open-2"}


# -- outputs that leave the spec


async def test_an_output_that_left_the_spec_goes_after_the_new_one_is_there(
    engine: Engine,
) -> None:
    await served(engine, {"outputs": [{"kind": "Secret", "name": "s"}]})
    foreign = secret_body("new", {"x": "y"})
    engine.port.put("secrets", foreign)
    engine.options({"outputs": [{"kind": "Secret", "name": "new"}]})
    await engine.settle()
    assert engine.ready()[1] == "TargetNotOwned" and engine.output_names() == {"s"}

    del engine.port.objects["secrets", NAMESPACE, "new"]
    await engine.settle()
    assert engine.output_names() == {"new"}


async def test_a_deletion_that_fails_is_reported_and_tried_again(engine: Engine) -> None:
    await served(engine, {"outputs": [{"kind": "Secret", "name": "s"}]})
    engine.options({"outputs": [{"kind": "Secret", "name": "new"}]})
    engine.refuse(FORBIDDEN, lambda verb, *_: verb == "delete")
    for _ in range(3):
        await engine.settle()
    assert engine.ready()[1] == "WriteFailed" and "Secret 's'" in engine.ready()[2]
    assert 0 < engine.due_in() < 121

    engine.refuse(FORBIDDEN, lambda *_: False)
    await engine.settle()
    assert engine.output_names() == {"new"} and engine.ready()[1] == "Available"


async def test_retain_releases_an_output_that_left_the_spec(engine: Engine) -> None:
    outputs = {"outputs": [{"kind": "Secret", "name": "s"}]}
    await served(engine, outputs)
    engine.options({"outputs": [{"kind": "Secret", "name": "new"}], "deletionPolicy": "Retain"})
    await engine.settle()
    assert engine.output_names() == {"new"}
    released = engine.port.find("secrets", NAMESPACE, "s")
    assert released is not None and released["data"]
    assert not released["metadata"].get("ownerReferences")


# -- objects of others


async def test_a_foreign_object_is_left_alone_and_the_other_output_is_kept(
    engine: Engine,
) -> None:
    engine.port.put("secrets", secret_body("taken", {"x": "y"}))
    engine.secret("gcp-key")
    engine.index("gar", GAR)
    outputs = [{"kind": "Secret", "name": name} for name in ("taken", "s")]
    engine.options({"outputs": outputs})
    await engine.settle()
    assert engine.ready()[1] == "TargetNotOwned" and "'taken'" in engine.ready()[2]
    assert engine.port.find("secrets", NAMESPACE, "taken")["data"].keys() == {"x"}  # type: ignore[index]
    assert "minted-1" in engine.entries("s")["gar"]
    assert engine.due_in() < 121

    # Its token is known to be there, and leaves at its time though the other never was written.
    engine.drop_index("gar")
    engine.time += WITHDRAWAL
    await engine.settle()
    assert "invalid" in engine.entries("s")["gar"]


async def test_an_output_of_an_earlier_owner_is_waited_for(engine: Engine) -> None:
    old = secret_body("uv-config", {"uv.toml": "x"}, labels={"artifactindex.dev/role": "output"})
    old["metadata"]["ownerReferences"] = [controller_of(uid="earlier")]
    engine.port.put("secrets", old)
    engine.index("open")
    engine.options({})
    await engine.settle()
    assert engine.ready()[1] == "WaitingForDeletion" and "Reconciling" in engine.conditions()
    assert engine.due_in() < 121


# -- one bad thing stops nothing else


async def test_a_secret_that_may_not_be_read_does_not_freeze_the_others(engine: Engine) -> None:
    engine.refuse(FORBIDDEN, lambda verb, plural, name: (verb, name) == ("get", "basic"))
    engine.index("static", source("basicAuth"))
    engine.index("open")
    engine.options({})
    await engine.settle()

    assert engine.entries()["open"] == "https://open.example/simple/"
    assert "invalid" in engine.entries()["basic"]
    status, reason, message = engine.ready("artifactindexes", "static")
    assert (status, reason) == ("False", "PermissionMissing")
    assert "'basic'" in message and "spec.basicAuth.secretRef" in message
    assert 0 < engine.due_in() <= 30


async def test_a_lost_output_whose_owner_may_not_be_read_does_not_stay_unsaid(
    engine: Engine,
) -> None:
    await served(engine, {"outputs": [{"kind": "Secret", "name": "s"}]})
    del engine.port.objects["secrets", NAMESPACE, "s"]
    engine.cache.drop_output(OutputRef("Secret", NAMESPACE, "s"), version=1)
    engine.refuse(FORBIDDEN, lambda verb, plural, _: (verb, plural) == ("get", "indexoptions"))
    for _ in range(3):
        await engine.settle()
    assert engine.ready()[:2] == ("False", "PermissionMissing")
    assert "an output is gone" in engine.ready()[2] and "not yours" in engine.ready()[2]
    assert 0 < engine.due_in() < 121

    engine.refuse(FORBIDDEN, lambda *_: False)
    await engine.settle()
    assert engine.output_names() == {"s"} and engine.ready()[1] == "Available"


async def test_an_answer_that_does_not_come_stops_the_pass_and_writes_nothing(
    engine: Engine,
) -> None:
    engine.refuse(BROKEN, lambda verb, *_: verb == "get")
    engine.index("static", source("basicAuth"))
    engine.options({})
    await engine.settle()
    assert not engine.port.writes and engine.due_in() < 121


async def test_a_public_index_without_tls_is_blocked_and_the_others_are_served(
    engine: Engine,
) -> None:
    engine.index("open")
    engine.options({"publicIndex": {"url": "http://mirror.example/simple/"}})
    await engine.settle()
    status, reason, message = engine.ready()
    assert (status, reason) == ("False", "InsecureURL") and "Stalled" in engine.conditions()
    assert "spec.publicIndex.url" in message and "--allow-http" in message
    assert engine.entries() == {
        "pypi": "https://pypi.unavailable.invalid/simple/",
        "open": "https://open.example/simple/",
    }
    assert engine.ready("artifactindexes", "open")[0] == "True"


async def test_a_public_index_without_tls_is_served_where_that_is_allowed() -> None:
    engine = Engine(allow_http=True)
    engine.index("open")
    engine.options({"publicIndex": {"url": "http://mirror.example/simple/"}})
    await engine.settle()
    assert engine.ready()[1] == "Available"
    assert engine.entries()["pypi"] == "http://mirror.example/simple/"


async def test_an_internal_error_keeps_the_names_in_the_status(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await served(engine)
    before = engine.status()

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(CANARY)

    monkeypatch.setattr("artifact_index.reconcile.controller.desired_outputs", broken)
    engine.index("open")
    await engine.settle()
    status, reason, message = engine.ready()
    assert (status, reason) == ("False", "InternalError") and CANARY not in message
    assert engine.status()["indexes"] == before["indexes"]
    assert engine.status()["outputs"] == before["outputs"]
    assert engine.due_in() < 121


async def test_a_spec_that_cannot_be_read_names_its_field(engine: Engine) -> None:
    await served(engine)
    before = engine.status()
    engine.options({"maxBuildDuration": "long"})
    await engine.settle()
    status, reason, message = engine.ready()
    assert (status, reason) == ("False", "InvalidSpec") and "Stalled" in engine.conditions()
    assert "spec.maxBuildDuration" in message
    assert engine.status()["indexes"] == before["indexes"]


# -- time alone


async def test_a_missing_secret_is_looked_at_again_when_its_grace_ends(engine: Engine) -> None:
    engine.secret("basic")
    engine.index("static", source("basicAuth"))
    engine.options({})
    await engine.settle()
    del engine.port.objects["secrets", NAMESPACE, "basic"]
    engine.cache.drop_source(ObjectRef(NAMESPACE, "basic"))
    await engine.settle()
    assert CANARY in engine.entries()["basic"]
    assert engine.ready("artifactindexes", "static")[1] == "SecretNotFound"
    assert engine.due_in() == pytest.approx(300, abs=5)

    engine.time += 300
    await engine.settle()
    assert CANARY not in str(engine.entries())
    assert "Stalled" in engine.conditions()


async def test_a_restart_goes_on_counting_the_grace(engine: Engine) -> None:
    engine.index("static", source("basicAuth"))
    engine.options({})
    await engine.settle()
    assert engine.ready("artifactindexes", "static")[1] == "SecretNotFound"

    later = Engine(engine.port)
    later.time = engine.time + 299
    await later.relister.prime(later.restore)
    await later.settle()
    assert later.due_in() == pytest.approx(1, abs=2)
    later.time += 1
    await later.settle()
    assert "Stalled" in later.conditions()


async def test_failures_are_forgotten_after_a_pass_that_went_well(engine: Engine) -> None:
    engine.refuse(BROKEN, lambda verb, plural, _: verb == "patch")
    engine.options({"indexSelector": {"matchLabels": {"env": "typo"}}})
    for _ in range(4):
        await engine.settle()
    assert engine.queue.failures(STATUS) >= 4

    engine.refuse(BROKEN, lambda *_: False)
    await engine.settle()
    assert engine.queue.failures(STATUS) == 0


# -- suspended


async def test_a_suspended_options_neither_writes_nor_mints(engine: Engine) -> None:
    engine.secret("gcp-key")
    engine.index("gar", GAR)
    engine.options({"suspend": True})
    await engine.settle()
    assert engine.output_names() == set() and engine.mints == 0
    assert engine.ready()[1] == "Suspended"
    await engine.settle(index_key(ObjectRef(NAMESPACE, "gar")))
    assert engine.ready("artifactindexes", "gar")[:2] == ("True", "NotSelected")


async def test_consent_withdrawn_ends_a_suspended_index_too(engine: Engine) -> None:
    spec = {**source("googleArtifactRegistry", auth=None), "name": "gar"}
    engine.index("gar", spec)
    engine.options({})
    await engine.settle()
    assert "minted-1" in engine.entries()["gar"]

    engine.index("gar", {**spec, "suspend": True}, generation=2)
    await engine.settle()
    assert "minted-1" in engine.entries()["gar"]
    assert engine.status()["indexes"][0]["reason"] == "Suspended"

    engine.policy = Policy(allow_http=False, operator_identity=False, missing_secret_grace=300)
    await engine.settle()
    assert "invalid" in engine.entries()["gar"]


# -- an index of several options


async def test_passes_without_a_write_leave_the_loop_to_others_in_between(engine: Engine) -> None:
    for number in range(50):
        engine.queue.add(index_key(ObjectRef(NAMESPACE, f"gone-{number}")), 0)
    worker, turns = asyncio.create_task(engine.reconciler.work()), 0
    while not engine.queue.idle:
        await asyncio.sleep(0)
        turns += 1
    worker.cancel()
    assert turns >= 50


async def test_the_status_of_an_index_waits_for_a_pass_that_may_change_it(engine: Engine) -> None:
    acme = index_key(ObjectRef(NAMESPACE, "acme"))
    engine.index("acme")
    engine.options()
    engine.queue.add(OPTIONS, 0)
    assert await engine.queue.get() == OPTIONS
    await engine.reconciler.reconcile(acme)
    assert engine.status("artifactindexes", "acme")["observedGeneration"] == -1
    assert acme in engine.queue._due
    await engine.reconciler.reconcile(OPTIONS)
    engine.queue.done(OPTIONS)
    await engine.settle(acme)
    assert engine.status("artifactindexes", "acme")["observedGeneration"] == 1


async def test_the_status_of_an_index_is_that_of_its_worst_place(engine: Engine) -> None:
    engine.secret("gcp-key")
    engine.index("gar", GAR)
    engine.index("same", {**source("anonymous"), "name": "gar"}, labels={"env": "x"},
                 created="2025-01-01T00:00:00Z")  # fmt: skip
    engine.options({"indexSelector": {"matchExpressions": [
        {"key": "env", "operator": "DoesNotExist"}]}})  # fmt: skip
    other = engine.port.put("indexoptions", body_of("other", {}))
    engine.cache.put_options(parse_custom_object(IndexOptionsSpec, other))
    await engine.settle(OPTIONS, options_key(ObjectRef(NAMESPACE, "other")))
    await engine.settle(options_key(ObjectRef(NAMESPACE, "other")))

    assert engine.ready()[1] == "Available"
    assert engine.ready("artifactindexes", "gar")[1] == "NameConflict"


# -- what is measured


async def test_each_pass_is_measured_with_its_result(engine: Engine) -> None:
    await served(engine)
    kinds = ("IndexOptions", "IndexOptionsStatus", "ArtifactIndex")
    assert set(engine.meter.passes) == {(kind, "ok") for kind in kinds}

    async def result_of_a_pass(key: Key = OPTIONS) -> str:
        engine.meter.passes.clear()
        await engine.reconciler.reconcile(key)
        [(kind, result)] = engine.meter.passes
        assert kind == key.kind
        return result

    engine.options({"indexStrategy": "unsafe-best-match"})
    engine.refuse(BROKEN, lambda verb, plural, name: (verb, plural) == ("patch", "secrets"))
    assert await result_of_a_pass() == "retry"
    engine.refuse(BROKEN, lambda verb, plural, name: plural == "indexoptions")
    assert await result_of_a_pass() == "ok"
    assert await result_of_a_pass(STATUS) == "api_error"
    engine.refuse(BROKEN, lambda *_: False)
    engine.state.published = None  # type: ignore[assignment]
    assert await result_of_a_pass() == "internal_error"
