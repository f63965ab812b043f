"""Thousands of refused logins of one tenant beside the tokens of another: hours in virtual time."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import NamedTuple

import pytest
from pydantic import SecretStr

from artifact_index.credentials.aws.requests import CodeArtifactTokenRequest
from artifact_index.credentials.requests import (
    KeyMaterial,
    OperatorIdentity,
    Requirement,
    Token,
    TokenRequest,
)
from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.credentials.tokens.issuing import Limits
from artifact_index.credentials.tokens.manager import TokenManager
from support.token_world import DENIED, EPOCH, HOUR
from support.virtual_time import VirtualLoop

pytestmark = pytest.mark.unit

MARGINS = Margins()
LATENCY = 0.5
SHORT, LONG = 900, HOUR
BUILD = 1800
GOOD = 50
TURNS = 5
"""Calls a second, at least, that new logins get beside other ones."""


class Consumer(NamedTuple):
    tenant: str
    name: str


class Tenants:
    """A token manager, and a cloud that refuses all logins of the hostile tenants."""

    def __init__(self, per_second: int = 10) -> None:
        self.ended_at = 0.0
        self.good: dict[str, int] = {}
        self.calls: list[tuple[float, bool]] = []
        """When a call began, and whether it was refused."""
        self.issued: dict[str, list[tuple[float, int]]] = {}
        self.refused: Counter[str] = Counter()
        self.manager = TokenManager(
            self.issue,
            margins=MARGINS,
            now=self.now,
            rng=random.Random(3),
            limits=Limits(per_second, tenant_of=lambda consumer: consumer[0]),  # type: ignore[index]
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        runner = asyncio.create_task(self.manager.run())
        yield
        self.ended_at = self.now()
        runner.cancel()
        await asyncio.gather(runner, return_exceptions=True)
        await self.manager.close()

    def now(self) -> float:
        return EPOCH + asyncio.get_running_loop().time()

    async def issue(self, request: TokenRequest, key_material: KeyMaterial) -> Token:
        assert isinstance(request, CodeArtifactTokenRequest)
        life = self.good.get(request.domain)
        self.calls.append((self.now(), life is None))
        await asyncio.sleep(LATENCY)
        if life is None:
            self.refused[request.domain] += 1
            raise DENIED
        expires_at = int(self.now()) + life
        self.issued.setdefault(request.domain, []).append((self.now(), expires_at))
        return Token(SecretStr(f"{expires_at}"), int(self.now()), expires_at)

    def require(self, tenant: str, domain: str, fresh_after: int | None = None) -> None:
        request = CodeArtifactTokenRequest("r", domain, "1", 0, OperatorIdentity())
        requirement = Requirement(domain, request, {}, BUILD, fresh_after)
        self.manager.require(Consumer(tenant, domain), [requirement])

    def require_good(self, domain: str, life: int) -> None:
        self.good[domain] = life
        self.require("good", domain)

    async def newcomer_waits(self, number: int) -> float:
        """Seconds until the first call of a tenant that is new."""
        domain = f"newcomer-{number}"
        self.good[domain] = LONG
        self.require(domain, domain)
        return await self.waits_for(domain)

    async def waits_for(self, domain: str) -> float:
        """Seconds until the call for a login begins, which has no token yet."""
        asked_at = self.now()
        while domain not in self.issued:  # noqa: ASYNC110 - virtual time costs nothing
            await asyncio.sleep(0.1)
        return self.now() - asked_at - LATENCY

    def refused_between(self, begin: float, end: float) -> int:
        return sum(refused and begin <= at - EPOCH < end for at, refused in self.calls)


async def live(refused: int, hostile: int, seconds: float) -> tuple[Tenants, list[float]]:
    """Good tokens for a while; then the logins of so many hostile tenants, and newcomers."""
    scene, waits = Tenants(), []
    async with scene.running():
        for number in range(GOOD):
            scene.require_good(f"short-{number}", SHORT)
            scene.require_good(f"long-{number}", LONG)
        await asyncio.sleep(60)
        for number in range(refused):
            scene.require(f"hostile-{number % hostile}", f"refused-{number}")
        for number in range(int(seconds // 300)):
            began = scene.now()
            waits.append(await scene.newcomer_waits(number))
            await asyncio.sleep(began + 300 - scene.now())
    return scene, waits


def check(scene: Tenants) -> None:
    """Nothing of the good tenants is withdrawn, and no promise is short."""
    visible = MARGINS.write + MARGINS.propagation + MARGINS.pod_start + MARGINS.clock_skew
    for domain, life in scene.good.items():
        # Tokens of 15 minutes can promise no build, and leave the files 155 s before they die.
        needed = visible + BUILD if life == LONG else MARGINS.propagation + MARGINS.clock_skew
        replaced = [*scene.issued[domain], (scene.ended_at, 0)]
        for (_, expires_at), (replaced_at, _) in pairwise(replaced):
            assert expires_at - replaced_at >= needed, domain
    times = [at for at, _ in scene.calls]
    assert all(later - earlier >= 1 for earlier, later in zip(times, times[10:], strict=False))


@pytest.mark.parametrize(
    ("refused", "hostile", "minutes"),
    [(3000, 1, 90), (10_000, 1, 20), (10_000, 100, 20)],
    ids=["3000", "10000", "10000-in-100-namespaces"],
)
def test_refused_logins_neither_kill_a_token_nor_hold_a_newcomer_up(
    refused: int, hostile: int, minutes: int
) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        scene, waits = runner.run(live(refused, hostile, 60 * minutes))
    check(scene)
    assert max(waits) <= (hostile + 1) / TURNS + 1
    if minutes == 90:
        # By then each is tried again after half an hour to an hour.
        assert scene.refused_between(75 * 60, 90 * 60) <= refused * 15 / 30
        assert max(scene.refused.values()) <= 10


def test_first_attempts_without_an_end_do_not_stop_the_repeats_of_another_tenant() -> None:
    async def mended_after() -> float:
        scene = Tenants()
        async with scene.running():
            scene.require("good", "mended")
            await asyncio.sleep(1)
            scene.good["mended"] = LONG
            waits = asyncio.create_task(scene.waits_for("mended"))
            for number in range(45):
                for each in range(11):
                    scene.require("hostile", f"refused-{number}-{each}")
                await asyncio.sleep(1)
            return await waits

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        # The first pause is 30 s at most.
        assert runner.run(mended_after()) < 32


@pytest.mark.parametrize("how", ["a refresh request", "another key"])
def test_a_refused_login_is_tried_at_once_where_somebody_asks_or_its_inputs_change(
    how: str,
) -> None:
    async def mended_after() -> float:
        scene = Tenants(per_second=1)
        async with scene.running():
            for number in range(1000):
                scene.require("busy", f"refused-{number}")
            await asyncio.sleep(1500)  # repeats take every turn, and wait for it
            if how == "another key":
                scene.require_good("changed", LONG)
                return await scene.waits_for("changed")
            scene.good["refused-7"] = LONG
            scene.require("busy", "refused-7", fresh_after=int(scene.now()))
            return await scene.waits_for("refused-7")

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(mended_after()) < 2.5
