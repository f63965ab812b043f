"""Kubeconfig files, as JSON, which every reader of YAML understands."""

import base64
import json
from pathlib import Path
from typing import Any

from support.control_plane.certificates import KeyPair, write_private


def certificate_user(pair: KeyPair) -> dict[str, Any]:
    """Return the user entry of a client certificate."""
    return {
        "client-certificate-data": _base64(pair.certificate),
        "client-key-data": _base64(pair.key),
    }


def write_kubeconfig(
    path: Path, *, url: str, ca: Path, user: dict[str, Any], namespace: str
) -> None:
    """Write a private kubeconfig with one cluster, user and context, replacing an older one."""
    name = "test-control-plane"
    cluster = {"server": url, "certificate-authority-data": _base64(ca)}
    context = {"cluster": name, "user": name, "namespace": namespace}
    path.unlink(missing_ok=True)
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": context}],
        "current-context": name,
    }
    write_private(path, json.dumps(content, indent=2).encode())


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
