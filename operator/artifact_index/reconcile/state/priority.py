"""What goes first among the IndexOptions that wait."""

from collections.abc import Callable

from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.reconcile.cache.cache import Key
from artifact_index.reconcile.plan.fallback import first_withdrawal
from artifact_index.reconcile.state.state import Memory


def urgency_of(memory: Memory, margins: Margins) -> Callable[[Key], float]:
    """The queue's order among IndexOptions: whose served token is withdrawn first."""

    def urgency(key: Key) -> float:
        if key.kind != "IndexOptions":
            return 0.0
        withdraw_at = first_withdrawal(memory.served.get(key.ref, {}), margins)
        return float("inf") if withdraw_at is None else withdraw_at

    return urgency
