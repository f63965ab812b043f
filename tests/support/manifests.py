"""Manifests as people write them."""

from typing import Any

import yaml

from support.reconcile_builders import NAMESPACE


def document(spec: dict[str, Any], kind: str = "ArtifactIndex", name: str = "acme") -> str:
    """An object of ours in the tests' namespace, as YAML."""
    metadata = {"name": name, "namespace": NAMESPACE}
    body = {"apiVersion": "artifactindex.dev/v1alpha1", "kind": kind, "metadata": metadata}
    text: str = yaml.safe_dump({**body, "spec": spec}, sort_keys=False)
    return text
