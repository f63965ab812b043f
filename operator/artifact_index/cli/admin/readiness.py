"""The findings of `artifact-index preflight`, each with a command as the next step."""

import argparse
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import yaml

from artifact_index import __version__
from artifact_index.cli.admin.deployed import look_at_operators
from artifact_index.cli.admin.finding import finding
from artifact_index.cli.admin.own_process import own_settings
from artifact_index.cli.admin.permissions import INSTALLING, RELEASE, ROLES, permissions
from artifact_index.cli.admin.reviews import Allowed, review
from artifact_index.cli.cluster.caller_api import CallerApi, Server
from artifact_index.cli.cluster.operators import HOME, Operator, operators
from artifact_index.cli.console import CommandError, Exit
from artifact_index.cli.reports import PreflightFinding, PreflightReport, Verdict
from artifact_index.crdgen.crd import crd_documents
from artifact_index.kube.errors import ApiError
from artifact_index.kube.resources import Resource

_OLDEST: Final = (1, 29)
"""The first version whose CRDs have all that ours use (CEL rules without a feature gate)."""

_MOST_SKEW: Final = 30.0
"""Seconds: a login fails at five minutes in AWS, and the tokens' dates shift with the clock."""

_NAMESPACES: Final = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
_DEFINITIONS: Final = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
)
_MONITORING: Final = {
    "podMonitor": "podmonitors",
    "serviceMonitor": "servicemonitors",
    "prometheusRule": "prometheusrules",
}
"""Values of the chart, and the kinds that they need."""

_INSTALL: Final = "`artifact-index crds | kubectl apply --server-side -f -`"
_ENFORCED: Final = "pod-security.kubernetes.io/enforce"


async def look(api: CallerApi, chosen: argparse.Namespace) -> PreflightReport:
    """Look at everything that the flags ask for. Raises CommandError without an API server."""
    try:
        server = await api.server()
    except ApiError as error:
        step = "test with `kubectl version`, or choose another --context"
        raise CommandError(f"{error}; {step}", Exit.UNKNOWN) from None
    values = _values(chosen.values)
    names = (chosen.namespaces or ",".join(values.get("watchNamespaces") or ())).split(",")
    served = tuple(dict.fromkeys(name.strip() for name in names if name.strip()))
    found = [_version(server), _clock(server)]
    chart_defines = _is_enabled(values.get("crds"), by_default=True)
    cluster_kinds = await _serves_cluster_kinds(api, chosen, served, values)
    definitions = _definitions(api, cluster_kinds=cluster_kinds, pre=chosen.pre and chart_defines)
    found += [each async for each in definitions]
    if chosen.pre:
        home = chosen.namespace or HOME
        found += [each async for each in _before(api, home, served)]
        found += [each async for each in _monitoring(api, values)]
    else:
        found += [each async for each in look_at_operators(api, chosen, served)]
    if chosen.probe:
        from artifact_index.cli.probe.clouds import probe_findings, urls_of  # noqa: PLC0415 - slow

        urls = urls_of(chosen.clouds or "")
        found += await probe_findings(api, served, urls)
    return PreflightReport(findings=found)


def _values(path: str | None) -> dict[str, Any]:
    """The chart's values of a file. Raises CommandError for what Helm would not read either."""
    if path is None:
        return {}
    try:
        values = yaml.safe_load(Path(path).read_text()) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CommandError(f"--values {path} cannot be read: {error}", Exit.USAGE) from None
    names = values.get("watchNamespaces") or [] if isinstance(values, dict) else None
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        message = f"--values {path} has no values of the chart, with watchNamespaces as a list"
        raise CommandError(f"{message}: see `helm show values`", Exit.USAGE)
    return dict(values)


def _is_enabled(value: object, *, by_default: bool = False) -> bool:
    """What a value of the chart says of itself; a file of values holds what differs alone."""
    return bool(value.get("enabled", by_default)) if isinstance(value, dict) else by_default


