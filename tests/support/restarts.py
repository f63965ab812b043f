"""A restart without an operator around it: outputs go through `restore` into an empty state."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from random import Random
from typing import Any

from artifact_index.api.constants import ARTIFACT_INDEX_PLURAL, INDEX_OPTIONS_PLURAL
from artifact_index.credentials.aws.endpoint_entry import EndpointState
from artifact_index.credentials.aws.endpoints import Endpoints
from artifact_index.credentials.requests import KeyMaterial, Token, TokenRequest
from artifact_index.credentials.tokens.manager import TokenManager
from artifact_index.credentials.tokens.token_state import TokenState
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.objects import (
    IndexObject,
    ObjectRef,
    OptionsObject,
    parse_output,
)
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.outputs import DesiredOutput, desired_outputs
from artifact_index.reconcile.resolve.history import Histories
from artifact_index.reconcile.state.restore import restore
from artifact_index.reconcile.state.state import State
from support.output_builders import stored
from support.reconcile_builders import DIGESTER, MARGINS, NAMESPACE, NOW, POLICY

OWNER = ObjectRef(NAMESPACE, "uv-config")
PLURALS = {"Secret": "secrets", "ConfigMap": "configmaps"}
Body = tuple[str, dict[str, Any]]
"""The kind of an output, and the object."""


@dataclass(frozen=True)
class Logins:
    """What is known of tokens and URLs."""

    tokens: TokenManager
    endpoints: Endpoints

    def token(self, request: TokenRequest | None) -> TokenState | None:
        return self.tokens.state_of(DIGESTER.request(request)) if request else None

    def endpoint(self, request: TokenRequest | None) -> EndpointState | None:
        return self.endpoints.state_of(DIGESTER.request(request)) if request else None


async def no_cloud(request: TokenRequest, material: KeyMaterial) -> Token:
    raise AssertionError("nothing is minted here")


def new_manager(
    now: Callable[[], float] = lambda: NOW, reported: list[frozenset[Hashable]] | None = None
) -> TokenManager:
    manager = TokenManager(no_cloud, margins=MARGINS, now=now, rng=Random(1))
    manager.on_change = ([] if reported is None else reported).append
    return manager


def new_endpoints() -> Endpoints:
    return Endpoints(no_cloud, now=lambda: NOW, rng=Random(1))


def restore_all(
    bodies: Iterable[Body],
    *,
    state: State,
    logins: Logins,
    options: OptionsObject | None = None,
    indexes: Iterable[IndexObject] = (),
    histories: Histories | None = None,
    digester: Digester = DIGESTER,
) -> None:
    """Restore from these objects in the order in which a first listing shows them."""
    held: dict[str, Any] = {
        "state": state,
        "histories": Histories() if histories is None else histories,
        "tokens": logins.tokens,
        "endpoints": logins.endpoints,
        "grace": POLICY.missing_secret_grace,
    }
    for index in indexes:
        assert restore(ARTIFACT_INDEX_PLURAL, index, {}, **held) is None
    if options is not None:
        assert restore(INDEX_OPTIONS_PLURAL, options, {}, **held) is None
    for kind, body in bodies:
        output = parse_output(kind, body, digester)
        assert restore(PLURALS[kind], output, body, **held) is None


def restored(*bodies: Body, **how: Any) -> tuple[State, Logins]:
    """A fresh state, tokens and URLs after these outputs were listed."""
    state, logins = State(), Logins(new_manager(), new_endpoints())
    restore_all(bodies, state=state, logins=logins, **how)
    return state, logins


def desired(options: OptionsObject, plans: list[IndexPlan]) -> list[DesiredOutput]:
    outputs, problem = desired_outputs(options, plans, DIGESTER)
    assert problem is None
    return outputs


def bodies_of(outputs: Iterable[DesiredOutput]) -> list[Body]:
    return [(output.ref.kind, stored(output)) for output in outputs]
