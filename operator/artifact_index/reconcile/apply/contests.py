"""Outputs that are undone again and again: who does it, and what to do about it."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from artifact_index.api.constants import FIELD_MANAGER
from artifact_index.api.reasons import Reason
from artifact_index.reconcile.cache.objects import OptionsObject, OutputRef
from artifact_index.reconcile.queue.repairs import CALM, Repairs
from artifact_index.sources.policy import Problem

Contested = tuple[OutputRef, str, int]
"""An output, and its IndexOptions by UID and generation: another spec starts over."""

DELETED: Final = "it is deleted again and again by somebody else; stop that"


class Contests:
    """Decides when an output that was undone is repaired, and reports those that go on."""

    def __init__(self) -> None:
        self._repairs: Repairs[Contested] = Repairs()

    def is_postponed(self, options: OptionsObject, ref: OutputRef, content: str) -> bool:
        """Whether a repair has to wait. Other content, such as a new token, does not."""
        repaired = self._repairs.get(_item(options, ref))
        now = asyncio.get_running_loop().time()
        return repaired is not None and repaired.content == content and now < repaired.next_at

    def repaired(self, options: OptionsObject, ref: OutputRef, content: str) -> None:
        """Count a repair that has been made."""
        self._repairs.count(_item(options, ref), content)

    def needs_writer(self, options: OptionsObject, ref: OutputRef) -> bool:
        """Whether nobody has looked yet who undoes the output."""
        repaired = self._repairs.get(_item(options, ref))
        return repaired is not None and not repaired.writer

    def blame(self, options: OptionsObject, ref: OutputRef, writer: str) -> None:
        """Report the output as contested from now on; `writer` says by whom, and the next step."""
        if (repaired := self._repairs.get(_item(options, ref))) is not None:
            repaired.writer = writer

    def problem(
        self, options: OptionsObject, ref: OutputRef, *, stands: bool = True
    ) -> Problem | None:
        """The problem of a contested output; it ends when the output `stands` for a while."""
        item = _item(options, ref)
        repaired = self._repairs.get(item)
        if repaired is None or not repaired.writer:
            return None
        if stands and asyncio.get_running_loop().time() >= repaired.last + CALM:
            self._repairs.forget(item)
            return None
        return Problem(
            Reason.OUTPUT_CONTESTED,
            f"{ref.kind} {ref.name!r} does not stay as it is written, so it is repaired less and "
            f"less often, in the end every {CALM / 60:.0f} minutes: {repaired.writer}, or choose "
            "another name in spec.outputs",
        )

    def recheck_after(self, options: OptionsObject, refs: Iterable[OutputRef]) -> float | None:
        """Seconds until the next of these outputs may be repaired, or is not contested any more."""
        now = asyncio.get_running_loop().time()
        repairs = (self._repairs.get(_item(options, ref)) for ref in refs)
        contested = (repaired for repaired in repairs if repaired and repaired.writer)
        times = [each.next_at if each.next_at > now else each.last + CALM for each in contested]
        return min(times) - now if times else None


def writer_of(managed_fields: Sequence[Mapping[str, Any]]) -> str:
    """Who wrote an object last, by its `metadata.managedFields`, and what to do about it.

    Another installation of this operator has our own name as its field manager.
    """
    # Times have whole seconds: of two writes in one second, the other one is meant.
    latest = max(
        managed_fields,
        key=lambda entry: (entry.get("time") or "", entry.get("manager") != FIELD_MANAGER),
        default={},
    )
    manager = latest.get("manager")
    if manager == FIELD_MANAGER:
        return (
            "another installation of this operator writes it as well (with the same field manager, "
            f"{manager!r}); let only one of them serve this namespace"
        )
    who = f"field manager {manager!r}" if manager else "an unknown writer"
    return f"{who} changes it again and again; stop that writer"


def _item(options: OptionsObject, ref: OutputRef) -> Contested:
    return ref, options.uid, options.generation
