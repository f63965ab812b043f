"""Outputs as the API server holds them, for tests of the reconciler, in few words."""

from collections.abc import Mapping
from typing import Any

from artifact_index.api.constants import API_VERSION, INDEX_OPTIONS_KIND, ROLE_LABEL, ROLE_OUTPUT
from artifact_index.reconcile.cache.objects import OutputObject, parse_output
from artifact_index.reconcile.plan.outputs import DesiredOutput
from support.reconcile_builders import DIGESTER, NAMESPACE, OPTIONS_UID, VERSIONS


def stored(output: DesiredOutput, *, version: int | None = None) -> dict[str, Any]:
    """The body that the API server holds after the output was created."""
    body = output.creation()
    body["metadata"] |= {
        "uid": f"uid-of-output-{output.ref.name}",
        "resourceVersion": str(version or next(VERSIONS)),
    }
    return body


def stored_record(output: DesiredOutput, **how: Any) -> OutputObject:
    """The record of that body."""
    return parse_output(output.ref.kind, stored(output, **how), DIGESTER)


def output(
    name: str = "uv-config",
    *,
    kind: str = "Secret",
    labelled: bool = True,
    annotations: Mapping[str, str] | None = None,
    controller: Mapping[str, Any] | None = None,
    data: Mapping[str, str] | None = None,
    version: int | None = None,
    uid: str = "uid-of-output",
    **body: Any,
) -> OutputObject:
    """The record of an object that has an output's name."""
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": NAMESPACE,
        "uid": uid,
        "resourceVersion": str(version or next(VERSIONS)),
        "labels": {ROLE_LABEL: ROLE_OUTPUT} if labelled else {},
        "annotations": dict(annotations or {}),
    }
    if controller is not None:
        metadata["ownerReferences"] = [dict(controller)]
    return parse_output(kind, {"metadata": metadata, "data": dict(data or {}), **body}, DIGESTER)


def controller_of(name: str = "uv-config", uid: str = OPTIONS_UID) -> dict[str, Any]:
    """A controller reference to an IndexOptions."""
    return {
        "apiVersion": API_VERSION,
        "kind": INDEX_OPTIONS_KIND,
        "name": name,
        "uid": uid,
        "controller": True,
    }
