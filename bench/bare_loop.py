"""The least that the operator's writes cost: the same bodies through the same client, no operator.

`python -m bench.bare_loop KUBECONFIG` prints an empty line once it could write. Then it reads waves
as JSON lines from standard input: `writes`, and how many `mints` and `urls` are asked of the cloud
beside them. After each it prints in how many seconds the cloud had answered. UIDs and
resourceVersions are looked up before a wave begins and are no part of its time, which the audit log
tells; they are a part of its CPU, as listings are of the operator's.
"""

import asyncio
import gc
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3

from artifact_index.api.constants import CLUSTER_INDEX_OPTIONS_KIND, INDEX_OPTIONS_KIND
from artifact_index.credentials.threads import CALLS_PER_SERVICE
from artifact_index.kube.client import KubeApi
from artifact_index.kube.connect import load_configuration
from artifact_index.kube.resources import (
    ARTIFACT_INDEXES,
    CLUSTER_ARTIFACT_INDEXES,
    CLUSTER_INDEX_OPTIONS,
    INDEX_OPTIONS,
    SECRETS,
)
from artifact_index.reconcile.status.conditions import status_patch
from artifact_index.runtime import run
from artifact_index.settings import Settings
from bench.observe import Snapshot, snapshot
from support.world import code_artifact

_CUSTOM = INDEX_OPTIONS, CLUSTER_INDEX_OPTIONS, ARTIFACT_INDEXES, CLUSTER_ARTIFACT_INDEXES
_RESOURCES = {resource.plural: resource for resource in (SECRETS, *_CUSTOM)}
_STATUS_DEFAULT = {"observedGeneration": -1}

Write = dict[str, Any]


def wave(before: Snapshot | None, after: Snapshot) -> list[Write]:
    """The writes that lead from one state to the next, outputs first; None is the first start."""
    writes = [
        _output_write(*place, body, create=before is None)
        for place, body in after[SECRETS.plural].items()
    ]
    for resource in _CUSTOM:
        for place, body in after[resource.plural].items():
            old = before[resource.plural][place]["status"] if before else _STATUS_DEFAULT
            if old != body["status"]:
                namespace, name = place
                patch = {"status": status_patch(old, body["status"])}
                where = {"kind": resource.plural, "namespace": namespace, "name": name}
                writes.append({**where, "body": patch})
    return writes


def _output_write(namespace: str, name: str, secret: dict[str, Any], *, create: bool) -> Write:
    metadata = secret["metadata"]
    kept = {key: metadata[key] for key in ("labels", "annotations", "ownerReferences")}
    body = {"metadata": kept, "data": secret["data"]}
    if create:
        body |= {"metadata": {"name": name, "namespace": namespace, **kept}, "type": secret["type"]}
    where = {"kind": SECRETS.plural, "namespace": namespace, "name": name}
    return {**where, "body": body, "create": create}


async def _main(kubeconfig: Path) -> None:
    api = KubeApi(await load_configuration(kubeconfig=kubeconfig))
    gc.freeze()
    print(flush=True)
    try:
        for line in sys.stdin:
            wanted = json.loads(line)
            writes = wanted["writes"]
            state = await snapshot(kubeconfig)
            for write in writes:
                _aim(write, state)
            pending = iter(writes)
            async with asyncio.TaskGroup() as group:
                asked = group.create_task(
                    asyncio.to_thread(ask_cloud, wanted["mints"], wanted["urls"])
                )
                for _ in range(Settings().workers):
                    group.create_task(_work(api, pending))
            print(asked.result(), flush=True)
    finally:
        await api.close()


def ask_cloud(mints: int, urls: int) -> float:
    """Ask CodeArtifact so often, by boto3 alone; returns the seconds that it took."""
    if not mints and not urls:
        return 0.0
    begun = time.monotonic()
    source = code_artifact("")
    where = {"domain": source["domain"], "domainOwner": source["domainOwner"]}
    client = boto3.client("codeartifact", region_name=source["region"])

    def ask(number: int) -> None:
        if number < mints:
            client.get_authorization_token(**where)
        else:
            client.get_repository_endpoint(**where, repository=f"team-{number}", format="pypi")

    with ThreadPoolExecutor(CALLS_PER_SERVICE) as threads:
        list(threads.map(ask, range(mints + urls)))
    return time.monotonic() - begun


def _aim(write: Write, state: Snapshot) -> None:
    """Put in the identities that objects have on this server."""
    body, namespace = write["body"], write["namespace"]
    for reference in body.get("metadata", {}).get("ownerReferences", ()):
        if reference["kind"] == INDEX_OPTIONS_KIND:
            owner = state[INDEX_OPTIONS.plural][namespace, reference["name"]]
        elif reference["kind"] == CLUSTER_INDEX_OPTIONS_KIND:
            owner = state[CLUSTER_INDEX_OPTIONS.plural]["", reference["name"]]
        else:
            continue
        reference["uid"] = owner["metadata"]["uid"]
    if write.get("create"):
        return
    known = state[write["kind"]][namespace, write["name"]]["metadata"]
    identity = {"uid": known["uid"]}
    if write["kind"] != SECRETS.plural:
        identity["resourceVersion"] = known["resourceVersion"]
    body["metadata"] = {**body.get("metadata", {}), **identity}


async def _work(api: KubeApi, pending: Any) -> None:
    for write in pending:
        resource, namespace = _RESOURCES[write["kind"]], write["namespace"]
        if write.get("create"):
            await api.create(resource, namespace, write["body"])
        else:
            part = None if resource == SECRETS else "status"
            await api.patch(resource, namespace, write["name"], write["body"], subresource=part)


if __name__ == "__main__":
    run(_main(Path(sys.argv[1])))
