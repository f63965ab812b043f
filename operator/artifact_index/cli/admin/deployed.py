"""What `artifact-index preflight` finds of operators that are installed."""

import argparse
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import combinations
from typing import Final

from artifact_index import __version__
from artifact_index.cli.admin.finding import finding
from artifact_index.cli.admin.own_process import own_settings
from artifact_index.cli.admin.permissions import (
    CLUSTER_KINDS,
    OWN_KEY,
    SERVED,
    Permission,
    account_rules,
    lease_rules,
    permissions,
)
from artifact_index.cli.admin.reviews import review
from artifact_index.cli.cluster.caller_api import CallerApi
from artifact_index.cli.cluster.connection import list_objects
from artifact_index.cli.cluster.leases import lease_of
from artifact_index.cli.cluster.objects import account_of
from artifact_index.cli.cluster.operators import LABELS, Operator, operators
from artifact_index.cli.console import CommandError
from artifact_index.cli.reports import PreflightFinding
from artifact_index.kube.errors import ApiError
from artifact_index.kube.resources import ARTIFACT_INDEXES, CLUSTER_ARTIFACT_INDEXES, Resource

_MONITORS: Final = tuple(
    Resource("monitoring.coreos.com", "v1", f"{kind.lower()}s", kind)
    for kind in ("PodMonitor", "ServiceMonitor")
)
_SHOWN: Final = 5
"""Missing permissions that a message names."""


async def look_at_operators(
    api: CallerApi, chosen: argparse.Namespace, served: tuple[str, ...]
) -> AsyncIterator[PreflightFinding]:
    """The Deployments, and what their accounts may do; with `--in-cluster` what the caller may."""
    if chosen.in_cluster:
        this = own_settings()
        namespaces, own = this.scope
        needed = _needed(served or namespaces, own, cluster_kinds=this.cluster_kinds)
        yield await _permissions(api, needed, None, "the operator")
        return
    try:
        found = await operators(api, chosen.namespace)
    except ApiError as error:
        where = f"-n {chosen.namespace}" if chosen.namespace else "-A"
        message = f"the operator's Deployment cannot be read: {error}"
        step = f"give its namespace with -n, or test with `kubectl get deployments {where}`"
        yield finding("operator", "Unknown", message, step)
        return
    if not found:
        where = f"namespace {chosen.namespace}" if chosen.namespace else "any namespace"
        message = f"there is no Deployment with the label {LABELS} in {where}"
        yield finding("operator", "Bad", message, "`helm install`; see `helm list -A`")
    for operator in found:
        for each in _deployment(operator):
            yield each
        namespaces = served or operator.namespaces
        own = operator.own_namespace
        needed = _needed(namespaces, own, cluster_kinds=operator.serves_cluster_kinds)
        if operator.elects:
            needed += permissions(lease_rules(operator.lease), own)
            yield await _election(api, operator)
        accounts, unread = await _logins_as_accounts(api, namespaces, operator)
        needed += accounts
        if unread is not None:
            yield unread
        yield await _permissions(api, needed, operator.account, operator.where)
        yield await _scrapes(api, operator)
    for one, other in combinations(found, 2):
        if one.shares_with(other):
            message = (
                f"the operators {one.where} and {other.where} serve the same namespaces, and the "
                "one that came second writes nothing there"
            )
            step = f"remove one: `helm list -n {other.namespace}`, then `helm uninstall`"
            yield finding("other", "Bad", message, step)


def _deployment(operator: Operator) -> Iterator[PreflightFinding]:
    place = f"-n {operator.namespace} deploy/{operator.name}"
    if operator.failure is not None:
        message = f"deployment {operator.where} can make no pod: {operator.failure}"
        step = f"`kubectl describe -n {operator.namespace} deployment {operator.name}`"
        yield finding("operator", "Bad", message, step)
    elif not operator.ready:
        step = f"`kubectl logs {place}`"
        yield finding("operator", "Bad", f"deployment {operator.where} is not ready", step)
    else:
        scope = ", ".join(operator.namespaces) or "the whole cluster"
        message = f"deployment {operator.where} is ready and serves {scope}"
        yield finding("operator", "Good", message)
    if operator.version != __version__:
        message = (
            f"deployment {operator.where} is version {operator.version or 'unknown'}, this program "
            f"is {__version__}"
        )
        step = f"`kubectl exec {place} -- artifact-index version --client` tells what runs"
        yield finding("skew", "Warning", message, step)


