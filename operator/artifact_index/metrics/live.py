"""Metrics that each scrape reads from the current state, so that they cost nothing in between.

A series exists exactly as long as the object it describes, so none has to be removed.
"""

from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client.core import GaugeMetricFamily

from artifact_index.api import constants
from artifact_index.api.cluster.index_options import NamespaceCounts
from artifact_index.api.conditions import READY, RECONCILING, STALLED
from artifact_index.api.owners import is_of_cluster
from artifact_index.api.reasons import Reason
from artifact_index.api.timestamps import parse_time
from artifact_index.credentials.requests import Identity, OperatorIdentity, SecretIdentity
from artifact_index.credentials.tokens.entry import CACHED_TOKEN_LEAD
from artifact_index.credentials.tokens.token_state import HeldToken
from artifact_index.metrics import catalogue
from artifact_index.metrics.catalogue import Definition, provider_and_answer
from artifact_index.reconcile.cache.objects import (
    IndexObject,
    ObjectRef,
    OptionsObject,
    OutputObject,
    kind_of,
    options_kind,
)
from artifact_index.reconcile.cache.output_owners import owner_name
from artifact_index.reconcile.cache.status_parsing import decoded_status, reported_conditions

_NO_STATUS: Final = ("Unknown", "")
"""Status and reason of Ready before the first status."""

_PROGRESS: Final = {RECONCILING, STALLED}
"""Conditions that only say how the operator goes on about a problem."""

