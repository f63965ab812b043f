"""Renders the outputs of an IndexOptions without holding the event loop."""

from collections.abc import Callable, Sequence
from functools import partial

from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.objects import OptionsObject, OutputRef
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.outputs import DesiredOutput, desired_outputs
from artifact_index.reconcile.plan.sizes import are_large
from artifact_index.runtime import beside_the_loop
from artifact_index.sources.policy import Problem


async def rendered_outputs(
    options: OptionsObject,
    plans: Sequence[IndexPlan],
    digester: Digester,
    *,
    public_blocked: bool = False,
    exists: Callable[[OutputRef], bool] = lambda _: False,
) -> tuple[list[DesiredOutput], Problem | None]:
    """As `desired_outputs` returns them; large ones are rendered in a thread."""
    render = partial(
        desired_outputs, options, plans, digester, public_blocked=public_blocked, exists=exists
    )
    return await beside_the_loop(render) if are_large(options, plans) else render()
