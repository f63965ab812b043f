"""One index with its sources, token and URL, and everything that may change about them."""

import random
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any, NamedTuple

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.constants import EKS_ROLE_ANNOTATION, REFRESH_REQUESTED_ANNOTATION
from artifact_index.api.timestamps import format_time
from artifact_index.credentials.aws.endpoint_entry import EndpointState
from artifact_index.credentials.tokens.token_state import TokenState
from artifact_index.instrumentation import UNMEASURED
from artifact_index.reconcile.cache.cache import Cache
from artifact_index.reconcile.cache.env import Env
from artifact_index.reconcile.cache.objects import (
    IndexObject,
    ObjectRef,
    OutputRef,
    parse_custom_object,
)
from artifact_index.reconcile.cache.sources.parsing import parse_source_secret
from artifact_index.reconcile.cache.sources.reading import SourceCache
from artifact_index.reconcile.plan.entries import IndexPlan, PlanMemo, plan_indexes
from artifact_index.reconcile.resolve.clouds import Clouds
from artifact_index.reconcile.resolve.history import Histories
from artifact_index.reconcile.resolve.memo import PLANS
from artifact_index.reconcile.resolve.resolution import needs_of
from artifact_index.reconcile.resolve.resolver import Resolver
from artifact_index.reconcile.resolve.token_view import IndexState
from artifact_index.sources.base import ResolvedSource
from support.memory_port import MemoryPort
from support.output_builders import output
from support.reconcile_builders import (
    DIGESTER,
    HOUR,
    MARGINS,
    NAMESPACE,
    NOW,
    POLICY,
    SECRETS,
    body_of,
    issued_token,
    login_error,
    options,
    secret_body,
    source,
    token_state_of,
    url_state,
)

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
LONG_BUILDS = {"maxBuildDuration": "2h"}
CONFIG_MAP = {"outputs": [{"kind": "ConfigMap", "name": "public"}]}


class FakeClouds(Clouds):
    """One token and one URL, whatever the login."""

    def __init__(self) -> None:
        self.token: TokenState = token_state_of(issued_token())
        self.endpoint: EndpointState = url_state()

    def token_of(self, login: ResolvedSource, namespace: str) -> TokenState | None:
        return self.token if login.token is not None else None

    def endpoint_of(self, login: ResolvedSource) -> EndpointState | None:
        return self.endpoint if login.endpoint is not None else None


class Seen(NamedTuple):
    """What one IndexOptions makes of the index."""

    state: IndexState
    plan: IndexPlan


