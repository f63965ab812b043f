"""A restart without an operator around it: outputs go through `restore` into an empty state."""

from collections.abc import Callable, Hashable, Iterable
from random import Random
from typing import Any

from artifact_index.api.constants import ARTIFACT_INDEX_PLURAL, INDEX_OPTIONS_PLURAL
from artifact_index.credentials.requests import KeyMaterial, Token, TokenRequest
from artifact_index.credentials.tokens.manager import TokenManager
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.objects import (
    IndexObject,
    ObjectRef,
    OptionsObject,
    parse_output,
)
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.outputs import DesiredOutput, desired_outputs
from artifact_index.reconcile.state.restore import restore
from artifact_index.reconcile.state.state import State
from support.reconcile_builders import DIGESTER, MARGINS, NAMESPACE, NOW, stored

OWNER = ObjectRef(NAMESPACE, "uv-config")
PLURALS = {"Secret": "secrets", "ConfigMap": "configmaps"}
Body = tuple[str, dict[str, Any]]
"""The kind of an output, and the object."""


async def no_cloud(request: TokenRequest, material: KeyMaterial) -> Token:
    raise AssertionError("nothing is minted here")


def new_manager(
    now: Callable[[], float] = lambda: NOW, told: list[frozenset[Hashable]] | None = None
) -> TokenManager:
    return TokenManager(
        grant=no_cloud,
        digest=DIGESTER.request,
        margins=MARGINS,
        now=now,
        on_change=([] if told is None else told).append,
        rng=Random(1),
    )


def restore_all(
    bodies: Iterable[Body],
    *,
    state: State,
    tokens: TokenManager,
    options: OptionsObject | None = None,
    indexes: Iterable[IndexObject] = (),
    digester: Digester = DIGESTER,
) -> None:
    """Restore from these objects in the order in which a first listing shows them."""
    for index in indexes:
        restore(ARTIFACT_INDEX_PLURAL, index, {}, state=state, tokens=tokens)
    if options is not None:
        restore(INDEX_OPTIONS_PLURAL, options, {}, state=state, tokens=tokens)
    for kind, body in bodies:
        output = parse_output(kind, body, digester)
        restore(PLURALS[kind], output, body, state=state, tokens=tokens)


def restored(*bodies: Body, **how: Any) -> tuple[State, TokenManager]:
    """A fresh state and token manager after these outputs were listed."""
    state, tokens = State(), new_manager()
    restore_all(bodies, state=state, tokens=tokens, **how)
    return state, tokens


def desired(options: OptionsObject, plans: list[IndexPlan]) -> list[DesiredOutput]:
    outputs, problem = desired_outputs(options, plans, DIGESTER)
    assert problem is None
    return outputs


def bodies_of(outputs: Iterable[DesiredOutput]) -> list[Body]:
    return [(output.ref.kind, stored(output)) for output in outputs]
