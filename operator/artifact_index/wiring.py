"""Wiring: the parts of the operator, and what follows from its settings alone."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from artifact_index.credentials.aws.endpoints import Endpoints
from artifact_index.credentials.calls import Issue
from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.credentials.tokens.issuing import Limits
from artifact_index.credentials.tokens.manager import TokenManager
from artifact_index.instrumentation import UNMEASURED, Meter
from artifact_index.kube.port import KubePort
from artifact_index.reconcile.apply.writer import OutputWriter
from artifact_index.reconcile.cache.cache import Cache
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.env import Env
from artifact_index.reconcile.cache.feed import Feed
from artifact_index.reconcile.cache.objects import ObjectRef
from artifact_index.reconcile.cache.relist import Relister
from artifact_index.reconcile.cache.source_cache import SourceCache
from artifact_index.reconcile.controller import Controller
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
from artifact_index.settings import Settings, flag_of, setting_fields
from artifact_index.sources.policy import Policy


@dataclass(frozen=True, slots=True)
class Operator:
    """The parts of one operator; nothing runs yet.

    Call `prime`; then run `tokens`, `sources`, `relister` and so many `workers` of `controller` in
    tasks of their own. No `namespaces` means all of them.
    """

    namespaces: tuple[str, ...]
    workers: int
    missing_secret_grace: float
    cache: Cache
    state: State
    histories: Histories
    feed: Feed
    relister: Relister
    controller: Controller
    tokens: TokenManager
    endpoints: Endpoints
    sources: SourceCache

    async def prime(self) -> None:
        """List everything, and restore from it what a restart knows. Raises ApiError."""
        await self.relister.prime(
            partial(
                restore,
                state=self.state,
                histories=self.histories,
                tokens=self.tokens,
                endpoints=self.endpoints,
                grace=self.missing_secret_grace,
            )
        )

    async def clouds_settled(self) -> bool:
        """Wait until no call to a cloud is in flight; False if there was none."""
        return await self.tokens.settled() or await self.endpoints.settled()

    async def close(self) -> None:
        """Give up all calls to clouds. None is made afterwards."""
        await self.tokens.close()
        await self.endpoints.close()


def build(settings: Settings, api: KubePort, issue: Issue, env: Env) -> Operator:
    """Wire the parts of one operator on the event loop that will run them; `issue` asks clouds."""
    cache, state, histories = Cache(), State(), Histories()
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
    controller = Controller(cache, queue, options, indexes, status_writer, env)
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
    return Operator(
        namespaces=settings.namespaces,
        workers=workers,
        missing_secret_grace=settings.missing_secret_grace,
        cache=cache,
        state=state,
        histories=histories,
        feed=feed,
        relister=relister,
        controller=controller,
        tokens=tokens,
        endpoints=endpoints,
        sources=sources,
    )


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


def margins_of(settings: Settings) -> Margins:
    """The margins of the freshness formula, from the administrator's settings."""
    return Margins(
        outage=settings.outage_budget,
        write=settings.write_time,
        propagation=settings.propagation_time,
        pod_start=settings.pod_start_time,
        clock_skew=settings.clock_skew,
        min_refresh_interval=settings.min_refresh_interval,
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


def oldest_listing_of(settings: Settings) -> float:
    """The age in seconds of the last complete listing at which the process is unhealthy."""
    return max(60.0, 3 * settings.relist_interval)


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
