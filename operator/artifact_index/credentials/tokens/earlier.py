"""Earlier tokens that tenants go on to publish, while a later one exists. Pure.

Tenants may share a login. One that asks for a fresh token has it minted, and gets it at once; the
files of the others keep theirs until it is due, or each request would rewrite all files of all.
"""

import math
from collections.abc import Collection, Hashable, Mapping
from typing import Final, NamedTuple

from artifact_index.credentials.requests import Token
from artifact_index.credentials.tokens.freshness import Schedule


class Held(NamedTuple):
    """A token and its times."""

    token: Token
    times: Schedule


Earlier = Mapping[Hashable, Held]
"""The tokens by tenant; those that are not in it publish the latest."""

NO_EARLIER: Final[Earlier] = {}


def kept_by(tenants: Collection[Hashable], latest: Held, earlier: Earlier) -> Earlier:
    """What these tenants publish once `latest` has a successor, which all others publish."""
    return {tenant: earlier.get(tenant, latest) for tenant in tenants} or NO_EARLIER


def without(earlier: Earlier, tenants: Collection[Hashable]) -> Earlier:
    """The same, but these tenants publish the latest token."""
    rest = {tenant: held for tenant, held in earlier.items() if tenant not in tenants}
    return rest or NO_EARLIER


def due_at(earlier: Earlier) -> float:
    """When the first of them is due, in POSIX seconds; infinity without any."""
    return min(map(_due_at, earlier.values()), default=math.inf)


def due_tenants(earlier: Earlier, now: float) -> frozenset[Hashable]:
    """The tenants whose token is due."""
    return frozenset(tenant for tenant, held in earlier.items() if _due_at(held) <= now)


def _due_at(held: Held) -> float:
    """A token that never expires is not worth keeping beside a later one."""
    return -math.inf if held.times.refresh_at is None else held.times.refresh_at
