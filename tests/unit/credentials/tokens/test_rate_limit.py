"""The mint budget: so many in a second, the most urgent first."""

import asyncio
import random

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
from artifact_index.credentials.tokens.rate_limit import RateLimiter

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

EPOCH = 1_700_000_000
LOGINS = 1000


def test_no_second_has_more_limiter_than_it_may_have() -> None:
    limiter, rng = RateLimiter(3), random.Random(5)
    for number in range(60):
        limiter.add(f"key-{number}", rng.random())
    taken: list[float] = []
    now = 0.0
    while len(limiter):
        if limiter.pop(now) is not None:
            taken.append(now)
        else:
            now = limiter.next_at(now) if rng.random() < 0.5 else now + rng.random() / 4
    assert all(later - earlier >= 1 for earlier, later in zip(taken, taken[3:], strict=False))
    assert taken[-1] < 40, "and it is not idle either"


def test_limiter_go_by_urgency_then_by_order_and_the_forgotten_get_none() -> None:
    limiter = RateLimiter(10)
    for key, priority in (("late", 9.0), ("a", 5.0), ("gone", 0.0), ("b", 5.0), ("now", 1.0)):
        limiter.add(key, priority)
    limiter.add("late", 0.0)
    limiter.discard("gone")
    assert [limiter.pop(0) for _ in range(5)] == ["now", "a", "b", "late", None]
    assert limiter.next_at(0) == float("inf")


async def test_a_thousand_logins_after_a_start_without_memory_keep_to_the_rate() -> None:
    begun: list[tuple[float, str]] = []
    reported: dict[str, float | None] = {}

    def now() -> float:
        return EPOCH + asyncio.get_running_loop().time()

    async def issue(request: TokenRequest, key_material: KeyMaterial) -> Token:
        assert isinstance(request, CodeArtifactTokenRequest)
        begun.append((now(), request.domain))
        await asyncio.sleep(0.4)
        return Token(SecretStr(request.domain), int(now()), int(now()) + 43_200)

    manager = TokenManager(
        issue,
        margins=Margins(),
        now=now,
        rng=random.Random(7),
    )
    rng = random.Random(3)
    runner = asyncio.create_task(manager.run())
    for number in range(LOGINS):
        domain = f"domain-{number:04}"
        # What the status still knows of the token that builds read: its end, or nothing.
        reported[domain] = EPOCH + rng.uniform(600, 40_000) if number % 2 else None
        request = CodeArtifactTokenRequest("r", domain, "1", 43_200, OperatorIdentity())
        manager.require(number, [Requirement(domain, request, needed_by=reported[domain])])
    await asyncio.sleep(LOGINS / 10 + 1)
    runner.cancel()
    await asyncio.gather(runner, return_exceptions=True)
    await manager.close()

    times = [at for at, _ in begun]
    assert len(begun) == LOGINS
    assert all(later - earlier >= 1 for earlier, later in zip(times, times[10:], strict=False))
    # After the few that began before the others were known: first who has nothing, then by end.
    order = [reported[domain] or EPOCH for _, domain in begun[10:]]
    assert order == sorted(order)


async def test_nobodys_patience_runs_out_before_the_cloud_has_been_asked() -> None:
    async def issue(request: TokenRequest, key_material: KeyMaterial) -> Token:
        await asyncio.sleep(30)
        return Token(SecretStr("x"), EPOCH, EPOCH + 43_200)

    manager = TokenManager(
        issue,
        margins=Margins(),
        now=lambda: EPOCH + asyncio.get_running_loop().time(),
        rng=random.Random(7),
        limits=Limits(per_second=1),
    )
    runner = asyncio.create_task(manager.run())
    for number in range(20):
        request = CodeArtifactTokenRequest("r", f"d{number}", "1", 900, OperatorIdentity())
        manager.require(number, [Requirement(f"d{number}", request)])
    await asyncio.sleep(10.5)
    first, waiting = manager.state_of("d0"), manager.state_of("d19")
    assert first is not None and first.pending_since == EPOCH
    assert waiting is not None and waiting.pending_since == EPOCH + 10.5
    await asyncio.sleep(10)
    begun = manager.state_of("d19")
    assert begun is not None and begun.pending_since == EPOCH + 19
    runner.cancel()
    await manager.close()
