"""Manifests by chance: indexes of all kinds, and IndexOptions that select some of them."""

import random
from typing import Any

from artifact_index.api.constants import API_VERSION
from artifact_index.formats.registry import FORMATS
from support.reconcile_builders import NAMESPACE, SECRETS, SOURCES, source
from support.rendered_offline import Manifests

TEAMS = ("a", "b", "c")


def manifest(kind: str, name: str, content: dict[str, Any], **labels: str) -> dict[str, Any]:
    """An object of the API; Secrets and ServiceAccounts are of the core."""
    metadata = {"name": name, "namespace": NAMESPACE, "labels": labels}
    api_version = "v1" if kind in ("Secret", "ServiceAccount") else API_VERSION
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


SECRET_MANIFESTS = [
    manifest("Secret", name, {"stringData": values}) for name, values in SECRETS.items()
]


def generated(rng: random.Random, selections: int) -> Manifests:
    """Indexes of all kinds, and so many IndexOptions that select some of them."""
    found = [*SECRET_MANIFESTS, manifest("ServiceAccount", "builder", {})]
    for number in range(rng.randint(1, 9)):
        kind = rng.choice(list(SOURCES))
        spec = source(kind) | {"priority": rng.choice((50, 100, 100, 200))}
        if rng.random() < 0.5:
            spec["name"] = f"index-{rng.randint(1, 6)}"
        if rng.random() < 0.3:
            spec["explicit"] = True
        if rng.random() < 0.3:
            spec["whenUnavailable"] = "Omit"
        if rng.random() < 0.3:
            spec["ignoreErrorCodes"] = [404]
        if rng.random() < 0.2 and kind in ("codeArtifact", "googleArtifactRegistry"):
            spec["publish"] = True
            spec[kind] = {key: value for key, value in spec[kind].items() if key != "auth"}
        labels = {team: "yes" for team in TEAMS if rng.random() < 0.6}
        found.append(manifest("ArtifactIndex", f"i{number}", {"spec": spec}, **labels))
    for number in range(selections):
        spec = {
            "indexSelector": {"matchLabels": {rng.choice(TEAMS): "yes"}},
            "preferPrivate": rng.random() < 0.5,
            "publicIndex": {"enabled": rng.random() < 0.8},
            "outputs": list(outputs(rng, f"o{number}")),
        }
        found.append(manifest("IndexOptions", f"o{number}", {"spec": spec}))
    return found


def outputs(rng: random.Random, name: str) -> list[dict[str, Any]]:
    """A Secret with some files, and perhaps variables and a ConfigMap."""
    files = [each for each in FORMATS if each != "Environment"]
    found = [
        {"kind": "Secret", "name": name, "formats": rng.sample(files, rng.randint(1, len(files)))}
    ]
    if rng.random() < 0.3:
        found.append({"kind": "Secret", "name": f"{name}-env", "formats": ["Environment"]})
    if rng.random() < 0.3:
        found.append({"kind": "ConfigMap", "name": name, "formats": ["UvToml"]})
    return found
