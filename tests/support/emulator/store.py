"""The objects, their versions and the log of changes: what etcd and the registry do, in memory."""

import json
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from artifact_index.kube.merge_patch import merge_patched
from support.emulator import refusals
from support.emulator.kinds import Kind
from support.emulator.schemas import prune_and_default
from support.emulator.selectors import Predicate
from support.emulator.validation import tidy, validate, validate_change

Body: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[str, str]
"""Namespace (empty for a kind without) and name."""

_SUFFIX_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
_SET_BY_SERVER: Final = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "namespace")


class Record:
    """One version of one object; its body is never changed once it is stored."""

    __slots__ = ("_text", "body")

    def __init__(self, body: Body) -> None:
        self.body = body
        self._text: str | None = None

    @property
    def text(self) -> str:
        """The body as JSON, made once however many watchers and lists ask for it."""
        if self._text is None:
            self._text = json.dumps(self.body, separators=(",", ":"))
        return self._text

    @property
    def metadata(self) -> Body:
        metadata: Body = self.body["metadata"]
        return metadata

    @property
    def key(self) -> Key:
        return self.metadata.get("namespace", ""), self.metadata["name"]


@dataclass(frozen=True, slots=True)
class Change:
    """An entry of the log; `previous` is None for a creation."""

    version: int
    type: str
    kind: Kind
    record: Record
    previous: Record | None


