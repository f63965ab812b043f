"""Kubeconfig files, as JSON, which every reader of YAML understands."""

import base64
import json
import tempfile
from pathlib import Path
from typing import Any

from support.control_plane.certificates import KeyPair


def certificate_user(pair: KeyPair) -> dict[str, Any]:
    """Return the user entry of a client certificate."""
    return {
        "client-certificate-data": _base64(pair.certificate),
        "client-key-data": _base64(pair.key),
    }


def write_kubeconfig(
    path: Path, *, url: str, ca: Path, user: dict[str, Any], namespace: str
) -> None:
    """Write a private kubeconfig with one cluster, user and context.

    An older one is there until this one replaces it: somebody may be about to read it.
    """
    name = "test-control-plane"
    cluster = {"server": url, "certificate-authority-data": _base64(ca)}
    context = {"cluster": name, "user": name, "namespace": namespace}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": context}],
        "current-context": name,
    }
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as new:
        json.dump(content, new, indent=2)
    Path(new.name).replace(path)


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