class Scene:
    """One index with its sources, its token and its URL; `options` are those that select it."""

    def __init__(self) -> None:
        self.port, self.cache, self.clouds = MemoryPort(), Cache(), FakeClouds()
        self.policy, self.time, self.options = POLICY, float(NOW), options()
        self.generation, self.uid, self.values, self.tokens = 0, 1, 0, 0
        self.sources = SourceCache(
            api=self.port,
            cache=self.cache,
            reread=300,
            on_change=lambda _: None,
            rng=random.Random(1),
        )
        self.env = Env(
            margins=MARGINS,
            policy=lambda _: self.policy,
            digester=DIGESTER,
            clock=lambda: self.time,
            rng=random.Random(1),
            meter=UNMEASURED,
        )
        self.histories, self.plans = Histories(), PlanMemo(PLANS)
        self.resolver = self.new_resolver(self.histories)
        self.refresh_requested: str | None = None
        self.spec = SPECS["by access key"]
        self.put_secrets()
        self.put_account(ROLE)
        self.put_index()

    def new_resolver(self, histories: Histories) -> Resolver:
        return Resolver(
            cache=self.cache,
            sources=self.sources,
            clouds=self.clouds,
            histories=histories,
            patience=5,
            env=self.env,
        )

    @property
    def index(self) -> IndexObject:
        index = self.cache.indexes.get(INDEX)
        assert index is not None
        return index

    async def look(self) -> Seen:
        """Look at the index through the memos."""
        return await self._look(self.resolver, self.plans)

    async def look_afresh(self) -> Seen:
        """Look at the index without a memo, and without a trace."""
        return await self._look(self.new_resolver(deepcopy(self.histories)), None)

    async def _look(self, resolver: Resolver, memo: PlanMemo | None) -> Seen:
        resolved = await resolver.resolve(self.index, needs_of(self.options, self.env))
        state = resolver.with_token(resolved, NAMESPACE)
        (plan,) = plan_indexes(
            [state],
            published={},
            assigned={},
            public_name=None,
            with_credentials=True,
            margins=MARGINS,
            now=self.time,
            memo=memo,
        )
        return Seen(state, plan)

    # Changes

    def put_index(self, spec: dict[str, Any] | None = None, **how: Any) -> None:
        self.spec = self.spec if spec is None else spec
        self.generation += 1
        how = {"uid": f"uid-{self.uid}", "generation": self.generation, **how}
        body = body_of("a", self.spec, **how)
        if self.refresh_requested is not None:
            annotations = {REFRESH_REQUESTED_ANNOTATION: self.refresh_requested}
            body["metadata"]["annotations"] = annotations
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
        """As the watch brings it: the feed forgets the polled copy."""
        ref = ObjectRef(NAMESPACE, name)
        body = self.port.put("secrets", secret_body(name, {**SECRETS[name], **changed}))
        self.sources.forget(ref)
        self.cache.put_source(ref, parse_source_secret(body, self.cache.named_keys(ref)))

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
            ref = ObjectRef(NAMESPACE, name)
            self.port.objects.pop(("secrets", *ref), None)
            self.sources.forget(ref)
            self.cache.drop_source(ref)

    def put_account(self, role: str | None, uid: str = "uid-of-builder") -> None:
        body = secret_body("builder", {}, uid=uid)
        body["metadata"]["annotations"] = {EKS_ROLE_ANNOTATION: role} if role else {}
        self.port.put("serviceaccounts", body)

    def make_outputs(self) -> None:
        for name in SECRETS:
            self.cache.put_output(output(name))

    def drop_outputs(self) -> None:
        for name in SECRETS:
            self.cache.drop_output(OutputRef("Secret", NAMESPACE, name))

    def request_refresh(self) -> None:
        self.refresh_requested = format_time(int(self.time))
        self.generation -= 1
        self.put_index()

    def issue_token(self) -> None:
        self.tokens += 1
        self.clouds.token = token_state_of(
            issued_token(f"token-{self.tokens}", issued_at=int(self.time)), now=self.time
        )

    def see_earlier_token(self) -> None:
        """As another tenant in the same state of the login, who did not ask for the latest."""
        earlier = issued_token("earlier", issued_at=int(self.time) - HOUR)
        self.clouds.token = replace(
            token_state_of(earlier, now=self.time), serial=self.clouds.token.serial
        )


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
    "Secrets that are outputs": Scene.make_outputs,
    "Secrets that are outputs no more": Scene.drop_outputs,
    "http allowed": lambda scene: setattr(scene, "policy", replace(POLICY, allow_http=True)),
    "no consent": lambda scene: setattr(scene, "policy", replace(POLICY, operator_identity=False)),
    "other hosts": lambda scene: setattr(scene, "policy", replace(POLICY, allowed_hosts=("x",))),
    "the usual policy": lambda scene: setattr(scene, "policy", POLICY),
    "time": lambda scene: setattr(scene, "time", scene.time + 400),
    "half a day": lambda scene: setattr(scene, "time", scene.time + 12 * HOUR),
    "a refresh request": Scene.request_refresh,
    "another token": Scene.issue_token,
    "a failing token": lambda scene: setattr(
        scene.clouds, "token", token_state_of(issued_token(), error=login_error(), now=scene.time)
    ),
    "no token": lambda scene: setattr(scene.clouds, "token", token_state_of(error=login_error())),
    "an awaited token": lambda scene: setattr(
        scene.clouds, "token", token_state_of(pending_since=scene.time)
    ),
    "another URL": lambda scene: setattr(
        scene.clouds, "endpoint", url_state("https://other.example/pypi/python/")
    ),
    "no URL": lambda scene: setattr(scene.clouds, "endpoint", url_state(error=login_error())),
    "long builds": lambda scene: setattr(scene, "options", options(spec=LONG_BUILDS)),
    "no login in any output": lambda scene: setattr(scene, "options", options(spec=CONFIG_MAP)),
    "the usual builds": lambda scene: setattr(scene, "options", options()),
}
