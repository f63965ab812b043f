"""One definition for many namespaces: a ClusterIndexOptions over ClusterArtifactIndex objects."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from artifact_index.kube.resources import (
    CLUSTER_ARTIFACT_INDEXES,
    CLUSTER_INDEX_OPTIONS,
    NAMESPACES,
    SECRETS,
)
from bench.phase import COLD_START, KEY_ROTATED, Phase
from bench.scene import Object, Scene
from support.clouds import AwsStandIn
from support.operator_process import OPERATOR_NAMESPACE
from support.world import code_artifact

_LABEL = {"builds": "python"}
_CONSENT = {"selector": {"matchLabels": _LABEL}}

SHARE = 0.4
"""The most that one definition may cost of what as many IndexOptions, the scene `files`, cost."""


@dataclass(frozen=True)
class FanOut(Scene):
    """`indexes` ClusterArtifactIndex of one login in one ClusterIndexOptions for `namespaces`.

    `added` are the namespaces that are created while a rotation is under way.
    """

    flags: tuple[str, ...] = ("--cluster-kinds=true",)
    added: int = 50

    @property
    def outputs(self) -> int:
        """One in each namespace."""
        return self.namespaces

    @property
    def statuses(self) -> tuple[tuple[str, int], ...]:
        """The writes that tell an expiry of every object."""
        return (
            ("patch clusterindexoptions/status", 1),
            ("patch clusterartifactindexes/status", self.indexes),
        )

    @property
    def mints(self) -> int:
        """All indexes share a login, however many namespaces there are."""
        return 1

    @property
    def endpoints(self) -> int:
        """Each index is a repository of its own."""
        return self.indexes

    def secrets(self) -> Iterator[tuple[str, str]]:
        """The one source Secret."""
        yield OPERATOR_NAMESPACE, "login-00000"

    def output_of_secret(self, namespace: str, secret: str) -> tuple[str, str]:
        """The first output."""
        return _name(0), "uv"

    def namespace_objects(self) -> list[dict[str, Any]]:
        """None: a thousand are not for kubectl."""
        return []

    def objects(self, aws: AwsStandIn) -> list[Object]:
        """The namespaces, the source Secret with a fresh login, and the custom resources."""
        options = {"metadata": {"name": "uv"}, "spec": {"namespaceSelector": _CONSENT["selector"]}}
        return [
            *(self.namespace(number) for number in range(self.namespaces)),
            *((SECRETS, namespace, self.login(aws, name)) for namespace, name in self.secrets()),
            *(self._cluster_index(number) for number in range(self.indexes)),
            (CLUSTER_INDEX_OPTIONS, "", options),
        ]

    def namespace(self, number: int) -> Object:
        """A namespace that consents."""
        return NAMESPACES, "", {"metadata": {"name": _name(number), "labels": _LABEL}}

    def output_in(self, number: int) -> tuple[str, str]:
        """Namespace and name of the output in a namespace."""
        return _name(number), "uv"

    def _cluster_index(self, number: int) -> Object:
        spec = {
            "name": f"team-{number}",
            "namespaces": _CONSENT,
            "codeArtifact": code_artifact("login-00000", repository=f"team-{number}"),
        }
        body = {"metadata": {"name": f"index-{number:05}"}, "spec": spec}
        return CLUSTER_ARTIFACT_INDEXES, "", body


def wrong_shares(phases: Iterable[Phase]) -> list[str]:
    """Where one definition cost too much of what the same Secrets cost by IndexOptions."""
    by_scene = {(phase.scene, phase.name): phase for phase in phases}
    problems: list[str] = []
    for name in (COLD_START, KEY_ROTATED):
        ours, files = by_scene.get(("fan-out", name)), by_scene.get(("files", name))
        if ours is None or files is None:
            continue
        for what, field, most in (
            ("time", "total", SHARE), ("CPU", "cpu", SHARE), ("memory", "memory", 1.0)
        ):  # fmt: skip
            share = getattr(ours, field) / getattr(files, field)
            if share > most:
                problems.append(
                    f"fan-out, {name}: {share:.2f} of the {what} of files, more than {most:.2f}"
                )
    return problems


def _name(number: int) -> str:
    return f"bench-{number:05}"
