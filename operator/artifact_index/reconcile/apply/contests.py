"""Outputs that are undone again and again: when to repair them, who does it, and what to do."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Any, Final

from artifact_index.api.constants import FIELD_MANAGER
from artifact_index.api.reasons import Reason
from artifact_index.kube.errors import ApiError
from artifact_index.kube.port import Object
from artifact_index.reconcile.cache.objects import OptionsObject, OutputRef
from artifact_index.reconcile.queue.repairs import CALM, Repairs
from artifact_index.sources.policy import Problem

_DELETED: Final = "it is deleted again and again by somebody else; stop that"


class Contests:
    """Knows what was written to outputs lately: what has to be written again was undone."""

    def __init__(self) -> None:
        self._repairs: Repairs[OutputRef] = Repairs()
        self._culprits: dict[OutputRef, str] = {}

    def __bool__(self) -> bool:
        """Whether any output is contested."""
        return bool(self._culprits)

    def is_contested(self, options: OptionsObject, ref: OutputRef, content: str) -> bool:
        """Whether this has been written too often already. Other content, as a new token, has not.

        Such an output is written only if `may_repair` agrees.
        """
        written = self._repairs.get(ref)
        return written is not None and written.often and written.content == _hash(options, content)

    def may_repair(self, ref: OutputRef) -> bool:
        """Whether the time between two repairs of a contested output is over."""
        written = self._repairs.get(ref)
        return written is None or asyncio.get_running_loop().time() >= written.next_at

    def wrote(self, options: OptionsObject, ref: OutputRef, content: str) -> None:
        """Note a write that has been made; `content` is its digest, or a word for it."""
        self._repairs.count(ref, _hash(options, content))

    def blame(self, ref: OutputRef, culprit: str) -> None:
        """Report the output as contested from now on; `culprit` says by whom, and the next step."""
        known = self._culprits.items()
        self._culprits = {each: text for each, text in known if self._repairs.get(each)}
        self._culprits[ref] = culprit

    def problem(self, ref: OutputRef, *, stands: bool = True) -> Problem | None:
        """The problem of a contested output; it ends when the output `stands` for a while."""
        if ref not in self._culprits:
            return None
        written = self._repairs.get(ref)
        now = asyncio.get_running_loop().time()
        if written is None or (stands and now >= written.last + CALM):
            self._repairs.forget(ref)
            del self._culprits[ref]
            return None
        return Problem(
            Reason.OUTPUT_CONTESTED,
            f"{ref.kind} {ref.name!r} does not stay as it is written, so it is repaired less and "
            f"less often, in the end every {CALM / 60:.0f} minutes: {self._culprits[ref]}, or "
            "choose another name in spec.outputs",
        )

    def recheck_after(self, refs: Iterable[OutputRef]) -> float | None:
        """Seconds until the next of these outputs may be repaired, or is not contested any more."""
        now = asyncio.get_running_loop().time()
        outputs = [self._repairs.get(ref) for ref in refs if ref in self._culprits]
        times = [
            written.next_at if written.next_at > now else written.last + CALM
            for written in outputs
            if written is not None
        ]
        return max(0.0, min(times) - now) if times else None


async def find_culprit(reading: Awaitable[Object]) -> str:
    """Who undoes an output, by what a read of it answers, and what to do about it."""
    try:
        body = await reading
    except ApiError as error:
        if error.not_found:
            return _DELETED
        raise
    return culprit_of(body["metadata"].get("managedFields") or ())


def culprit_of(managed_fields: Sequence[Mapping[str, Any]]) -> str:
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


def _hash(options: OptionsObject, content: str) -> int:
    """What is written. With another spec, or in a namespace created anew, it is not the same."""
    return hash((options.uid, options.generation, options.namespace_uid, content))
