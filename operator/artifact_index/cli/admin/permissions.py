"""What the chart lets the operator do, request by request."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from artifact_index.api.constants import (
    ARTIFACT_INDEX_PLURAL,
    CLUSTER_ARTIFACT_INDEX_PLURAL,
    CLUSTER_INDEX_OPTIONS_PLURAL,
    GROUP,
    INDEX_OPTIONS_PLURAL,
)
from artifact_index.election.client import LEASES
from artifact_index.signing_key import SECRET_NAME


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a role, as RBAC has it: every verb on every resource."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()


SERVED: Final = (
    Rule(GROUP, (ARTIFACT_INDEX_PLURAL, INDEX_OPTIONS_PLURAL), ("list", "watch")),
    Rule(GROUP, (INDEX_OPTIONS_PLURAL,), ("get",)),
    Rule(GROUP, (f"{ARTIFACT_INDEX_PLURAL}/status", f"{INDEX_OPTIONS_PLURAL}/status"), ("patch",)),
    Rule("", ("secrets", "configmaps"), ("get", "list", "watch", "create", "patch", "delete")),
    Rule("", ("events",), ("create",)),
)
"""In each served namespace, or in the whole cluster."""

CLUSTER_KINDS: Final = (
    Rule(GROUP, (CLUSTER_ARTIFACT_INDEX_PLURAL, CLUSTER_INDEX_OPTIONS_PLURAL), ("list", "watch")),
    Rule(GROUP, (CLUSTER_INDEX_OPTIONS_PLURAL,), ("get",)),
    Rule(
        GROUP,
        (f"{CLUSTER_ARTIFACT_INDEX_PLURAL}/status", f"{CLUSTER_INDEX_OPTIONS_PLURAL}/status"),
        ("patch",),
    ),
    Rule("", ("namespaces",), ("list", "watch")),
)
"""In the whole cluster, if the kinds of cluster scope are served."""

OWN_KEY: Final = (
    Rule("", ("secrets",), ("get",), (SECRET_NAME,)),
    Rule("", ("secrets",), ("create",)),
)
"""In the operator's own namespace, if it does not serve that."""


def lease_rules(lease: str) -> tuple[Rule, ...]:
    """To elect a leader, in the operator's own namespace."""
    return (
        Rule(LEASES.group, (LEASES.plural,), ("watch", "update"), (lease,)),
        Rule(LEASES.group, (LEASES.plural,), ("get", "create")),
    )


def account_rules(names: Iterable[str]) -> tuple[Rule, ...]:
    """To log in as these ServiceAccounts of a namespace."""
    accounts = tuple(sorted(names))
    return (
        Rule("", ("serviceaccounts",), ("get",), accounts),
        Rule("", ("serviceaccounts/token",), ("create",), accounts),
    )


INSTALLING: Final = (
    Rule("apiextensions.k8s.io", ("customresourcedefinitions",), ("create", "patch")),
    Rule("rbac.authorization.k8s.io", ("clusterroles", "clusterrolebindings"), ("create",)),
)
"""Of whoever installs the chart, in the cluster."""

RELEASE: Final = (
    Rule("", ("serviceaccounts", "secrets"), ("create",)),
    Rule("apps", ("deployments",), ("create",)),
    Rule("policy", ("poddisruptionbudgets",), ("create",)),
)
"""Of whoever installs the chart, in the release's namespace."""

ROLES: Final = (Rule("rbac.authorization.k8s.io", ("roles", "rolebindings"), ("create",)),)
"""Of whoever installs the chart, in the release's namespace and each of `watchNamespaces`."""


@dataclass(frozen=True, slots=True)
class Permission:
    """One request that a rule allows; `namespace` is empty for the whole cluster."""

    namespace: str
    verb: str
    group: str
    resource: str
    name: str = ""

    @property
    def attributes(self) -> Mapping[str, str]:
        """The `resourceAttributes` of an access review."""
        resource, _, subresource = self.resource.partition("/")
        given = {
            "namespace": self.namespace, "verb": self.verb, "group": self.group,
            "resource": resource, "subresource": subresource, "name": self.name,
        }  # fmt: skip
        return {key: value for key, value in given.items() if value}

    @property
    def text(self) -> str:
        """Such as `patch indexoptions.artifactindex.dev/status in builders`."""
        resource, slash, subresource = self.resource.partition("/")
        group = f".{self.group}" if self.group else ""
        name = f" {self.name}" if self.name else ""
        where = f"in {self.namespace}" if self.namespace else "in the cluster"
        return f"{self.verb} {resource}{group}{slash}{subresource}{name} {where}"

    @property
    def test(self) -> str:
        """The arguments of `kubectl auth can-i` for it."""
        resource, _, subresource = self.resource.partition("/")
        parts = [self.verb, f"{resource}.{self.group}" if self.group else resource]
        parts[1] += f"/{self.name}" if self.name else ""
        parts += [f"--subresource={subresource}"] if subresource else []
        return " ".join([*parts, f"-n {self.namespace}" if self.namespace else "-A"])


def permissions(rules: Iterable[Rule], namespace: str) -> Iterator[Permission]:
    """Every request that the rules allow in a namespace; in the cluster if it is empty."""
    for rule in rules:
        for resource in rule.resources:
            for verb in rule.verbs:
                for name in rule.names or ("",):
                    yield Permission(namespace, verb, rule.group, resource, name)
