"""The same manifests through the operator of the engine and through the command line."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr

from artifact_index.api.constants import ROLE_LABEL
from artifact_index.cli.offline.manifests import read_manifests
from artifact_index.cli.offline.operator import Outcome, run_offline
from artifact_index.cli.offline.stand_ins import REDACTED
from artifact_index.credentials.requests import KeyMaterial, Token, TokenRequest
from artifact_index.formats.expiry import with_time
from artifact_index.kube.resources import ARTIFACT_INDEXES, INDEX_OPTIONS
from artifact_index.settings import Settings
from support.engine import Engine
from support.reconcile_builders import NAMESPACE, secret_body

Manifests = list[dict[str, Any]]
Files = dict[tuple[str, str, str], str]
"""Contents by kind and name of the output, and key."""
Conditions = dict[tuple[str, str], set[tuple[str, ...]]]
"""Type, status, reason and message of all conditions, by kind and name of the object."""

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
    engine = Cloud(missing_secret_grace=0)
    for number, body in enumerate(manifests):
        name, labels = body["metadata"]["name"], body["metadata"].get("labels")
        match body["kind"]:
            case "Secret":
                engine.port.put("secrets", secret_body(name, body["stringData"], labels=labels))
            case "ServiceAccount":
                metadata = {"name": name, "namespace": NAMESPACE, "uid": f"uid-of-{name}"}
                engine.port.put("serviceaccounts", {"metadata": metadata})
            case "ArtifactIndex":
                created = f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z"
                engine.index(name, body["spec"], labels=labels, created=created)
            case "IndexOptions":
                engine.options(body["spec"], name=name)
    await engine.settle(*engine.cache.all_keys())
    while engine.operator.state.waiting:
        await asyncio.sleep(0.1)  # only so many tokens are requested in a second
        await engine.settle(*engine.cache.all_keys())
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


def offline(manifests: Manifests, folder: Path, *, show_secrets: bool = True) -> Outcome:
    """What the command line makes of them."""
    (folder / "all.yaml").write_text(yaml.safe_dump_all(manifests))
    read = read_manifests([str(folder)], recursive=False)
    return run_offline(read, NAMESPACE, CONSENT, show_secrets=show_secrets)


def rendered(manifests: Manifests, folder: Path, *, show_secrets: bool = True) -> Files:
    """What `artifact-index render` makes of them."""
    return files_of(offline(manifests, folder, show_secrets=show_secrets))


def files_of(outcome: Outcome) -> Files:
    """The outputs of an offline run."""
    return {(each.output.kind, each.output.name, each.key): each.content for each in outcome.files}


def conditions_of(outcome: Outcome, manifests: Manifests) -> Conditions:
    """What an offline run says of each object of both kinds."""
    found = {}
    for resource in (ARTIFACT_INDEXES, INDEX_OPTIONS):
        for body in manifests:
            name = body["metadata"]["name"]
            if body["kind"] == resource.kind:
                status = outcome.status(resource, NAMESPACE, name)
                found[resource.kind, name] = _told(status)
    return found


def conditions_in(engine: Engine) -> Conditions:
    """What an operator says of each object of both kinds."""
    kinds = {each.plural: each.kind for each in (ARTIFACT_INDEXES, INDEX_OPTIONS)}
    return {
        (kinds[plural], name): _told(body["status"])
        for (plural, _, name), body in engine.port.objects.items()
        if plural in kinds
    }


def _told(status: dict[str, Any]) -> set[tuple[str, ...]]:
    fields = ("type", "status", "reason", "message")
    return {tuple(each[field] for field in fields) for each in status["conditions"]}