async def _monitoring(api: CallerApi, values: dict[str, Any]) -> AsyncIterator[PreflightFinding]:
    """The Prometheus Operator's kinds, which the chart makes objects of if the values say so."""
    for value, plural in _MONITORING.items():
        if not _is_enabled(values.get(value)):
            continue
        name = f"{plural}.monitoring.coreos.com"
        try:
            await api.get(_DEFINITIONS, "", name)
        except ApiError as error:
            if error.not_found:
                message = f"the values enable {value}, but {name} is not defined"
                step = f"install the Prometheus Operator, or set {value}.enabled=false"
                yield finding("monitoring", "Bad", message, step)
            else:
                message = f"the definition of {name} cannot be read: {error}"
                step = f"test with `kubectl get crd {name}`"
                yield finding("monitoring", "Unknown", message, step)
        else:
            yield finding("monitoring", "Good", f"{name} is defined, which {value} needs")


def _version(server: Server) -> PreflightFinding:
    oldest = ".".join(map(str, _OLDEST))
    number = re.match(r"v?(\d+)\.(\d+)", server.version)
    if number is None:
        message = (
            f"the API server does not say which Kubernetes it is ({oldest} or newer is needed)"
        )
        return finding("version", "Unknown", message, "`kubectl version`")
    if (int(number[1]), int(number[2])) < _OLDEST:
        message = f"Kubernetes {server.version} is too old: {oldest} or newer is needed"
        return finding("version", "Bad", message, "update the cluster, then `kubectl version`")
    return finding("version", "Good", f"Kubernetes {server.version} ({oldest} or newer)")


def _clock(server: Server) -> PreflightFinding:
    if server.ahead is None:
        message = "the API server does not say what time it is"
        return finding("clock", "Unknown", message, "compare with `date -u` on a node")
    text = f"the clock of this machine differs from the API server's by {abs(server.ahead):.0f} s"
    if abs(server.ahead) <= _MOST_SKEW:
        return finding("clock", "Good", text)
    step = "compare `date -u` here and on the nodes, and correct what is wrong (`timedatectl`)"
    return finding("clock", "Warning", text, step)


async def _serves_cluster_kinds(
    api: CallerApi, chosen: argparse.Namespace, served: tuple[str, ...], values: dict[str, Any]
) -> bool:
    """Whether an operator that runs, or is to be installed, serves the kinds of cluster scope."""
    if chosen.pre:
        return not served and (values.get("clusterKinds") or {}).get("enabled") is not False
    if chosen.in_cluster:
        return own_settings().cluster_kinds
    try:
        return any(each.serves_cluster_kinds for each in await operators(api, chosen.namespace))
    except ApiError:
        return False  # `look_at_operators` says so


async def _definitions(
    api: CallerApi, *, cluster_kinds: bool, pre: bool
) -> AsyncIterator[PreflightFinding]:
    for name, ours in crd_documents().items():
        if ours.get("kind") != _DEFINITIONS.kind:
            continue
        plural = f"{ours['spec']['names']['plural']}.{ours['spec']['group']}"
        try:
            there = await api.get(_DEFINITIONS, "", plural)
        except ApiError as error:
            if error.not_found and pre:
                yield finding("definitions", "Good", f"{plural} is not defined yet: the chart does")
            elif error.not_found:
                # An operator that serves them does not start without the kinds of cluster scope.
                needed = cluster_kinds or ours["spec"]["scope"] == "Namespaced"
                verdict: Verdict = "Bad" if needed else "Warning"
                yield finding("definitions", verdict, f"there is no definition {plural}", _INSTALL)
            else:
                step = f"test with `kubectl get crd {plural}`"
                message = f"the definition {name} cannot be read: {error}"
                yield finding("definitions", "Unknown", message, step)
            continue
        if _schemas(there["spec"]) == _schemas(ours["spec"]):
            yield finding("definitions", "Good", f"{plural} is defined as of {__version__}")
        else:
            message = f"{plural} is defined otherwise than by {__version__}, which this program is"
            yield finding("definitions", "Warning", message, _INSTALL)


