"""What goes first among the IndexOptions that wait."""

from collections.abc import Callable

from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.reconcile.cache.cache import Key
from artifact_index.reconcile.plan.fallback import first_withdrawal
from artifact_index.reconcile.state.state import State


def priority_of(state: State, margins: Margins) -> Callable[[Key], float]:
    """The queue's order among IndexOptions: whose served token is withdrawn first."""

    def priority(key: Key) -> float:
        if key.kind != "IndexOptions":
            return 0.0
        withdraw_at = first_withdrawal(state.served.get(key.ref, {}), margins)
        return float("inf") if withdraw_at is None else withdraw_at

    return priority
