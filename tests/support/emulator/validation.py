"""The rules of metadata, Secrets and ConfigMaps that an operator can run into."""

import base64
import binascii
import json
import re
from typing import Any, Final

from support.emulator.kinds import Kind
from support.emulator.refusals import bad_request, invalid, undecodable

LARGEST_DATA: Final = 1024 * 1024
LARGEST_ANNOTATIONS: Final = 256 * 1024

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_LABEL_VALUE: Final = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_LABEL_KEY: Final = re.compile(
    r"([a-z0-9][-a-z0-9.]*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_DATA_KEY: Final = re.compile(r"[-._a-zA-Z0-9]{1,253}")


def tidy(kind: Kind, body: dict[str, Any], *, by_patch: bool) -> dict[str, Any]:
    """Bring a decoded object into its stored form, or refuse what cannot be decoded."""
    body = dict(body)
    if kind.plural == "secrets":
        _check_base64(body, by_patch=by_patch)
        strings = body.pop("stringData", None) or {}
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in strings.items()}
        body["data"] = {**(body.get("data") or {}), **encoded}
        body.setdefault("type", "Opaque")
    for key in ("data", "binaryData"):
        if kind.plural in ("secrets", "configmaps") and not body.get(key, True):
            del body[key]
    metadata = dict(body["metadata"])
    for key in ("labels", "annotations", "ownerReferences", "finalizers"):
        if not metadata.get(key, True):
            del metadata[key]
    body["metadata"] = metadata
    return body


def validate(kind: Kind, body: dict[str, Any]) -> None:
    """Refuse what the real server refuses of names, labels, keys and sizes."""
    metadata = body["metadata"]
    name = metadata.get("name") or ""
    if not name:
        raise invalid(kind, "", "metadata.name", "Required value: name or generateName is required")
    if len(name) > 253 or not _NAME.fullmatch(name):
        problem = f'Invalid value: "{name}": a lowercase RFC 1123 subdomain must consist of …'
        raise invalid(kind, name, "metadata.name", problem)
    for key, value in (metadata.get("labels") or {}).items():
        if not _LABEL_KEY.fullmatch(key):
            raise invalid(kind, name, "metadata.labels", f'Invalid value: "{key}": name part …')
        if not _LABEL_VALUE.fullmatch(value):
            problem = f'Invalid value: "{value}": a valid label must be 63 characters or less …'
            raise invalid(kind, name, "metadata.labels", problem)
    annotations = metadata.get("annotations") or {}
    if _size(annotations) > LARGEST_ANNOTATIONS:
        problem = f"Too long: may not be more than {LARGEST_ANNOTATIONS} bytes"
        raise invalid(kind, name, "metadata.annotations", problem)
    if kind.plural in ("secrets", "configmaps"):
        _validate_data(kind, name, body)
    if kind.plural == "events":
        _validate_event(kind, name, body)


def validate_change(kind: Kind, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Refuse a change of what may not change."""
    name = old["metadata"]["name"]
    if kind.plural == "secrets" and new.get("type") != old.get("type"):
        problem = f'Invalid value: "{new.get("type")}": field is immutable'
        raise invalid(kind, name, "type", problem)
    if old.get("immutable") and new.get("data") != old.get("data"):
        problem = "Forbidden: field is immutable when `immutable` is set"
        raise invalid(kind, name, "data", problem)


def _check_base64(body: dict[str, Any], *, by_patch: bool) -> None:
    for value in (body.get("data") or {}).values():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, TypeError, ValueError):
            problem = "illegal base64 data at input byte 0"
            if by_patch:
                raise undecodable(json.dumps(body), problem) from None
            raise bad_request(
                f'Secret in version "v1" cannot be handled as a Secret: {problem}'
            ) from None


def _validate_data(kind: Kind, name: str, body: dict[str, Any]) -> None:
    data = body.get("data") or {}
    for key in data:
        if not _DATA_KEY.fullmatch(key):
            problem = f'Invalid value: "{key}": a valid config key must consist of …'
            raise invalid(kind, name, f"data[{key}]", problem)
    encoded = kind.plural == "secrets"
    size = sum(len(text) * 3 // 4 if encoded else len(text.encode()) for text in data.values())
    if size > LARGEST_DATA:
        field = "data" if encoded else "[]"
        raise invalid(kind, name, field, f"Too long: may not be more than {LARGEST_DATA} bytes")


def _validate_event(kind: Kind, name: str, body: dict[str, Any]) -> None:
    about = (body.get("involvedObject") or {}).get("namespace", "")
    if about != body["metadata"].get("namespace"):
        problem = f'Invalid value: "{about}": does not match event.namespace'
        raise invalid(kind, name, "involvedObject.namespace", problem)


def _size(strings: dict[str, str]) -> int:
    return sum(len(key.encode()) + len(value.encode()) for key, value in strings.items())
