"""Wiring: the parts of the operator, and what follows from its settings alone."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from kubernetes.aio.client.configuration import Configuration

from artifact_index.credentials.aws.endpoints import Endpoints
from artifact_index.credentials.calls import Issue
from artifact_index.credentials.tokens.freshness import margins_of
from artifact_index.credentials.tokens.issuing import Limits
from artifact_index.credentials.tokens.manager import TokenManager
from artifact_index.election.candidate import Candidate, Timing, new_identity
from artifact_index.election.client import LeaseClient
from artifact_index.election.elector import Elector
from artifact_index.election.rivals import Rivals
from artifact_index.gate import Gate
from artifact_index.instrumentation import UNMEASURED, Meter
from artifact_index.kube.port import KubePort, Object
from artifact_index.reconcile.apply.writer import OutputWriter
from artifact_index.reconcile.cache.cache import Cache
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.env import Env
from artifact_index.reconcile.cache.feed import FedObject, Feed
from artifact_index.reconcile.cache.objects import ObjectRef, OutputObject
from artifact_index.reconcile.cache.relist import Relister
from artifact_index.reconcile.cache.scope import ClusterScope
from artifact_index.reconcile.cache.sources.reading import SourceCache
from artifact_index.reconcile.cluster.options import ClusterOptionsReconciler
from artifact_index.reconcile.cluster.outputs import ClusterOutputsReconciler
from artifact_index.reconcile.controller import Controller, Reconcilers
from artifact_index.reconcile.index import IndexReconciler
from artifact_index.reconcile.options import OptionsReconciler
from artifact_index.reconcile.queue.workqueue import DEBOUNCE, WorkQueue
from artifact_index.reconcile.queue.write_limiter import WriteLimiter
from artifact_index.reconcile.resolve.clouds import Clouds
from artifact_index.reconcile.resolve.history import Histories
from artifact_index.reconcile.resolve.resolver import Resolver
from artifact_index.reconcile.state.restore import restore
from artifact_index.reconcile.state.state import State
from artifact_index.reconcile.status.writer import StatusWriter
from artifact_index.service_account_tokens import ServiceAccountTokens
from artifact_index.setting_flags import flag_of
from artifact_index.settings import Settings, setting_fields
from artifact_index.sources.policy import Policy


@dataclass(frozen=True, slots=True)
class Operator:
    """The parts of one operator; nothing runs yet.

    Call `prime`; then run `tokens`, `sources`, `relister` and `rivals` in tasks of their own, and
    `lead` in one while this process may write. No `namespaces` means all of them.
    """

    namespaces: tuple[str, ...]
    workers: int
    missing_secret_grace: float
    cache: Cache
    state: State
    histories: Histories
    feed: Feed
    relister: Relister
    rivals: Rivals
    controller: Controller
    tokens: TokenManager
    endpoints: Endpoints
    sources: SourceCache

    async def prime(self) -> None:
        """List everything, and restore from it what a restart knows. Raises ApiError.

        Until `lead`, what others write is taken over in the same way. An installation that has
        ended is known as such before the first reconcile.
        """
        self.feed.on_new = partial(self._restore, first=True)
        await self.relister.prime()
        self.feed.on_new = self._restore
        await self.rivals.look()

    async def lead(self) -> None:
        """Work on every object, until cancelled: only meanwhile is anything written or requested.

        Afterwards the process stands by. What it holds it keeps, and follows what others write.
        """
        self.take_over()
        self.controller.enqueue(self.cache.all_keys())
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(self.workers):
                    workers.create_task(self.controller.run_worker())
        finally:
            await self.stand_by()

    def take_over(self) -> None:
        """Let the workers, which are yet to begin, request tokens and URLs."""
        self.feed.on_new = self._restore_late
        self.controller.stands_by = False
        self.tokens.resume()
        self.endpoints.resume()

    async def stand_by(self) -> None:
        """Give up all calls once the workers have ended, and follow what another process writes."""
        self.feed.on_new = self._restore
        self.controller.stand_by()
        self.state.stand_by()
        await self.tokens.pause()
        await self.endpoints.pause()

    def _restore(
        self, plural: str, new: FedObject, body: Object, *, first: bool = False
    ) -> Awaitable[None] | None:
        return restore(
            plural, new, body,
            state=self.state, histories=self.histories, tokens=self.tokens,
            endpoints=self.endpoints, grace=self.missing_secret_grace,
            outputs_of=None if first else self.cache.outputs_of,
        )  # fmt: skip

    def _restore_late(self, plural: str, new: FedObject, body: Object) -> Awaitable[None] | None:
        """Take over an output that the last leader wrote after what was known of it."""
        return self._restore(plural, new, body) if isinstance(new, OutputObject) else None

    async def clouds_settled(self) -> bool:
        """Wait until no call to a cloud is in flight; False if there was none."""
        return await self.tokens.settled() or await self.endpoints.settled()

    async def close(self) -> None:
        """Give up all calls to clouds. None is made afterwards."""
        await self.tokens.close()
        await self.endpoints.close()


def build(settings: Settings, api: KubePort, issue: Issue, env: Env) -> Operator:
    """Wire the parts of one operator on the event loop that will run them; `issue` asks clouds."""
    scope = ClusterScope(
        settings.cluster_kinds,
        settings.cluster_resource_namespace,
        lru_cache(maxsize=16_384)(settings.may_serve_cluster_kinds_in),
    )
    cache = Cache(settings.installation, signs=settings.leader_elect, scope=scope)
    state, histories = State(), Histories()
    priority = partial(state.priority_of, margins=env.margins)
    workers = settings.workers
    # In an installation for one namespace nobody else needs a worker.
    shared = None if len(settings.namespaces) == 1 else workers
    queue = WorkQueue(priority=priority, rng=env.rng, workers=shared)
    limiter = WriteLimiter(settings.writes_per_second, settings.write_burst)
    issue = ServiceAccountTokens(api, issue).issue
    tokens = TokenManager(
        issue,
        margins=env.margins,
        now=env.clock,
        rng=env.rng,
        meter=env.meter,
        limits=Limits(per_second=settings.mints_per_second, tenant_of=_namespace_of),
    )
    endpoints = Endpoints(
        issue, now=env.clock, rng=env.rng, meter=env.meter, tenant_of=_namespace_of
    )
    sources = SourceCache(
        api=api,
        cache=cache,
        reread=settings.source_reread_interval,
        on_change=lambda keys: controller.enqueue(keys),  # noqa: PLW0108 - made below
        rng=env.rng,
    )
    endpoints.may_use = tokens.is_tried
    tokens.on_attempt(endpoints.login_tried)
    clouds = Clouds(tokens, endpoints)
    resolver = Resolver(
        cache=cache,
        sources=sources,
        clouds=clouds,
        histories=histories,
        patience=settings.mint_patience,
        env=env,
    )
    status_writer = StatusWriter(api, cache, limiter, env.clock)
    output_writer = OutputWriter(
        api, cache, limiter, priority, env.digester, status_writer.announce
    )
    options = OptionsReconciler(cache, resolver, clouds, state, output_writer, env)
    indexes = IndexReconciler(cache, resolver, state, status_writer, queue.is_busy, env)
    reconcilers = Reconcilers(
        options,
        indexes,
        ClusterOptionsReconciler(cache, resolver, clouds, state, env),
        ClusterOutputsReconciler(cache, state, output_writer),
    )
    controller = Controller(cache, queue, reconcilers, status_writer, env)
    tokens.on_change = endpoints.on_change = controller.tokens_changed
    feed = Feed(
        cache,
        sources.forget,
        env.digester,
        enqueue=partial(controller.enqueue, delay=DEBOUNCE),
        status_edited=controller.status_edited,
    )
    relister = Relister(
        api, feed, settings.namespaces, settings.relist_interval, controller.enqueue, env.rng
    )
    rivals = Rivals(
        api,
        cache.writers,
        settings.lease_duration,
        on_change=lambda namespaces: controller.enqueue(cache.keys_in(namespaces)),
    )
    return Operator(
        namespaces=settings.namespaces,
        workers=workers,
        missing_secret_grace=settings.missing_secret_grace,
        cache=cache,
        state=state,
        histories=histories,
        feed=feed,
        relister=relister,
        rivals=rivals,
        controller=controller,
        tokens=tokens,
        endpoints=endpoints,
        sources=sources,
    )


def elector_of(
    settings: Settings, configuration: Configuration, gate: Gate, operator: Operator, meter: Meter
) -> Elector | None:
    """The leader election that opens the gate for this operator; None without `--leader-elect`."""
    if not settings.leader_elect:
        return None
    timing = Timing(settings.lease_duration, settings.renew_deadline, settings.retry_period)
    candidate = Candidate(
        new_identity(), timing, gate,
        in_use=lambda: len(operator.cache.outputs) > 0,
        rng=random.Random(),  # noqa: S311 - jitter, not cryptography
    )  # fmt: skip
    lease = LeaseClient(configuration, settings.installation, meter=meter)
    return Elector(lease, candidate, operator.lead, meter=meter)


def _namespace_of(consumer: Any) -> str:
    """Whose share of the clouds a consumer uses, which is the reference of an IndexOptions."""
    ref: ObjectRef = consumer
    return ref.namespace


def env_of(
    settings: Settings,
    digester: Digester,
    *,
    clock: Callable[[], float] = time.time,
    rng: random.Random | None = None,
    meter: Meter = UNMEASURED,
) -> Env:
    """The surroundings that the settings give; a test brings a clock or jitter of its own."""
    return Env(
        margins=margins_of(settings),
        policy=policy_of(settings),
        digester=digester,
        clock=clock,
        rng=rng or random.Random(),  # noqa: S311 - jitter, not cryptography
        meter=meter,
    )


def described(settings: Settings) -> dict[str, str]:
    """Scope, consents and what differs from the defaults, for the first line of the log."""
    identity = settings.operator_identity_namespaces or tuple(
        filter(settings.may_use_operator_identity, settings.namespaces)
    )
    changed = (
        f"{flag_of(setting)}={_as_given(value)}"
        for setting in setting_fields()
        if (value := getattr(settings, setting.name)) != setting.default
    )
    return {
        "scope": ",".join(settings.namespaces) or "cluster",
        "consents": f"operatorIdentity={','.join(identity) or 'none'} "
        f"http={'allowed' if settings.allow_http else 'refused'} "
        f"hosts={','.join(settings.allowed_hosts) or 'any'}",
        "settings": " ".join(changed),
    }


def _as_given(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):  # all floats are durations
        return f"{value:g}s"
    return ",".join(value) if isinstance(value, tuple) else str(value)


def policy_of(settings: Settings) -> Callable[[str], Policy]:
    """The policy of each namespace, usually the same object at each call."""

    @lru_cache(maxsize=1024)
    def policy(namespace: str) -> Policy:
        return Policy(
            allow_http=settings.allow_http,
            operator_identity=settings.may_use_operator_identity(namespace),
            missing_secret_grace=settings.missing_secret_grace,
            source_reread=settings.source_reread_interval,
            operator_identity_limits=settings.operator_identity_limits(namespace),
            session_tags=settings.operator_identity_session_tags,
            tenant_tags=settings.operator_identity_tenant_tags,
            allowed_hosts=settings.allowed_hosts,
        )

    return policy
