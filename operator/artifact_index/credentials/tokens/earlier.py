"""Earlier tokens that tenants go on to publish, while a later one exists. Pure.

Tenants may share a login. One that asks for fresh tokens, or whose builds are long, has it minted
often. The files of the others keep their token until it is due by their own builds, or all files of
all would be rewritten each time.
"""

import math
from collections.abc import Collection, Hashable, Mapping
from typing import Final, NamedTuple

from artifact_index.credentials.requests import Token
from artifact_index.credentials.tokens.freshness import Schedule


class Held(NamedTuple):
    """A token that a tenant publishes; its times suit builds of up to `max_build` seconds."""

    token: Token
    times: Schedule
    max_build: float

    def is_due(self, now: float) -> bool:
        """Whether the tenant needs a later one; one that never expires is not worth keeping."""
        return self.times.refresh_at is None or self.times.refresh_at <= now


Earlier = Mapping[Hashable, Held]
"""What tenants publish; those that are not in it publish the latest token."""

NO_EARLIER: Final[Earlier] = {}


def kept_until_due(held: Earlier, now: float) -> Earlier:
    """Of what tenants hold, what they go on to publish beside a later token."""
    kept = {tenant: each for tenant, each in held.items() if not each.is_due(now)}
    return kept or NO_EARLIER


def restored(
    earlier: Earlier,
    held: Held,
    tenants: Collection[Hashable],
    known: Collection[Hashable],
    latest: Token | None,
) -> Earlier:
    """With a file of these tenants that held a token before a restart.

    Some file of those tenants that are `known` was found already. One whose files differ gets the
    latest token in all of them.
    """
    if held.token != latest and not any(tenant in known for tenant in tenants):
        return {**earlier, **dict.fromkeys(tenants, held)}
    return {
        tenant: each
        for tenant, each in earlier.items()
        if tenant not in tenants or each.token == held.token
    }


def without(earlier: Earlier, tenants: Collection[Hashable]) -> Earlier:
    """The same, but these tenants publish the latest token."""
    rest = {tenant: held for tenant, held in earlier.items() if tenant not in tenants}
    return rest or NO_EARLIER


def due_at(earlier: Earlier) -> float:
    """When the first of them is due, in POSIX seconds; infinity without any."""
    times = (held.times.refresh_at for held in earlier.values())
    return min((at for at in times if at is not None), default=math.inf)


def due_tenants(earlier: Earlier, now: float) -> frozenset[Hashable]:
    """The tenants whose token is due."""
    return frozenset(tenant for tenant, held in earlier.items() if held.is_due(now))
