"""Entries at which builds stop. Pure."""

from collections.abc import Mapping
from typing import TypeAlias

from artifact_index.formats.document import IndexEntry
from artifact_index.reconcile.cache.objects import ObjectRef, kind_of
from artifact_index.reconcile.resolve.resolution import SelectedIndex

Blocked: TypeAlias = Mapping[str, str]
"""The entries at which an output stops builds: by name, the command in the URL (`describing`)."""


def blocked_entry(name: str, index: SelectedIndex) -> IndexEntry:
    """The entry at which builds stop; its URL names the index's object."""
    explicit = index.spec is not None and index.spec.explicit
    described_by = describing(kind_of(index.ref), index.ref)
    return IndexEntry(name, "", explicit=explicit, blocked=True, described_by=described_by)


def describing(kind: str, ref: ObjectRef) -> str:
    """The command that says why an entry is blocked, with `+` for its spaces."""
    where = f"+-n+{ref.namespace}" if ref.namespace else ""
    return f"kubectl+describe+{kind.lower()}+{ref.name}{where}"
