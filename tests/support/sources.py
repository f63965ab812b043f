"""Sources of indexes for tests, bound to a spec and resolved."""

from typing import Any

from artifact_index.sources.base import ResolvedSource, Source
from artifact_index.sources.registry import of
from support.reconcile_builders import index, inputs_of, resolved


def source_of(spec: dict[str, Any]) -> Source[Any]:
    """The source of an index with this spec."""
    record = index(spec=spec)
    assert record.spec is not None
    return of(record.spec)


def resolve(spec: dict[str, Any], **gathered: Any) -> ResolvedSource:
    """How an index with this spec is reached; its Secret has its usual values unless told."""
    return resolved(inputs_of(index(spec=spec), **gathered))
