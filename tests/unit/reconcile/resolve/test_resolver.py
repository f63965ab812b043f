"""A login that was found for an index is kept while what it was made from stands, and no longer."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.constants import EKS_ROLE_ANNOTATION
from artifact_index.reconcile.cache.cache import Cache, index_key
from artifact_index.reconcile.cache.objects import IndexObject, ObjectRef, parse_custom_object
from artifact_index.reconcile.cache.source_cache import SourceCache
from artifact_index.reconcile.resolve.resolver import Resolution, Resolver
from artifact_index.reconcile.state.state import State
from support.memory_port import MemoryPort
from support.reconcile_builders import (
    DIGESTER,
    NAMESPACE,
    NOW,
    POLICY,
    SECRETS,
    body_of,
    options,
    secret_body,
    source,
    source_secret,
)

pytestmark = pytest.mark.unit

INDEX = ObjectRef(NAMESPACE, "a")
ROLE = "arn:aws:iam::111122223333:role/builder"
BY_ACCOUNT = source("codeArtifact", auth={"serviceAccountRef": {"name": "builder"}})
SPECS: dict[str, dict[str, Any]] = {
    "by access key": source("codeArtifact"),
    "by ServiceAccount": BY_ACCOUNT,
    "by the operator": source("codeArtifact", auth=None),
    "by key file": source("googleArtifactRegistry"),
    "preauthenticated": source("preauthenticated"),
    "by password": source("basicAuth"),
    "insecure": source("anonymous", url="http://open.example/simple/"),
    "anonymous": source("anonymous"),
    "unreadable": {**source("anonymous"), "priority": "high"},
}


class Scene:
    """One index with its sources; `state` is what the kept logins live in."""

    def __init__(self) -> None:
        self.port, self.cache, self.state = MemoryPort(), Cache(), State()
        self.policy, self.time = POLICY, float(NOW)
        self.generation, self.uid, self.values = 0, 1, 0
        self.sources = SourceCache(
            api=self.port,
            cache=self.cache,
            reread=300,
            on_change=lambda _: None,
            rng=random.Random(1),
        )
        self.spec = SPECS["by access key"]
        self.put_secrets()
        self.put_account(ROLE)
        self.put_index()

    @property
    def record(self) -> IndexObject:
        record = self.cache.indexes.get(INDEX)
        assert record is not None
        return record

    async def attempt(self, *, fresh: bool = False, again: bool = False) -> Resolution:
        state = self.state
        if fresh:
            state = State(missing_since=dict(self.state.missing_since))
        attempts = Resolver(
            cache=self.cache,
            state=state,
            digester=DIGESTER,
            policy=lambda _: self.policy,
            now=lambda: self.time,
        )
        reader = self.sources.bound_to(NAMESPACE)
        return await attempts.attempt(self.record, reader, again=again)

    # Changes

    def put_index(self, spec: dict[str, Any] | None = None, **how: Any) -> None:
        self.spec = self.spec if spec is None else spec
        self.generation += 1
        how = {"uid": f"uid-{self.uid}", "generation": self.generation, **how}
        body = body_of("a", self.spec, **how)
        self.cache.put_index(
            parse_custom_object(ArtifactIndexSpec, body, self.cache.indexes.get(INDEX))
        )

    def echo_status(self) -> None:
        self.generation -= 1
        self.put_index(status={"observedGeneration": self.generation + 1})

    def recreate(self) -> None:
        self.uid += 1
        self.put_index()

    def suspend(self) -> None:
        self.put_index({**self.spec, "suspend": not self.spec.get("suspend", False)})

    def put_secret(self, name: str, **changed: str) -> None:
        record = source_secret(name, {**SECRETS[name], **changed})
        self.cache.put_source(ObjectRef(NAMESPACE, name), record)

    def put_secrets(self) -> None:
        for name in SECRETS:
            self.put_secret(name)

    def rotate(self) -> None:
        self.values += 1
        for name, values in SECRETS.items():
            old = {"key.json": '{"old": true}', "url": "https://u:p@whole.example/b/simple/"}
            fresh = {key: old.get(key, f"{value}{self.values}") for key, value in values.items()}
            self.put_secret(name, **fresh)

    def empty_key(self) -> None:
        for name, values in SECRETS.items():
            self.put_secret(name, **dict.fromkeys(values, ""))

    def drop_secrets(self) -> None:
        for name in SECRETS:
            self.cache.drop_source(ObjectRef(NAMESPACE, name))

    def put_account(self, role: str | None, uid: str = "uid-of-builder") -> None:
        body = secret_body("builder", {}, uid=uid)
        body["metadata"]["annotations"] = {EKS_ROLE_ANNOTATION: role} if role else {}
        self.port.put("serviceaccounts", body)

    def declare_outputs(self) -> None:
        for number, name in enumerate(SECRETS):
            spec = {"outputs": [{"kind": "Secret", "name": name, "formats": ["UvToml"]}]}
            self.cache.put_options(options(f"o{number}", spec, uid=f"uid-of-o{number}"))

    def drop_outputs(self) -> None:
        for number in range(len(SECRETS)):
            self.cache.drop_options(ObjectRef(NAMESPACE, f"o{number}"))


CHANGES: dict[str, Callable[[Scene], object]] = {
    **{
        f"a spec {name}": lambda scene, spec=spec: scene.put_index(spec)  # type: ignore[misc]
        for name, spec in SPECS.items()
    },
    "an echo of the status": Scene.echo_status,
    "another object of the name": Scene.recreate,
    "suspended, or not": Scene.suspend,
    "other values": Scene.rotate,
    "the usual values": Scene.put_secrets,
    "empty values": Scene.empty_key,
    "no Secret": Scene.drop_secrets,
    "another role": lambda scene: scene.put_account(ROLE + "2"),
    "no role": lambda scene: scene.put_account(None),
    "another ServiceAccount": lambda scene: scene.put_account(ROLE, "another uid"),
    "Secrets named as outputs": Scene.declare_outputs,
    "Secrets named as outputs no more": Scene.drop_outputs,
    "http allowed": lambda scene: setattr(scene, "policy", replace(POLICY, allow_http=True)),
    "no consent": lambda scene: setattr(scene, "policy", replace(POLICY, operator_identity=False)),
    "other hosts": lambda scene: setattr(scene, "policy", replace(POLICY, allowed_hosts=("x",))),
    "the usual policy": lambda scene: setattr(scene, "policy", POLICY),
    "time": lambda scene: setattr(scene, "time", scene.time + 400),
}


async def same_as_fresh(scene: Scene) -> None:
    # As the re-read of a ServiceAccount does it; Secrets come from the watch.
    if (ref := ObjectRef(NAMESPACE, "builder")) in set(scene.cache.account_users):
        await scene.sources.accounts.read(ref, again=True)
    assert await scene.attempt() == await scene.attempt(fresh=True)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("spec", SPECS)
async def test_an_attempt_after_a_change_is_what_a_fresh_one_is(spec: str, change: str) -> None:
    scene = Scene()
    scene.put_index(SPECS[spec])
    await same_as_fresh(scene)
    CHANGES[change](scene)
    await same_as_fresh(scene)


@given(st.lists(st.sampled_from(sorted(CHANGES)), max_size=12))
def test_an_attempt_after_any_history_is_what_a_fresh_one_is(history: list[str]) -> None:
    async def run() -> None:
        scene = Scene()
        for change in history:
            CHANGES[change](scene)
            await same_as_fresh(scene)

    asyncio.run(run())


@pytest.mark.parametrize("spec", ["by access key", "by ServiceAccount", "by password", "anonymous"])
async def test_a_login_is_found_once_while_its_inputs_stand(spec: str) -> None:
    scene = Scene()
    scene.put_index(SPECS[spec])
    first = await scene.attempt()
    scene.echo_status()
    second = await scene.attempt()

    assert first.login is not None
    assert second.login is first.login
    assert second.record is scene.record


@pytest.mark.parametrize(
    "change", ["a spec by password", "other values", "Secrets named as outputs", "no Secret"]
)
async def test_a_login_is_not_kept_beyond_its_inputs(change: str) -> None:
    scene = Scene()
    first = await scene.attempt()
    CHANGES[change](scene)
    second = await scene.attempt()

    assert second.login is not first.login
    assert (INDEX in scene.state.logins) == (second.problem is None)


async def test_a_login_goes_with_its_index() -> None:
    scene = Scene()
    await scene.attempt()
    assert index_key(INDEX) in scene.cache.drop_index(INDEX)
    scene.state.forget_index(INDEX)

    assert scene.state.logins == {}
