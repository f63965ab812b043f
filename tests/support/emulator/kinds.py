"""The kinds that the emulator serves: a few built-in ones, and those of our CRDs."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

CRD_FOLDER: Final = Path(__file__).parents[3] / "crds"

_ANYTHING: Final = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
# Stands in while there are no CRD files: everything is kept, and the status default is there.
_LOOSE_SCHEMA: Final = {
    "type": "object",
    "properties": {
        "spec": _ANYTHING,
        "status": {
            **_ANYTHING,
            "default": {"observedGeneration": -1},
            "properties": {"observedGeneration": {"type": "integer"}},
        },
    },
}


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of object; one with a `schema` comes from a CRD."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    has_status: bool = False
    schema: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def custom(self) -> bool:
        return self.schema is not None

    @property
    def qualified_plural(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified_kind(self) -> str:
        return f"{self.kind}.{self.group}" if self.group else self.kind


BUILT_IN: Final = (
    Kind("", "v1", "namespaces", "Namespace", namespaced=False, short_names=("ns",)),
    Kind("", "v1", "secrets", "Secret"),
    Kind("", "v1", "configmaps", "ConfigMap", short_names=("cm",)),
    Kind("", "v1", "events", "Event", short_names=("ev",)),
    Kind("", "v1", "serviceaccounts", "ServiceAccount", short_names=("sa",)),
    Kind("coordination.k8s.io", "v1", "leases", "Lease"),
)

REVIEWS: Final = "authorization.k8s.io"
OF_PEOPLE: Final = (
    Kind("", "v1", "pods", "Pod"),
    Kind("apps", "v1", "deployments", "Deployment"),
    Kind(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        namespaced=False,
    ),
    Kind(REVIEWS, "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False),
    Kind(REVIEWS, "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False),
)
"""Kinds that the operator has no part in, and the commands of people read."""


def load_kinds(crds: Path | None = CRD_FOLDER) -> tuple[Kind, ...]:
    """Give all kinds, with those of the CRD files in a folder (or loose ones without files)."""
    files = sorted(crds.glob("*.yaml")) if crds else []
    custom = [kind for path in files for kind in _from_documents(path.read_text())]
    return BUILT_IN + tuple(custom or _loose_kinds())


@cache
def _from_documents(text: str) -> tuple[Kind, ...]:
    """Parsed once for all emulators of a process: it takes longer than most of what they do."""
    return tuple(_kinds_in(yaml.safe_load_all(text)))


def _kinds_in(documents: Iterable[Any]) -> Iterable[Kind]:
    for document in documents:
        if not document or document.get("kind") != "CustomResourceDefinition":
            continue
        spec = document["spec"]
        names = spec["names"]
        for version in spec["versions"]:
            if not version["served"]:
                continue
            yield Kind(
                spec["group"],
                version["name"],
                names["plural"],
                names["kind"],
                namespaced=spec["scope"] == "Namespaced",
                short_names=tuple(names.get("shortNames") or ()),
                categories=tuple(names.get("categories") or ()),
                has_status="status" in (version.get("subresources") or {}),
                schema=version["schema"]["openAPIV3Schema"],
            )


def _loose_kinds() -> Iterable[Kind]:
    for plural, kind in (("artifactindexes", "ArtifactIndex"), ("indexoptions", "IndexOptions")):
        yield Kind(
            "artifactindex.dev", "v1alpha1", plural, kind, has_status=True, schema=_LOOSE_SCHEMA
        )
