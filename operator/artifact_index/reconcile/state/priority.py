"""Which of the queued IndexOptions is reconciled first."""

from collections.abc import Callable

from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.reconcile.cache.cache import Key
from artifact_index.reconcile.plan.fallback import first_withdrawal
from artifact_index.reconcile.state.state import State


def priority_of(state: State, margins: Margins) -> Callable[[Key], float]:
    """The queue's order: the IndexOptions whose published token must be withdrawn first.

    The returned function gives POSIX seconds, infinite if nothing has to be withdrawn.
    """

    def priority(key: Key) -> float:
        if key.kind != "IndexOptions":
            return 0.0
        withdraw_at = first_withdrawal(state.published.get(key.ref, {}), margins)
        return float("inf") if withdraw_at is None else withdraw_at

    return priority
