"""What is measured on: so many ArtifactIndex and IndexOptions that share one login."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from artifact_index.kube.api import KubeApi
from artifact_index.kube.connect import load_configuration
from artifact_index.kube.resources import ARTIFACT_INDEXES, INDEX_OPTIONS, SECRETS, Resource
from support.clouds import AwsStandIn
from support.world import artifact_index, code_artifact, index_options

NAMESPACE = "bench"
LOGIN = "login"
_PRINCIPAL = "arn:aws:iam::111122223333:user/bench"
_CONCURRENCY = 32


@dataclass(frozen=True)
class Scene:
    """`options` IndexOptions over `indexes` ArtifactIndex in one namespace.

    Each IndexOptions selects `per_output` indexes. Where there are more indexes than that, they
    are split among the IndexOptions by a label; otherwise every IndexOptions selects them all.
    All indexes are CodeArtifact repositories of one domain, with one access key: one token.
    """

    name: str
    indexes: int
    options: int
    per_output: int = 10

    @property
    def split(self) -> bool:
        """Whether each index belongs to one IndexOptions only."""
        return self.indexes > self.per_output

    @property
    def writes(self) -> int:
        """The writes that a change of the one login costs: outputs and all statuses."""
        return 2 * self.options + self.indexes

    def objects(self) -> list[tuple[Resource, dict[str, Any]]]:
        """The custom resources."""
        return [
            *((ARTIFACT_INDEXES, self._index(number)) for number in range(self.indexes)),
            *((INDEX_OPTIONS, self._options(number)) for number in range(self.options)),
        ]

    def _index(self, number: int) -> dict[str, Any]:
        group, place = divmod(number, self.per_output)
        return artifact_index(
            f"index-{number:05}",
            labels={"group": f"group-{group}"},
            name=f"team-{place}",
            codeArtifact=code_artifact(LOGIN, repository=f"team-{place}"),
        )

    def _options(self, number: int) -> dict[str, Any]:
        selector = {"matchLabels": {"group": f"group-{number}"}} if self.split else {}
        return index_options(f"uv-{number:05}", indexSelector=selector)


def access_key(aws: AwsStandIn) -> dict[str, Any]:
    """The source Secret, with a fresh access key."""
    key = aws.add_access_key(principal=_PRINCIPAL)
    return {
        "metadata": {"name": LOGIN, "labels": {"artifactindex.dev/role": "source"}},
        "stringData": {
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        },
    }


async def create_objects(kubeconfig: Path, objects: Sequence[tuple[Resource, Any]]) -> None:
    """Create all of them in the bench's namespace."""
    api = KubeApi(await load_configuration(kubeconfig=kubeconfig), max_concurrency=_CONCURRENCY)
    try:
        async with asyncio.TaskGroup() as group:
            for resource, body in objects:
                group.create_task(api.create(resource, NAMESPACE, body))
    finally:
        await api.close()


async def rotate_login(kubeconfig: Path, secret: dict[str, Any]) -> None:
    """Put another access key into the source Secret."""
    api = KubeApi(await load_configuration(kubeconfig=kubeconfig))
    try:
        await api.patch(SECRETS, NAMESPACE, LOGIN, secret)
    finally:
        await api.close()