def _schemas(spec: object) -> object:
    versions = spec.get("versions") or () if isinstance(spec, dict) else ()
    return {each["name"]: each.get("schema") for each in versions if each.get("served")}


async def _before(
    api: CallerApi, home: str, served: tuple[str, ...]
) -> AsyncIterator[PreflightFinding]:
    yield await _other_operators(api, home, served)
    yield await _home(api, home)
    needed = [*permissions(RELEASE, home), *permissions(ROLES, home)]
    for namespace in served:
        yield await _namespace(api, namespace)
        needed += permissions(ROLES, namespace) if namespace != home else ()
    needed += permissions(INSTALLING[:1] if served else INSTALLING, "")
    answer = await review(api, needed, None)
    yield _install_rights(answer, len(needed))


def _install_rights(answer: Allowed, count: int) -> PreflightFinding:
    if answer.error is not None:
        message = f"your permissions cannot be found out: {answer.error}"
        return finding("install", "Unknown", message, "test with `kubectl auth can-i --list`")
    if not answer.missing:
        return finding("install", "Good", f"you may do {count} of {count} things of an install")
    missing = ", ".join(each.text for each in answer.missing[:5])
    message = f"you may not do {len(answer.missing)} of {count} things of an install: {missing}"
    test = f"`kubectl auth can-i {answer.missing[0].test}`"
    return finding("install", "Bad", message, f"ask an administrator, and test with {test}")


async def _other_operators(api: CallerApi, home: str, served: tuple[str, ...]) -> PreflightFinding:
    try:
        found = await operators(api, None)
    except ApiError as error:
        message = f"whether another operator runs cannot be found out: {error}"
        return finding("other", "Unknown", message, "`helm list -A`, as an administrator")
    planned = Operator(
        namespace=home, name="", version=None, ready=False, account="", namespaces=served,
        own_namespace=home, failure=None,
    )  # fmt: skip
    rivals = [each for each in found if each.shares_with(planned)]
    if not rivals:
        return finding("other", "Good", "no other operator serves these namespaces")
    names = ", ".join(each.where for each in rivals)
    message = f"the operator {names} serves these namespaces already"
    step = f"upgrade it (`helm list -n {rivals[0].namespace}`), or give other --namespaces"
    return finding("other", "Bad", message, step)


async def _namespace(api: CallerApi, name: str) -> PreflightFinding:
    try:
        await api.get(_NAMESPACES, "", name)
    except ApiError as error:
        if error.not_found:
            message = f"namespace {name} does not exist: the chart puts a Role there"
            return finding("namespaces", "Bad", message, f"`kubectl create namespace {name}`")
        message = f"namespace {name} cannot be read: {error}"
        return finding(
            "namespaces", "Unknown", message, f"test with `kubectl get namespace {name}`"
        )
    return finding("namespaces", "Good", f"namespace {name} exists")


async def _home(api: CallerApi, name: str) -> PreflightFinding:
    """Pod Security: what the chart makes fulfils `restricted`, the strictest level."""
    try:
        body = await api.get(_NAMESPACES, "", name)
    except ApiError as error:
        if error.not_found:
            message = f"namespace {name} does not exist yet: `helm install --create-namespace` does"
            return finding("podSecurity", "Good", message)
        message = f"namespace {name} cannot be read: {error}"
        step = f"test with `kubectl get namespace {name}`"
        return finding("podSecurity", "Unknown", message, step)
    level = (body["metadata"].get("labels") or {}).get(_ENFORCED)
    if level is not None:
        message = f"namespace {name} enforces Pod Security {level}, which the operator's pod meets"
        return finding("podSecurity", "Good", message)
    message = (
        f"namespace {name} enforces no Pod Security level; the operator's pod meets restricted"
    )
    step = f"`kubectl label namespace {name} {_ENFORCED}=restricted`"
    return finding("podSecurity", "Warning", message, step)
