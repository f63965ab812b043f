"""Finds the indexes at which planning or rendering fails, so that the others of a file go on."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from artifact_index.kube.errors import ApiError
from artifact_index.reconcile.resolve.failures import internal_error
from artifact_index.reconcile.resolve.token_view import IndexState

_RECHECK: Final = 30.0
"""Seconds after which an index at which the operator failed is tried again."""

Attempt = Callable[[Sequence[IndexState]], Awaitable[object]]
"""Plans and renders some of the indexes of one IndexOptions, and writes nothing."""


async def isolate(
    indexes: Sequence[IndexState], attempt: Attempt, error: Exception, *, now: float
) -> tuple[list[IndexState], frozenset[str]]:
    """Give each index at which `attempt` fails a problem of its own; it is tried again later.

    Also returns the UIDs of those at which it fails even then: with the entry that is published.
    Raises `error`, the failure with all of them, if it fails at none of them alone, or if it is the
    API server's.
    """
    failures = {} if isinstance(error, ApiError) else await _failures(indexes, attempt)
    if not failures:
        raise error
    failed = {
        index.selected.uid: _failed(index, failures[index.selected.uid], now + _RECHECK)
        for index in indexes
        if index.selected.uid in failures
    }
    unpublishable = await _failures(list(failed.values()), attempt)
    isolated = [failed.get(index.selected.uid, index) for index in indexes]
    return isolated, frozenset(unpublishable)


async def _failures(indexes: Sequence[IndexState], attempt: Attempt) -> dict[str, Exception]:
    """The exception of each index at which `attempt` fails, by UID: halves what fails."""
    await asyncio.sleep(0)  # each attempt blocks the event loop: others run between two of them
    try:
        await attempt(indexes)
    except Exception as error:
        if len(indexes) == 1:
            return {indexes[0].selected.uid: error}
        middle = len(indexes) // 2
        first = await _failures(indexes[:middle], attempt)
        return first | await _failures(indexes[middle:], attempt)
    return {}


def _failed(index: IndexState, error: Exception, recheck_at: float) -> IndexState:
    """The index without its login and without its URL, which may be what cannot be planned."""
    return replace(
        index,
        key=None,
        login=None,
        url=None,
        credential=None,
        problem=internal_error(index.selected.ref, error),
        pending_since=None,
        failing=None,
        recheck_at=recheck_at,
    )