async def _election(api: CallerApi, operator: Operator) -> PreflightFinding:
    """Whether a replica leads, and another stands by."""
    own, name = operator.own_namespace, operator.lease
    try:
        leader = (await lease_of(api, operator)).leader(time.time())
    except ApiError as error:
        message = f"which replica of {operator.where} leads is unknown: {error}"
        step = f"test with `kubectl auth can-i get leases/{name} -n {own}`"
        return finding("election", "Unknown", message, step)
    if not leader:
        message = f"no replica of {operator.where} leads: Lease {own}/{name} is free or has run out"
        step = f"`kubectl logs -n {operator.namespace} -l {LABELS}`"
        return finding("election", "Bad", message, step)
    standbys = max(0, operator.ready_replicas - 1)
    if standbys < operator.replicas - 1:
        message = (
            f"{leader} leads, and of the other replicas {standbys} of {operator.replicas - 1} "
            "are ready to take over"
        )
        step = f"`kubectl get pods -n {operator.namespace} -l {LABELS} -o wide`"
        return finding("election", "Warning", message, step)
    return finding("election", "Good", f"{leader} leads, and {standbys} on standby")


async def _scrapes(api: CallerApi, operator: Operator) -> PreflightFinding:
    """Whether something tells Prometheus to read the metrics; without them no alert fires."""
    if operator.asks_for_scrapes:
        message = f"the pods of {operator.where} are annotated for scraping"
        return finding("metrics", "Good", message)
    for resource in _MONITORS:
        try:
            async for page in api.list(resource, namespace=None, label_selector=LABELS):
                if any(each["metadata"]["name"] == operator.name for each in page.items):
                    message = f"a {resource.kind} has the metrics of {operator.where} scraped"
                    return finding("metrics", "Good", message)
        except ApiError as error:
            if error.not_found:
                continue
            message = f"whether the metrics of {operator.where} are scraped is unknown: {error}"
            step = f"test with `kubectl auth can-i list {resource.plural}.{resource.group} -A`"
            return finding("metrics", "Unknown", message, step)
    message = f"the metrics of {operator.where} are not scraped, so no alert can fire"
    step = "`helm upgrade --reuse-values --set podMonitor.enabled=true`, or podAnnotations"
    return finding("metrics", "Warning", message, step)


def _needed(namespaces: Sequence[str], own: str | None, *, cluster_kinds: bool) -> list[Permission]:
    """What an operator with this scope needs; nothing served means the whole cluster."""
    needed = [each for name in namespaces or ("",) for each in permissions(SERVED, name)]
    if namespaces and own is not None and own not in namespaces:
        needed += permissions(OWN_KEY, own)
    if cluster_kinds:
        needed += permissions(CLUSTER_KINDS, "")
    return needed


async def _logins_as_accounts(
    api: CallerApi, namespaces: Sequence[str], operator: Operator
) -> tuple[list[Permission], PreflightFinding | None]:
    """What the indexes that log in as ServiceAccounts need; a finding if they cannot be read."""
    accounts: dict[str, set[str]] = {}
    try:
        for namespace in namespaces or (None,):
            for index in await list_objects(api, ARTIFACT_INDEXES, namespace):
                if (name := account_of(index)) is not None:
                    accounts.setdefault(index.namespace, set()).add(name)
        if operator.serves_cluster_kinds:
            for index in await list_objects(api, CLUSTER_ARTIFACT_INDEXES, None):
                if (name := account_of(index)) is not None:
                    accounts.setdefault(operator.cluster_resource_namespace, set()).add(name)
    except CommandError as error:
        message = f"which ServiceAccounts the indexes need cannot be found out: {error}"
        where = f"-n {namespace}" if namespace else "-A"
        return [], finding("accounts", "Unknown", message, f"`kubectl get artifactindexes {where}`")
    needed = [
        each
        for namespace, names in sorted(accounts.items())
        for each in permissions(account_rules(names), namespace)
    ]
    return needed, None


async def _permissions(
    api: CallerApi, needed: list[Permission], account: str | None, who: str
) -> PreflightFinding:
    answer = await review(api, needed, account)
    count = len(needed)
    if answer.error is not None:
        message = f"what {who} may do cannot be found out: {answer.error}"
        step = (
            "ask with its own login: `kubectl exec ... -- artifact-index preflight --in-cluster`, "
            "or test with `kubectl auth can-i create subjectaccessreviews.authorization.k8s.io`"
        )
        return finding("permissions", "Unknown", message, step)
    if not answer.missing:
        message = f"the ServiceAccount of {who} may do {count} of {count} things"
        return finding("permissions", "Good", message)
    shown = ", ".join(each.text for each in answer.missing[:_SHOWN])
    more = f" and {len(answer.missing) - _SHOWN} more" if len(answer.missing) > _SHOWN else ""
    message = f"{who} may not do {len(answer.missing)} of {count} things: {shown}{more}"
    values = {
        "serviceAccountTokens" if "serviceaccounts" in each.resource else "rbac.create"
        for each in answer.missing
    }
    behalf = f" --as system:serviceaccount:{account.replace('/', ':')}" if account else ""
    step = (
        f"the chart's {' and '.join(sorted(values))} grants it with `helm upgrade`; test with "
        f"`kubectl auth can-i {answer.missing[0].test}{behalf}`"
    )
    return finding("permissions", "Bad", message, step)
