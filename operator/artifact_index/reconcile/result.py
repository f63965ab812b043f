"""What a reconcile answers: the controller acts on it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from artifact_index.reconcile.cache.cache import Key
from artifact_index.reconcile.plan.entries import IndexPlan


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one reconcile. Without arguments: nothing is left to do.

    `status` is to be written once no output waits for its own write. `plan` is what the statuses
    of the indexes have to follow; None leaves the last one. `enqueue` are other objects that the
    reconcile affects, `later` those that gather what many reconciles change. `requeue_after` is in
    seconds. `after` is another object, whose reconcile has to end first. `retry` asks for a
    reconcile after a back-off of at least `retry_after` seconds. A `quiet` result withholds status
    and plan from the first failures in a row: a brief outage of the API server must not cost two
    more writes.
    """

    status: dict[str, Any] | None = None
    plan: Sequence[IndexPlan] | None = None
    enqueue: Collection[Key] = ()
    later: Collection[Key] = ()
    requeue_after: float | None = None
    after: Key | None = None
    retry: bool = False
    retry_after: float = 0.0
    quiet: bool = False
