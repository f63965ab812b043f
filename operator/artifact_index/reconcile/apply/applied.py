"""What became of the outputs that were to be written, and the messages about it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from artifact_index.api.reasons import Reason
from artifact_index.formats.base import named
from artifact_index.kube.errors import ApiError
from artifact_index.reconcile.cache.objects import OutputObject, OutputRef
from artifact_index.reconcile.plan.outputs import DesiredOutput
from artifact_index.sources.policy import Problem

_KEYS_IN_EVENT: Final = 10


@dataclass(frozen=True, slots=True)
class Applied:
    """The outputs that now stand as desired, and the first problem of the others.

    An output that somebody else undoes again and again counts as written. `error` is the first
    error of the API server: it calls for a retry. `failed` are the outputs with an error, each with
    the digest of the content that was refused; None if it was not refused but may be accepted at
    the next try.
    """

    written: tuple[DesiredOutput, ...] = ()
    problem: Problem | None = None
    error: ApiError | None = None
    failed: Mapping[OutputRef, str | None] = field(default_factory=dict)

    @property
    def needs_retry(self) -> bool:
        """True if no watch event will report that the output can be written now."""
        return self.error is not None or bool(self.problem and self.problem.reason.unwatched)

    @property
    def retry_after(self) -> float:
        """The least delay of a retry, in seconds, as the API server asked for it."""
        return (self.error.retry_after if self.error else None) or 0.0


def owner_unknown(answer: str) -> Problem:
    """The problem of a lost output whose owner the operator may not read.

    `answer` is the message of the API server.
    """
    return Problem(
        Reason.PERMISSION_MISSING,
        "an output is gone and is not written again, because the operator may not read whether its "
        f"IndexOptions still exists: {answer}",
    )


def adopted_message(existing: OutputObject, output: DesiredOutput, *, cluster: bool) -> str:
    """The message of the event of an adoption, with the names of the keys that it removed.

    An event of `cluster` scope does not tell the namespace otherwise.
    """
    ref = existing.ref
    where = f" in namespace {ref.namespace!r}" if cluster else ""
    message = f"{ref.kind} {ref.name!r}{where} was there before and is an output now"
    removed = sorted(existing.keys - output.data.keys())
    if not removed:
        return message
    names = named(removed, at_most=_KEYS_IN_EVENT, show=str)
    return f"{message}; these keys of it were removed: {names}"


def write_failed(ref: OutputRef, error: ApiError) -> Problem:
    """The problem of an output that the API server did not take."""
    message = f"{ref.kind} {ref.name!r} could not be written and is tried again: {error}"
    if error.invalid:
        message += (
            "; if it lasts, see what the named fields of the object forbid, or delete the object "
            "so that it is created anew"
        )
    return Problem(Reason.WRITE_FAILED, message)
