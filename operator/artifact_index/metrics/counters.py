"""Counts events as they happen: a `Meter` over prometheus_client."""

import platform
from functools import cache
from typing import Literal

import prometheus_client as prometheus

from artifact_index.instrumentation import Meter, PassResult
from artifact_index.metrics import catalogue
from artifact_index.metrics.catalogue import PROVIDERS, Definition, provider_and_answer


class Counters(Meter):
    """Counters and histograms of one process, in a registry of their own."""

    def __init__(self, version: str) -> None:
        # Otherwise every counter gets a second series, which only OpenMetrics' own detection of
        # resets reads.
        prometheus.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = prometheus.CollectorRegistry()
        self._mints = self._counter(catalogue.MINTS)
        self._mint_duration = self._histogram(catalogue.MINT_DURATION)
        self._lateness = self._histogram(catalogue.REFRESH_LATENESS)
        self._endpoint_lookups = self._counter(catalogue.ENDPOINT_LOOKUPS)
        self._reconciles = self._counter(catalogue.RECONCILES)
        self._reconcile_duration = self._histogram(catalogue.RECONCILE_DURATION)
        self._api_requests = self._counter(catalogue.API_REQUESTS)
        self._api_request_duration = self._histogram(catalogue.API_REQUEST_DURATION)
        self._loop_lag = self._histogram(catalogue.LOOP_LAG)
        self._leadership = self._counter(catalogue.LEADER_TRANSITIONS)
        what = catalogue.BUILD_INFO
        info = prometheus.Gauge(what.name, what.summary, what.labels, registry=self.registry)
        info.labels(version=version, python=platform.python_version()).set(1)
        prometheus.ProcessCollector(registry=self.registry)
        # Such a look-up costs more than to count, and these are of the most frequent events.
        self._requests_of = cache(self._api_requests.labels)
        self._request_duration_of = cache(self._api_request_duration.labels)
        self._reconciles_of = cache(self._reconciles.labels)
        self._reconcile_duration_of = cache(self._reconcile_duration.labels)
        # Without a zero before its first event a series shows no increase for that event.
        for provider in PROVIDERS:
            self._mints.labels(provider, "ok")
            self._lateness.labels(provider)

    def api_request(
        self, *, verb: str, resource: str, subresource: str, code: int, seconds: float
    ) -> None:
        """See `Meter`."""
        self._requests_of(verb, resource, subresource, code).inc()
        self._request_duration_of(verb).observe(seconds)

    def cloud_answered(self, *, provider: str, result: str, seconds: float) -> None:
        """See `Meter`."""
        cloud, answer = provider_and_answer(provider)
        if answer == "endpoint":
            self._endpoint_lookups.labels(result).inc()
            return
        self._mints.labels(cloud, result).inc()
        self._mint_duration.labels(cloud).observe(seconds)

    def refreshed(self, *, provider: str, late: float) -> None:
        """See `Meter`."""
        cloud, _ = provider_and_answer(provider)
        self._lateness.labels(cloud).observe(late)

    def reconciled(self, *, kind: str, result: PassResult, seconds: float) -> None:
        """See `Meter`."""
        self._reconciles_of(kind, result).inc()
        self._reconcile_duration_of(kind).observe(seconds)

    def loop_lag(self, seconds: float) -> None:
        """See `Meter`."""
        self._loop_lag.observe(seconds)

    def leadership(self, event: Literal["won", "lost", "released"]) -> None:
        """See `Meter`."""
        self._leadership.labels(event).inc()

    def _counter(self, what: Definition) -> prometheus.Counter:
        return prometheus.Counter(what.name, what.summary, what.labels, registry=self.registry)

    def _histogram(self, what: Definition) -> prometheus.Histogram:
        return prometheus.Histogram(
            what.name, what.summary, what.labels, buckets=what.buckets, registry=self.registry
        )
