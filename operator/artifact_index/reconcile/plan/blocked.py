"""Entries at which builds stop. Pure."""

from artifact_index.api.constants import ARTIFACT_INDEX_KIND
from artifact_index.formats.document import IndexEntry
from artifact_index.reconcile.cache.objects import ObjectRef
from artifact_index.reconcile.resolve.resolution import SelectedIndex


def blocked_entry(name: str, index: SelectedIndex) -> IndexEntry:
    """The entry at which builds stop; its URL names the ArtifactIndex."""
    explicit = index.spec is not None and index.spec.explicit
    described_by = describing(ARTIFACT_INDEX_KIND, index.ref)
    return IndexEntry(name, "", explicit=explicit, blocked=True, described_by=described_by)


def describing(kind: str, ref: ObjectRef) -> str:
    """The command that says why an entry is blocked, with `+` for its spaces."""
    return f"kubectl+describe+{kind.lower()}+{ref.name}+-n+{ref.namespace}"
