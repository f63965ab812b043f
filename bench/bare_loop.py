"""The least that the operator's writes cost: the same bodies through the same client, no operator.

`python -m bench.bare_loop KUBECONFIG` reads waves of writes as JSON lines from standard input and,
after each line, prints how many it made. UIDs and resourceVersions are looked up before a wave
begins and are no part of its time, which the audit log tells.
"""

import asyncio
import gc
import json
import sys
from pathlib import Path
from typing import Any

from artifact_index.api.constants import INDEX_OPTIONS_KIND
from artifact_index.kube.api import KubeApi
from artifact_index.kube.connect import load_configuration
from artifact_index.kube.resources import ARTIFACT_INDEXES, INDEX_OPTIONS, SECRETS, Resource
from artifact_index.reconcile.conditions import status_patch
from artifact_index.settings import Settings
from bench.observe import Snapshot, snapshot
from bench.scene import NAMESPACE

_RESOURCES = {resource.plural: resource for resource in (SECRETS, ARTIFACT_INDEXES, INDEX_OPTIONS)}
_STATUS_DEFAULT = {"observedGeneration": -1}

Write = dict[str, Any]


def wave(before: Snapshot | None, after: Snapshot) -> list[Write]:
    """The writes that lead from one state to the next, outputs first; None is the first start."""
    writes = [
        _output_write(name, body, create=before is None) for name, body in _of(after, SECRETS)
    ]
    for resource in (INDEX_OPTIONS, ARTIFACT_INDEXES):
        for name, body in _of(after, resource):
            old = before[resource.plural][name]["status"] if before else _STATUS_DEFAULT
            patch = status_patch(old, body["status"])
            writes.append({"kind": resource.plural, "name": name, "body": {"status": patch}})
    return writes


def _of(state: Snapshot, resource: Resource) -> list[tuple[str, dict[str, Any]]]:
    return list(state[resource.plural].items())


def _output_write(name: str, secret: dict[str, Any], *, create: bool) -> Write:
    metadata = secret["metadata"]
    kept = {key: metadata[key] for key in ("labels", "annotations", "ownerReferences")}
    body = {"metadata": kept, "data": secret["data"]}
    if create:
        body |= {"metadata": {"name": name, "namespace": NAMESPACE, **kept}, "type": secret["type"]}
    return {"kind": SECRETS.plural, "name": name, "body": body, "create": create}


async def _main(kubeconfig: Path) -> None:
    api = KubeApi(await load_configuration(kubeconfig=kubeconfig))
    gc.freeze()
    try:
        for line in sys.stdin:
            writes = json.loads(line)
            state = await snapshot(kubeconfig)
            for write in writes:
                _aim(write, state)
            pending = iter(writes)
            async with asyncio.TaskGroup() as group:
                for _ in range(Settings().workers):
                    group.create_task(_work(api, pending))
            print(len(writes), flush=True)
    finally:
        await api.close()


def _aim(write: Write, state: Snapshot) -> None:
    """Put in the identities that objects have on this server."""
    body, options = write["body"], state[INDEX_OPTIONS.plural]
    for reference in body.get("metadata", {}).get("ownerReferences", ()):
        if reference["kind"] == INDEX_OPTIONS_KIND:
            reference["uid"] = options[reference["name"]]["metadata"]["uid"]
    if write.get("create"):
        return
    known = state[write["kind"]][write["name"]]["metadata"]
    identity = {"uid": known["uid"]}
    if write["kind"] != SECRETS.plural:
        identity["resourceVersion"] = known["resourceVersion"]
    body["metadata"] = {**body.get("metadata", {}), **identity}


async def _work(api: KubeApi, pending: Any) -> None:
    for write in pending:
        resource = _RESOURCES[write["kind"]]
        if write.get("create"):
            await api.create(resource, NAMESPACE, write["body"])
        else:
            part = None if resource == SECRETS else "status"
            name = write["name"]
            await api.patch(resource, NAMESPACE, name, write["body"], subresource=part)


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
