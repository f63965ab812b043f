"""Trimmed copies of the Secrets and ServiceAccounts that sources read."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import SecretStr

from artifact_index.api import constants
from artifact_index.api.interning import intern_equal
from artifact_index.api.owners import controller_of
from artifact_index.reconcile.cache.objects import ref_uid_version
from artifact_index.sources.base import SourceSecret, SourceServiceAccount
from artifact_index.sources.registry import ACCOUNT_ANNOTATIONS

_NAMED_KEYS: Final = 10
"""Names of keys that are kept of a source Secret without a key that was looked for."""


def parse_source_secret(body: Mapping[str, Any], keys: Iterable[str]) -> SourceSecret:
    """Trim a source Secret to these keys and decode their values, unless it is an output."""
    _, uid, version = ref_uid_version(body)
    labels = body["metadata"].get("labels") or {}
    watched = labels.get(constants.ROLE_LABEL) == constants.ROLE_SOURCE
    if _is_output(body["metadata"]):
        return SourceSecret(uid, version, {}, is_output=True)
    data = body.get("data") or {}
    values: dict[str, SecretStr] = {}
    binary: set[str] = set()
    missing: set[str] = set()
    for key in keys:
        if key not in data:
            missing.add(key)
            continue
        try:
            # An empty value may be null: Go marshals a nil []byte so.
            values[key] = SecretStr(base64.b64decode(data[key] or "").decode())
        except (UnicodeDecodeError, binascii.Error):
            binary.add(key)
    names = intern_equal(tuple(sorted(data)[:_NAMED_KEYS])) if missing else ()
    unusable = frozenset(binary), frozenset(missing)
    return SourceSecret(uid, version, values, *unusable, names=names, watched=watched)


def parse_service_account(body: Mapping[str, Any]) -> SourceServiceAccount:
    """Trim a ServiceAccount."""
    annotations = body["metadata"].get("annotations") or {}
    read = {name: annotations[name] for name in ACCOUNT_ANNOTATIONS if name in annotations}
    return SourceServiceAccount(body["metadata"]["uid"], read)


def _is_output(metadata: Mapping[str, Any]) -> bool:
    """Whether a Secret is ours by any of its marks: somebody may have removed the others."""
    owner = controller_of(metadata.get("ownerReferences") or [])
    return (
        (metadata.get("labels") or {}).get(constants.ROLE_LABEL) == constants.ROLE_OUTPUT
        or constants.CONTENT_DIGEST_ANNOTATION in (metadata.get("annotations") or {})
        or (owner is not None and owner.ours)
    )
