"""Roles taken apart into single permissions, and put together again without one of them."""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from support.control_plane.audit import AuditEvent


@dataclass(frozen=True, order=True)
class Permission:
    """One verb on one resource, written `patch indexoptions.artifactindex.dev/status`."""

    verb: str
    resource: str
    """The plural with its group, as the audit log has it."""
    subresource: str = ""

    @classmethod
    def parse(cls, text: str) -> "Permission":
        """The permission that is written so."""
        verb, _, target = text.partition(" ")
        resource, _, subresource = target.partition("/")
        return cls(verb, resource, subresource)

    @classmethod
    def used_by(cls, event: AuditEvent) -> "Permission":
        """What a request needed."""
        return cls(event.verb, event.resource, event.subresource)

    @property
    def denial(self) -> str:
        """The words with which the API server refuses it."""
        plural, _, group = self.resource.partition(".")
        target = f"{plural}/{self.subresource}" if self.subresource else plural
        return f'cannot {self.verb} resource "{target}" in API group "{group}"'

    def __str__(self) -> str:
        target = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{self.verb} {target}"


def permissions_of(rules: Iterable[Mapping[str, Any]]) -> set[Permission]:
    """Every permission that rules of a role give; what is limited to names counts as well."""
    return {permission for permission, _ in _singles(rules)}


def without(role: Mapping[str, Any], taken: Permission) -> dict[str, Any]:
    """A Role or ClusterRole with one permission less, limits to names kept."""
    left = copy.deepcopy(dict(role))
    left["rules"] = [rule for item, rule in _singles(role["rules"]) if item != taken]
    return left


def _singles(
    rules: Iterable[Mapping[str, Any]],
) -> list[tuple[Permission, dict[str, Any]]]:
    found: list[tuple[Permission, dict[str, Any]]] = []
    for rule in rules:
        for group in rule["apiGroups"]:
            for target in rule["resources"]:
                for verb in rule["verbs"]:
                    plural, _, subresource = target.partition("/")
                    resource = f"{plural}.{group}" if group else plural
                    single = {**rule, "apiGroups": [group], "resources": [target], "verbs": [verb]}
                    found.append((Permission(verb, resource, subresource), single))
    return found
