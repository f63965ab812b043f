"""Objects that no API server would take today: never a crash, a hot loop or a lost good output."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.objects import OutputRef
from support.control_plane import wait_until
from support.emulated_world import (
    OURS,
    SIGNING_KEY,
    EmulatedWorld,
    anonymous,
    emulated_world,
)
from support.operator_process import OperatorProcess, health
from support.world import PATIENCE, artifact_index, index_options, secret

pytestmark = pytest.mark.emulated

Body = dict[str, Any]
Edit = Callable[[Body], object]

QUIET_SECONDS = 6.0
MOST_REQUESTS_A_SECOND = 8.0


def at(*path: str, value: object) -> Edit:
    """Set one field, wherever it is."""

    def edit(body: Body) -> None:
        for step in path[:-1]:
            if not isinstance(body.get(step), dict):
                body[step] = {}
            body = body[step]
        body[path[-1]] = value

    return edit


BAD_INDEXES: dict[str, Edit] = {
    "spec-string": at("spec", value="a string"),
    "spec-list": at("spec", value=[1, 2]),
    "spec-null": at("spec", value=None),
    "spec-empty": at("spec", value={}),
    "no-spec": lambda body: body.pop("spec"),
    "two-sources": at("spec", "basicAuth", value={"url": "https://x.example/", "secretRef": {}}),
    "source-null": at("spec", "anonymous", value=None),
    "url-number": at("spec", "anonymous", value={"url": 7}),
    "url-not-a-url": at("spec", "anonymous", value={"url": "https://[::1/simple/"}),
    "url-port": at("spec", "anonymous", value={"url": "https://x.example:port/simple/"}),
    "url-control": at("spec", "anonymous", value={"url": 'https://x.example/"\n[[index]]\n#'}),
    "url-surrogate": at("spec", "anonymous", value={"url": "https://x.example/\ud800/"}),
    "name-list": at("spec", "name", value=["a"]),
    "name-quote": at("spec", "name", value='a"\nb'),
    "name-huge": at("spec", "name", value="a" * 10_000),
    "priority-text": at("spec", "priority", value="high"),
    "priority-huge": at("spec", "priority", value=10**400),
    "codes-object": at("spec", "ignoreErrorCodes", value={"a": 1}),
    "suspend-text": at("spec", "suspend", value="perhaps"),
    "generation-null": at("metadata", "generation", value=None),
    "created-null": at("metadata", "creationTimestamp", value=None),
    "labels-null": at("metadata", "labels", value=None),
    "annotations-null": at("metadata", "annotations", value=None),
    "managed-null": at("metadata", "managedFields", value=None),
    "status-string": at("status", value="ready"),
    "status-list": at("status", value=["ready"]),
    "status-null": at("status", value=None),
    "status-number": at("status", "observedGeneration", value="one"),
    "conditions-string": at("status", "conditions", value="Ready"),
    "conditions-nulls": at("status", "conditions", value=[None, 1, "Ready", {}]),
    "condition-bare": at("status", "conditions", value=[{"type": "Ready"}]),
    "condition-times": at(
        "status",
        "conditions",
        value=[
            {"type": "Ready", "status": "False", "reason": "SecretNotFound", "message": "",
             "lastTransitionTime": "yesterday", "observedGeneration": 1}
        ],
    ),
    "credential-string": at("status", "credential", value="soon"),
}  # fmt: skip

BAD_OPTIONS: dict[str, Edit] = {
    "spec-string": at("spec", value="a string"),
    "spec-null": at("spec", value=None),
    "selector-list": at("spec", "indexSelector", value=["a"]),
    "selector-labels": at("spec", "indexSelector", value={"matchLabels": {"a": {"b": 1}}}),
    "selector-operator": at(
        "spec", "indexSelector", value={"matchExpressions": [{"key": "a", "operator": "Near"}]}
    ),
    "outputs-object": at("spec", "outputs", value={"kind": "Secret"}),
    "outputs-nulls": at("spec", "outputs", value=[None]),
    "outputs-kind": at("spec", "outputs", value=[{"kind": "Pod", "name": "x"}]),
    "outputs-name": at("spec", "outputs", value=[{"kind": "Secret", "name": "../x"}]),
    "outputs-twice": at("spec", "outputs", value=[{"kind": "Secret", "name": "uv-config"}] * 2),
    "build-text": at("spec", "maxBuildDuration", value="forever"),
    "build-huge": at("spec", "maxBuildDuration", value="9" * 400 + "h"),
    "public-string": at("spec", "publicIndex", value="pypi"),
    "strategy": at("spec", "indexStrategy", value="last"),
    "status-list": at("status", value=[]),
    "status-string": at("status", value="ready"),
    "status-indexes": at("status", "indexes", value="all of them"),
    "status-items": at("status", "indexes", value=[None, 1, {}, {"uid": 3}, {"name": "x"}]),
    "status-outputs": at("status", "outputs", value=[None]),
    "conditions": at("status", "conditions", value=[None, {"type": "Ready"}]),
    "generation-null": at("metadata", "generation", value=None),
}

SERVED = "artifactindex.dev/served"
CONTENT = "artifactindex.dev/content-digest"
GARBAGE_ANNOTATIONS = [
    "",
    "no JSON",
    "null",
    "7",
    "[]",
    "{}",
    '{"indexes": null, "grants": null}',
    '{"indexes": [], "grants": {}}',
    '{"indexes": {"first": null}, "grants": {}}',
    '{"indexes": {"first": {"uid": "u", "scope": "s", "token": "t"}}, "grants": {}}',
    '{"indexes": {"first": {"uid": "u", "scope": "s", "token": "t"}}, "grants": {"t": [1]}}',
    '{"indexes": {"first": {"uid": "u", "token": "t"}}, "grants": {"t": ["a", "b", "c"]}}',
    '{"indexes": {"first": {"uid": "u", "scope": "", "token": "t"}}, "grants": {"t":[0,1e400,0]}}',
    '{"indexes": {"first": {"uid": {}, "scope": [], "endpoint": 4}}, "grants": {}}',
    '{"indexes": {}, "grants": {}, "public": ["pypi"]}',
]  # fmt: skip


@pytest.fixture
def world() -> Iterator[EmulatedWorld]:
    with emulated_world() as opened:
        yield opened


def good(world: EmulatedWorld, namespace: str) -> None:
    """Two indexes that every selection here takes, and their output."""
    world.add(
        namespace,
        artifact_index("first", **anonymous("first")),
        artifact_index("second", **anonymous("second")),
        index_options("uv-config"),
    )


def assert_calm(world: EmulatedWorld, operator: OperatorProcess) -> None:
    """Alive, well, and with few requests over some seconds that a hot loop would fill."""
    world.settle()
    world.emulator.requests.clear()
    listings = world.listings()
    period = QUIET_SECONDS / 2
    wait_until(lambda: world.listings() >= listings + 2, "two listings", PATIENCE)
    requests = world.emulator.requests.count(user_agent=OURS)
    assert requests / period <= MOST_REQUESTS_A_SECOND, requests
    assert operator.process is not None
    assert operator.process.poll() is None, operator.log[-3000:]
    assert health(operator.health_port, "healthz") == (200, "ok\n")


def listing_every(world: EmulatedWorld) -> OperatorProcess:
    return world.operator(f"--relist-interval={QUIET_SECONDS / 2}s")


@pytest.mark.parametrize("running", [True, False], ids=["while running", "before the start"])
def test_a_bad_artifact_index_leaves_the_good_ones_served(
    running: bool, world: EmulatedWorld
) -> None:
    for case in BAD_INDEXES:
        good(world, case)
        world.add(case, artifact_index("bad", **anonymous("bad", whenUnavailable="Omit")))

    def spoil() -> None:
        for case, edit in BAD_INDEXES.items():
            world.emulator.corrupt("artifactindexes", case, "bad", edit)

    if not running:
        spoil()
    with listing_every(world) as operator:
        if running:
            for case in BAD_INDEXES:
                world.wait_served(case, "first", "second", "bad")
            spoil()
        world.wait_second_listing()
        # Whatever became of the bad one: the others stay, and new ones come.
        for case in BAD_INDEXES:
            world.add(case, artifact_index("third", **anonymous("third")))
        for case in BAD_INDEXES:
            wait_until(
                lambda case=case: {"first", "second", "third"} <= set(world.served(case)),  # type: ignore[misc]
                case,
                PATIENCE,
            )
        assert_calm(world, operator)
        assert "internal error" not in operator.log, operator.log[-3000:]
        assert "Traceback" not in operator.log, operator.log[-3000:]


@pytest.mark.parametrize("running", [True, False], ids=["while running", "before the start"])
def test_a_bad_index_options_keeps_its_output_and_disturbs_no_other(
    running: bool, world: EmulatedWorld
) -> None:
    for case in BAD_OPTIONS:
        good(world, case)
        world.add(case, index_options("other"))

    def spoil() -> None:
        for case, edit in BAD_OPTIONS.items():
            world.emulator.corrupt("indexoptions", case, "uv-config", edit)

    with listing_every(world) as operator:
        for case in BAD_OPTIONS:
            world.wait_served(case, "first", "second")
        printed = 0
        if running:
            spoil()
            world.wait_second_listing()
        else:
            operator.stop()
            spoil()
            printed = len(operator.log)
            operator.start()
        for case in BAD_OPTIONS:
            world.add(case, artifact_index("third", **anonymous("third")))
        for case in BAD_OPTIONS:
            world.wait_served(case, "first", "second", "third", name="other")
            assert {"first", "second"} <= set(world.served(case))
        assert_calm(world, operator)
        assert "internal error" not in operator.log[printed:], operator.log[-3000:]
        assert "Traceback" not in operator.log[printed:], operator.log[-3000:]


def digest_of(namespace: str, name: str, body: Body, served: str) -> str:
    ref = OutputRef("Secret", namespace, name)
    return Digester(SIGNING_KEY).output(ref, body["data"], served)


@pytest.mark.parametrize("valid", [True, False], ids=["valid digest", "invalid digest"])
def test_a_garbage_record_in_an_output_costs_nothing_but_a_repair(
    valid: bool, world: EmulatedWorld
) -> None:
    names = [f"garbage-{number}" for number in range(len(GARBAGE_ANNOTATIONS))]
    with listing_every(world) as operator:
        for name in names:
            good(world, name)
        for name in names:
            world.wait_served(name, "first", "second")
        operator.stop()
        for name, garbage in zip(names, GARBAGE_ANNOTATIONS, strict=True):

            def edit(body: Body, name: str = name, garbage: str = garbage) -> None:
                body["metadata"]["annotations"][SERVED] = garbage
                if valid:
                    digest = digest_of(name, "uv-config", body, garbage)
                    body["metadata"]["annotations"][CONTENT] = digest

            world.emulator.corrupt("secrets", name, "uv-config", edit)

        printed = len(operator.log)
        operator.start()
        for name, garbage in zip(names, GARBAGE_ANNOTATIONS, strict=True):
            wait_until(
                lambda name=name, garbage=garbage: annotation(world, name) != garbage,  # type: ignore[misc]
                f"{garbage} to be repaired",
                PATIENCE,
            )
            assert world.serves(name, "first", "second")
        assert_calm(world, operator)
        assert "Traceback" not in operator.log[printed:], operator.log[-3000:]


def annotation(world: EmulatedWorld, namespace: str) -> str:
    body = world.emulator.get("secrets", namespace, "uv-config")
    text: str = body["metadata"]["annotations"][SERVED]
    return text


def encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


BAD_SOURCES: dict[str, Edit] = {
    "no-data": lambda body: body.pop("data"),
    "data-null": at("data", value=None),
    "value-null": at("data", "password", value=None),
    "not-base64": at("data", "password", value="%%%"),
    "not-text": at("data", "password", value=encoded(b"\xff\xfe")),
    "empty": at("data", "password", value=""),
    "line-break": at("data", "password", value=encoded(b"a\nb")),
    "nul": at("data", "password", value=encoded(b"a\0b")),
    "labels": at("metadata", "labels", value={"artifactindex.dev/role": "neither"}),
    "both": at("metadata", "ownerReferences", value=None),
}


def test_a_bad_source_secret_leaves_the_other_indexes_served(world: EmulatedWorld) -> None:
    basic = {"url": "https://basic.example/simple/", "secretRef": {"name": "login"}}
    with listing_every(world) as operator:
        for case in BAD_SOURCES:
            good(world, case)
            login = secret("login", {"username": "u", "password": "p"})
            world.add(case, login, artifact_index("bad", name="bad", basicAuth=basic))
        for case in BAD_SOURCES:
            world.wait_served(case, "first", "second", "bad")
        for case, edit in BAD_SOURCES.items():
            world.emulator.corrupt("secrets", case, "login", edit)
            world.add(case, artifact_index("third", **anonymous("third")))
        for case in BAD_SOURCES:
            world.wait_served(case, "first", "second", "third", "bad")
        assert_calm(world, operator)
        assert "Traceback" not in operator.log, operator.log[-3000:]


def test_the_annotation_of_an_output_is_what_the_cases_take_it_for(world: EmulatedWorld) -> None:
    with listing_every(world):
        good(world, "sound")
        world.wait_served("sound", "first", "second")
        body = world.emulator.get("secrets", "sound", "uv-config")
        text = body["metadata"]["annotations"][SERVED]
    assert set(json.loads(text)["indexes"]) == {"first", "second"}
    digest = digest_of("sound", "uv-config", body, text)
    assert body["metadata"]["annotations"][CONTENT] == digest
