"""The CustomResourceDefinitions, generated from the models."""

from collections.abc import Mapping
from typing import Any, Final

import yaml

from artifact_index.api.constants import GROUP, VERSION
from artifact_index.crdgen.kinds import CATEGORY, KINDS, Column, Kind
from artifact_index.crdgen.schema import Schema, object_schema

GENERATED_NOTE: Final = "Generated from the models by tools/generate.py; do not edit."

# Without an extension `kubectl apply -f crds/` ignores it, and `kubectl apply -k crds/` finds it.
KUSTOMIZATION_NAME: Final = "Kustomization"

_SIMPLE_ROOT: Final[Schema] = {
    "apiVersion": {"description": f"Version of the API: {GROUP}/{VERSION}.", "type": "string"},
    "kind": {"description": "Kind of the object.", "type": "string"},
    "metadata": {"type": "object"},
}


def crd_documents() -> dict[str, dict[str, Any]]:
    """Every file of `crds/` by its name, as a document."""
    crds = {f"{GROUP}_{kind.plural}.yaml": _crd(kind) for kind in KINDS}
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(crds),
    }
    return crds | {KUSTOMIZATION_NAME: kustomization}


def render_crds() -> dict[str, str]:
    """Every file of `crds/` by its name, as YAML; the same text each time."""
    return {
        name: f"# {GENERATED_NOTE}\n" + yaml.safe_dump(document, sort_keys=False, width=100)
        for name, document in crd_documents().items()
    }


def _crd(kind: Kind) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.plural}.{GROUP}",
            # Flux would otherwise replace `${…}` in descriptions and rules.
            "annotations": {"kustomize.toolkit.fluxcd.io/substitute": "disabled"},
        },
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "shortNames": [kind.short_name],
                "categories": [CATEGORY],
            },
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": root_schema(kind)},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [_column(column) for column in kind.columns],
                }
            ],
        },
    }


def root_schema(kind: Kind) -> Schema:
    """Schema of a whole object of this kind."""
    status = object_schema(kind.status)
    # Until the operator has seen an object, kstatus takes it for InProgress and not for Current.
    status["default"] = {"observedGeneration": -1}
    root: Schema = {
        "description": kind.description,
        "type": "object",
        "required": ["spec"],
        "properties": _SIMPLE_ROOT | {"spec": object_schema(kind.spec), "status": status},
    }
    return {key: _reworded(value, kind.wording) for key, value in root.items()}


def _reworded(part: Any, wording: Mapping[str, str]) -> Any:
    """A part of a schema with the descriptions of a kind that shares its models with another."""
    if isinstance(part, dict):
        return {key: _reworded(value, wording) for key, value in part.items()}
    if isinstance(part, str):
        for text, replacement in wording.items():
            part = part.replace(text, replacement)
    return part


def _column(column: Column) -> dict[str, Any]:
    shown = {"name": column.name, "type": column.type, "jsonPath": column.json_path}
    return shown | {"priority": 1} if column.wide else {**shown}