class Store:
    """All objects of all kinds, with the API server's semantics of writing. Raises `Refused`."""

    def __init__(self, kinds: tuple[Kind, ...], now: Callable[[], float] = time.time) -> None:
        self.kinds = kinds
        self.version = 100
        self.floor = 0
        self.log: list[Change] = []
        self.listeners: list[Callable[[Change], None]] = []
        self._now = now
        self._objects: dict[Kind, dict[Key, Record]] = {kind: {} for kind in kinds}
        self._uids: dict[str, tuple[Kind, Key]] = {}

    def kind(self, plural: str, group: str | None = None) -> Kind:
        for kind in self.kinds:
            if kind.plural == plural and group in (None, kind.group):
                return kind
        raise refusals.no_such_path()

    def compact(self) -> None:
        """Forget the log: a watch from an older version is answered with 410."""
        self.floor = self.version
        self.log.clear()

    def find(self, kind: Kind, namespace: str, name: str) -> Record | None:
        return self._objects[kind].get((namespace, name))

    def read(self, kind: Kind, namespace: str, name: str) -> Record:
        record = self.find(kind, namespace, name)
        if record is None:
            raise refusals.not_found(kind, name)
        return record

    def select(self, kind: Kind, namespace: str | None, predicate: Predicate) -> list[Record]:
        """Give matching objects in the order of their keys, as a LIST has them."""
        records = self._objects[kind]
        return [
            records[key]
            for key in sorted(records)
            if namespace in (None, key[0]) and predicate(records[key].body)
        ]

    def by_uid(self, uid: str) -> tuple[Kind, Record] | None:
        found = self._uids.get(uid)
        return found and (found[0], self._objects[found[0]][found[1]])

    def everything_in(self, namespace: str) -> list[tuple[Kind, Record]]:
        return [
            (kind, record)
            for kind, records in self._objects.items()
            for key, record in list(records.items())
            if key[0] == namespace
        ]

    def create(self, kind: Kind, namespace: str, body: Body, *, manager: str) -> Record:
        metadata = dict(body.get("metadata") or {})
        if metadata.get("namespace") not in (None, "", namespace):
            raise refusals.bad_request(
                "the namespace of the provided object does not match the namespace sent on "
                "the request"
            )
        self._check_type(kind, body)
        if metadata.get("generateName") and not metadata.get("name"):
            suffix = "".join(random.choices(_SUFFIX_LETTERS, k=5))
            metadata["name"] = metadata["generateName"] + suffix
        for field in ("resourceVersion", "deletionTimestamp", "managedFields", "generation"):
            metadata.pop(field, None)
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": self._timestamp()}
        if kind.namespaced:
            metadata["namespace"] = namespace
        if kind.custom:
            metadata["generation"] = 1
        new = {**body, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
        if kind.has_status:
            new.pop("status", None)
        new = self._stored_form(kind, new, by_patch=False)
        if kind.namespaced and self.find(self.kind("namespaces"), "", namespace) is None:
            raise refusals.not_found(self.kind("namespaces"), namespace)
        if self.find(kind, namespace, metadata["name"]):
            raise refusals.already_exists(kind, metadata["name"])
        return self._commit(kind, "ADDED", new, None, manager=manager, subresource=None)

    def merge_patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        patch: Body,
        *,
        manager: str,
        subresource: str | None = None,
    ) -> Record:
        """Apply an RFC 7396 patch.

        The uid in it is compared on the object itself only: the real server resets the metadata
        of a patch of `/status` before it looks, and writes the status of whatever has the name.
        """
        old = self.read(kind, namespace, name)
        new = merge_patched(old.body, patch)
        wanted = (new.get("metadata") or {}).get("uid", old.metadata["uid"])
        if wanted != old.metadata["uid"] and subresource is None:
            problem = f'Invalid value: "{wanted}": field is immutable'
            raise refusals.invalid(kind, name, "metadata.uid", problem)
        return self._update(kind, old, new, manager, subresource, by_patch=True)

    def replace(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        body: Body,
        *,
        manager: str,
        subresource: str | None = None,
    ) -> Record:
        """Update an object as a whole (PUT)."""
        old = self.read(kind, namespace, name)
        metadata = body.get("metadata") or {}
        if kind.custom and not metadata.get("resourceVersion"):
            problem = "Invalid value: 0: must be specified for an update"
            raise refusals.invalid(kind, name, "metadata.resourceVersion", problem)
        if metadata.get("uid", old.metadata["uid"]) != old.metadata["uid"]:
            raise refusals.conflict(kind, name, "Precondition failed: UID in precondition …")
        self._check_type(kind, body)
        new = {**body, "metadata": {"name": name, **metadata}}
        return self._update(kind, old, new, manager, subresource, by_patch=False)

    def overwrite(self, kind: Kind, namespace: str, name: str, body: Body) -> Record:
        """Take a body as it is: no rule of the API server is applied."""
        old = self.read(kind, namespace, name)
        return self._commit(kind, "MODIFIED", body, old, manager="", subresource=None)

    def delete(
        self, kind: Kind, namespace: str, name: str, preconditions: Body | None = None
    ) -> Record:
        old = self.read(kind, namespace, name)
        for field, wanted in (preconditions or {}).items():
            if wanted != old.metadata[field]:
                why = (
                    f"the {field} in the precondition ({wanted}) does not match the {field} in "
                    f"record ({old.metadata[field]}). The object might have been deleted and "
                    "then recreated"
                )
                raise refusals.conflict(kind, name, why)
        if old.metadata.get("finalizers"):
            if old.metadata.get("deletionTimestamp"):
                return old
            metadata = {**old.metadata, "deletionTimestamp": self._timestamp()}
            new = {**old.body, "metadata": metadata}
            return self._commit(kind, "MODIFIED", new, old, manager="", subresource=None)
        return self._commit(kind, "DELETED", old.body, old, manager="", subresource=None)

    def _update(
        self,
        kind: Kind,
        old: Record,
        new: Body,
        manager: str,
        subresource: str | None,
        *,
        by_patch: bool,
    ) -> Record:
        name = old.metadata["name"]
        metadata = dict(new.get("metadata") or {})
        if metadata.get("name", name) != name:
            raise refusals.bad_request(
                f"the name of the object ({metadata['name']}) does not match the name on the "
                f"URL ({name})"
            )
        if metadata.get("resourceVersion") not in (None, "", old.metadata["resourceVersion"]):
            raise refusals.modified(kind, name)
        if subresource == "status":
            new = {**old.body, "status": new.get("status")}
        else:
            for field in (*_SET_BY_SERVER, "managedFields", "resourceVersion"):
                metadata.pop(field, None)
                if field in old.metadata:
                    metadata[field] = old.metadata[field]
            new = {**new, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
            if kind.has_status:
                new["status"] = old.body.get("status")
        if new.get("status", ...) is None:
            del new["status"]
        new = self._stored_form(kind, new, by_patch=by_patch)
        validate_change(kind, old.body, new)
        if new == old.body:
            return old
        if kind.custom and _spec(new) != _spec(old.body):
            new["metadata"] = {**new["metadata"], "generation": old.metadata["generation"] + 1}
        if old.metadata.get("deletionTimestamp") and not new["metadata"].get("finalizers"):
            return self._commit(kind, "DELETED", new, old, manager=manager, subresource=None)
        return self._commit(kind, "MODIFIED", new, old, manager=manager, subresource=subresource)

    def _stored_form(self, kind: Kind, body: Body, *, by_patch: bool) -> Body:
        body = tidy(kind, body, by_patch=by_patch)
        if kind.schema is not None:
            body = prune_and_default(body, kind.schema)
        validate(kind, body)
        return body

    def _check_type(self, kind: Kind, body: Body) -> None:
        stated = body.get("apiVersion", ""), body.get("kind", "")
        if stated == (kind.api_version, kind.kind) or (stated == ("", "") and not kind.custom):
            return
        raise refusals.bad_request(
            f"the object provided is unrecognized (must be of type {kind.kind})"
        )

    def _commit(
        self,
        kind: Kind,
        type_: str,
        body: Body,
        previous: Record | None,
        *,
        manager: str,
        subresource: str | None,
    ) -> Record:
        self.version += 1
        metadata = {**body["metadata"], "resourceVersion": str(self.version)}
        if manager:
            metadata["managedFields"] = self._managed(kind, metadata, manager, subresource)
        record = Record({**body, "metadata": metadata})
        if type_ == "DELETED":
            del self._objects[kind][record.key]
            del self._uids[metadata["uid"]]
        else:
            self._objects[kind][record.key] = record
            self._uids[metadata["uid"]] = (kind, record.key)
        change = Change(self.version, type_, kind, record, previous)
        self.log.append(change)
        for listener in list(self.listeners):
            listener(change)
        return record

    def _managed(
        self, kind: Kind, metadata: Body, manager: str, subresource: str | None
    ) -> list[Body]:
        entry = {
            "manager": manager,
            "operation": "Update",
            "apiVersion": kind.api_version,
            "time": self._timestamp(),
            "fieldsType": "FieldsV1",
            "fieldsV1": {},
        }
        if subresource:
            entry["subresource"] = subresource
        others = [
            other
            for other in metadata.get("managedFields") or ()
            if (other["manager"], other.get("subresource")) != (manager, subresource)
        ]
        return [*others, entry]

    def _timestamp(self) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._now()))


def _spec(body: Body) -> Body:
    return {key: value for key, value in body.items() if key not in ("metadata", "status")}