_KEPT_WITHOUT_PLAN: Final = 600
"""Seconds before its expiry at which a kept token is overdue whose successor nobody can request."""

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The state at one moment, taken on the event loop and read in a thread.

    The objects are immutable. `secret_names` gives the name of a source Secret by its UID; `now` is
    the operator's clock in POSIX seconds.
    """

    now: float
    ready: bool
    """Whether /readyz answers ok."""
    leads: bool
    """Whether this process works; a standby shows no objects, or every sum would be double, and no
    queue, from which it takes nothing."""

    indexes: list[IndexObject]
    options: list[OptionsObject]
    outputs: list[OutputObject]
    logins: list[HeldToken]
    secret_names: Mapping[str, str]
    queue_depth: int
    queue_age: float
    by_object: bool
    """Whether each output and login has series of its own."""


def live_metrics(snapshot: Snapshot) -> Iterator[GaugeMetricFamily]:
    """The gauges of the catalogue, of one moment."""
    if snapshot.leads:
        if snapshot.by_object:
            yield from _times(snapshot)
        yield from _objects(snapshot)
        yield _family(catalogue.QUEUE_DEPTH, {(): snapshot.queue_depth})
        yield _family(catalogue.QUEUE_AGE, {(): snapshot.queue_age})
    yield _family(catalogue.READY, {(): snapshot.ready})
    yield _family(catalogue.LEADER, {(): snapshot.leads})
    yield _family(catalogue.CLOCK, {(): snapshot.now})


def _times(snapshot: Snapshot) -> Iterator[GaugeMetricFamily]:
    expiries: dict[Labels, float] = {}
    refreshes: dict[Labels, float] = {}
    repeated: set[int | None] = set()
    for login in snapshot.logins:
        provider, _ = provider_and_answer(login.request.provider)
        who = _identity(login.request.identity, snapshot.secret_names)
        labels = (provider, *who, login.request.target)
        _keep_earliest(expiries, labels, login.expires_at)
        _keep_earliest(refreshes, labels, login.planned_at)
        if _is_repeated(login):
            repeated.add(login.expires_at)
    yield from _output_times(snapshot, repeated)
    yield _family(catalogue.LOGIN_EXPIRY, expiries)
    yield _family(catalogue.LOGIN_REFRESH, refreshes)


def _output_times(
    snapshot: Snapshot, repeated: Container[int | None]
) -> Iterator[GaugeMetricFamily]:
    """`repeated` are the expiries of tokens that their source hands out again until shortly before.

    Their successors are due then.
    """
    alive = {options.ref for options in snapshot.options}
    expiries: dict[Labels, float] = {}
    refreshes: dict[Labels, float] = {}
    for output in snapshot.outputs:
        owner = _owner_of(output)
        expiry = _seconds(output.annotations.get(constants.EXPIRES_AT_ANNOTATION))
        # An output that outlived its owner (Retain) belongs to nobody and is not refreshed.
        if expiry is None or owner not in alive:
            continue
        # Those of a ClusterIndexOptions share a series, or there would be one for each namespace.
        labels = owner.namespace, owner.name, output.ref.kind, output.ref.name
        _keep_earliest(expiries, labels, expiry)
        refresh = _seconds(output.annotations.get(constants.REFRESH_AT_ANNOTATION))
        if refresh is None:
            refresh = expiry - _KEPT_WITHOUT_PLAN
        due = expiry - CACHED_TOKEN_LEAD if expiry in repeated else refresh
        _keep_earliest(refreshes, labels, due)
    yield _family(catalogue.OUTPUT_EXPIRY, expiries)
    yield _family(catalogue.OUTPUT_REFRESH, refreshes)


def _owner_of(output: OutputObject) -> ObjectRef | None:
    mark = owner_name(output)
    if mark is None:
        return None
    namespace = "" if is_of_cluster(mark) else output.ref.namespace
    return ObjectRef(namespace, mark.rpartition("/")[2])


def _is_repeated(login: HeldToken) -> bool:
    """Whether its source hands out the same token again until shortly before the expiry."""
    expiry = login.expires_at
    return expiry is not None and login.planned_at == expiry - CACHED_TOKEN_LEAD


def _identity(identity: Identity, secret_names: Mapping[str, str]) -> tuple[str, str]:
    """The labels `namespace` and `identity`. Logins with equal labels share one series."""
    match identity:
        case OperatorIdentity():
            return "", "operator"
        case SecretIdentity():
            return identity.namespace, f"secret/{secret_names.get(identity.secret_uid, '')}"
    return identity.namespace, f"serviceaccount/{identity.name}"


def _objects(snapshot: Snapshot) -> Iterator[GaugeMetricFamily]:
    readiness: Counter[Labels] = Counter()
    others: Counter[Labels] = Counter()
    problems: dict[Labels, float] = {}
    objects_by_kind: tuple[
        tuple[Callable[[ObjectRef], str], Sequence[IndexObject | OptionsObject]], ...
    ] = ((kind_of, snapshot.indexes), (options_kind, snapshot.options))
    for kind_by_ref, objects in objects_by_kind:
        for each in objects:
            kind, (namespace, name) = kind_by_ref(each.ref), each.ref
            conditions = reported_conditions(each.status)
            status, reason = conditions.pop(READY, _NO_STATUS)
            readiness[(kind, namespace, status, reason)] += 1
            if status == "False" and reason != Reason.SUSPENDED:
                problems[kind, namespace, name, READY, reason] = 1
            for condition, (status, reason) in conditions.items():
                if status == "True":
                    others[(kind, namespace, condition, reason)] += 1
                    if condition not in _PROGRESS:
                        problems[kind, namespace, name, condition, reason] = 1
    yield _family(catalogue.NAMESPACES, dict(_namespaces(snapshot.options)))
    yield _family(catalogue.OBJECTS, readiness)
    yield _family(catalogue.CONDITIONS, others)
    if snapshot.by_object:
        yield _family(catalogue.PROBLEMS, problems)


def _namespaces(options: Sequence[OptionsObject]) -> Iterator[tuple[Labels, float]]:
    """What the statuses of the ClusterIndexOptions count."""
    for each in options:
        if not each.cluster:
            continue
        counts = decoded_status(each.status).get("namespaces")
        for state, count in counts.items() if isinstance(counts, dict) else ():
            if state in NamespaceCounts.model_fields and isinstance(count, int):
                yield (each.ref.name, state), count


def _family(what: Definition, values: Mapping[Labels, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(what.name, what.summary, labels=what.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


def _keep_earliest(times: dict[Labels, float], labels: Labels, time: float | None) -> None:
    if time is not None and time < times.get(labels, float("inf")):
        times[labels] = time


def _seconds(text: str | None) -> int | None:
    """The time in an annotation; None if somebody has removed it, or made it something else."""
    try:
        return parse_time(text or "")
    except (ValueError, OverflowError):
        return None
