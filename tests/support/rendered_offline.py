"""The same manifests through the operator of the engine and through the command line."""

import base64
from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr

from artifact_index.api.constants import ROLE_LABEL
from artifact_index.cli.offline.manifests import read_manifests
from artifact_index.cli.offline.operator import run_offline
from artifact_index.cli.offline.stand_ins import REDACTED
from artifact_index.credentials.requests import KeyMaterial, Token, TokenRequest
from artifact_index.formats.expiry import with_time
from artifact_index.reconcile.cache.cache import options_key
from artifact_index.reconcile.cache.objects import ObjectRef
from artifact_index.settings import Settings
from support.engine import Engine
from support.reconcile_builders import NAMESPACE, secret_body

Manifests = list[dict[str, Any]]
Files = dict[tuple[str, str, str], str]
"""Contents by kind and name of the output, and key."""

CONSENT = Settings(operator_identity_namespaces=(NAMESPACE,))


class Cloud(Engine):
    """An engine whose cloud answers at its true addresses, with the tokens of the command line."""

    async def issue(self, request: TokenRequest, material: KeyMaterial) -> Token:
        return request.stand_in(SecretStr(REDACTED), int(self.time))


async def written_by_operator(manifests: Manifests) -> Files:
    """What the operator writes once everything is created in this order."""
    return files_in(await settled(manifests))


async def settled(manifests: Manifests) -> Engine:
    """The operator once everything is created in this order and reconciled."""
    engine, keys = Cloud(), []
    for number, body in enumerate(manifests):
        name, labels = body["metadata"]["name"], body["metadata"].get("labels")
        match body["kind"]:
            case "Secret":
                engine.port.put("secrets", secret_body(name, body["stringData"], labels=labels))
            case "ArtifactIndex":
                created = f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z"
                engine.index(name, body["spec"], labels=labels, created=created)
            case "IndexOptions":
                engine.options(body["spec"], name=name)
                keys.append(options_key(ObjectRef(NAMESPACE, name)))
    await engine.settle(*keys)
    return engine


def files_in(engine: Engine) -> Files:
    """The outputs in the API server of an operator."""
    files = {}
    for (plural, _, name), body in engine.port.objects.items():
        if (body["metadata"].get("labels") or {}).get(ROLE_LABEL) != "output":
            continue
        for key, data in body["data"].items():
            if plural == "secrets":
                text = base64.b64decode(data).decode()
                files["Secret", name, key] = with_time(text, REDACTED)
            else:
                files["ConfigMap", name, key] = data
    return files


def rendered(manifests: Manifests, folder: Path, *, show_secrets: bool = True) -> Files:
    """What `artifact-index render` makes of them."""
    (folder / "all.yaml").write_text(yaml.safe_dump_all(manifests))
    read = read_manifests([str(folder)], recursive=False)
    outcome = run_offline(read, NAMESPACE, CONSENT, show_secrets=show_secrets)
    return {(each.output.kind, each.output.name, each.key): each.content for each in outcome.files}
