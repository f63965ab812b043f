"""The objects that a command is to change: named ones, or all of a kind."""

import argparse
import asyncio
from dataclasses import dataclass
from typing import Final

from artifact_index.cli.cluster.connection import get_object, list_objects, namespace_of
from artifact_index.cli.cluster.objects import Observed, kind_of, named
from artifact_index.cli.console import CommandError, Exit
from artifact_index.kube.port import KubePort
from artifact_index.kube.resources import ARTIFACT_INDEXES, OUR_KINDS, Resource

RESOURCES: Final = {each.kind: each for each in OUR_KINDS}
"""Our kinds by name."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Either names, or a `resource` of which all objects with the labels are meant.

    `namespace` is None for all of them, which names exclude.
    """

    namespace: str | None
    names: tuple[tuple[Resource, str], ...]
    resource: Resource
    selector: str | None

    async def read(self, api: KubePort) -> list[Observed]:
        """The objects as they are now, at least one. Raises CommandError."""
        if self.names:
            namespace = self.namespace or ""
            reads = [get_object(api, resource, namespace, name) for resource, name in self.names]
            return await asyncio.gather(*reads)
        found = await list_objects(api, self.resource, self.namespace, self.selector)
        if not found:
            where = f"in namespace {self.namespace}" if self.namespace else "in any namespace"
            where = where if self.resource.namespaced else "in the cluster"
            labels = f" with labels {self.selector}" if self.selector else ""
            raise CommandError(
                f"there is no {self.resource.kind}{labels} {where}: `artifact-index status -A` "
                "shows what there is",
                Exit.NOT_GOOD,
            )
        return found


def choice_of(chosen: argparse.Namespace) -> Choice:
    """What the flags choose. Raises CommandError."""
    if chosen.all or chosen.selector:
        return Choice(namespace_of(chosen), (), _only_kind(chosen.objects), chosen.selector)
    if not chosen.objects:
        raise CommandError("give names, or choose objects with -l or --all", Exit.USAGE)
    if chosen.all_namespaces:
        raise CommandError(
            "-A goes with -l or --all; for names give one namespace with -n", Exit.USAGE
        )
    try:
        names = dict.fromkeys(named(text) for text in chosen.objects)
    except ValueError as error:
        raise CommandError(str(error), Exit.USAGE) from None
    of_kinds = tuple((RESOURCES[kind], name) for kind, name in names)
    return Choice(namespace_of(chosen), of_kinds, ARTIFACT_INDEXES, None)


def _only_kind(objects: list[str]) -> Resource:
    kinds = [kind_of(text) for text in objects or [ARTIFACT_INDEXES.plural]]
    if len(kinds) != 1 or kinds[0] is None:
        raise CommandError(
            "with -l or --all give one kind, such as artifactindexes or indexoptions, and no names",
            Exit.USAGE,
        )
    return RESOURCES[kinds[0]]
