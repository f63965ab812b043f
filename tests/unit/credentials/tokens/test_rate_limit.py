"""The mint budget: so many in a second, the most urgent first, and whose patience runs out."""

import asyncio
import random
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr

from artifact_index.credentials.aws.requests import CodeArtifactTokenRequest
from artifact_index.credentials.fair_queue import Rank
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
NOBODY = (None,)
LOGINS = 1000


def test_no_second_has_more_limiter_than_it_may_have() -> None:
    limiter, rng = RateLimiter(3), random.Random(5)
    for number in range(60):
        limiter.add(f"key-{number}", rng.random(), NOBODY)
    taken: list[float] = []
    now = 0.0
    while len(limiter):
        if limiter.pop(now, anybody) is not None:
            taken.append(now)
        else:
            now = limiter.next_at(now) if rng.random() < 0.5 else now + rng.random() / 4
    assert all(later - earlier >= 1 for earlier, later in zip(taken, taken[3:], strict=False))
    assert taken[-1] < 40, "and it is not idle either"


def test_limiter_go_by_urgency_then_by_order_and_the_forgotten_get_none() -> None:
    limiter = RateLimiter(10)
    for key, priority in (("late", 9.0), ("a", 5.0), ("gone", 0.0), ("b", 5.0), ("now", 1.0)):
        limiter.add(key, priority, NOBODY)
    limiter.add("late", 0.0, NOBODY)
    limiter.discard("gone")
    turns = [limiter.pop(0, anybody) for _ in range(5)]
    assert [turn and turn.key for turn in turns] == ["now", "a", "b", "late", None]
    assert limiter.next_at(0) == float("inf")


def test_an_urgent_key_waits_for_a_part_of_a_second_beside_many() -> None:
    limiter = RateLimiter(10)
    for number in range(100):
        limiter.add(f"flood-{number}", 0, ("flood",))
    taken: list[tuple[float, str]] = []
    now = 0.0
    for urgent in (4.05, 5.32, 6.71):
        while now < urgent:
            now = min(urgent, limiter.next_at(now))
            while (turn := limiter.pop(now, anybody)) is not None:
                taken.append((now, turn.key))
        limiter.add("urgent", urgent, ("other",))
        while not taken or taken[-1][1] != "urgent":
            now = limiter.next_at(now)
            if (turn := limiter.pop(now, anybody)) is not None:
                taken.append((now, turn.key))
        assert taken.pop()[0] - urgent <= 0.4
    assert [now for now, _ in taken[:10]] == [0.0] * 10, "all at once after a pause"
    assert len(taken) >= 60, "and none is lost by it"


def test_a_tenant_with_few_keys_waits_for_no_turn_beside_those_with_many() -> None:
    limiter = RateLimiter(10)
    for number in range(200):
        limiter.add(f"flood-{number}", 0, (f"tenant-{number % 2}",))
    taken: list[tuple[float, str]] = []
    now, waits = 0.0, list[float]()
    for urgent in (4.05, 5.32, 6.11, 6.71, 8.0):
        while now < urgent:
            now = min(urgent, limiter.next_at(now))
            while (turn := limiter.pop(now, anybody)) is not None:
                taken.append((now, turn.key))
        limiter.add("urgent", urgent, ("few",))
        turn = limiter.pop(now, anybody)
        while turn is None or turn.key != "urgent":
            now = limiter.next_at(now)
            turn = limiter.pop(now, anybody)
            if turn is not None:
                taken.append((now, turn.key))
        waits.append(now - urgent)
    assert max(waits) == 0
    times = [at for at, _ in taken]
    assert all(later - earlier >= 1 for earlier, later in zip(times, times[10:], strict=False))
    assert len(taken) >= 7.5 * 8, "and the others have the rest"


def test_refreshes_that_come_together_delay_no_first_token_of_their_tenant() -> None:
    limiter, now = RateLimiter(10), 0.0
    for number in range(200):
        limiter.add(f"flood-{number}", 0, (f"tenant-{number % 2}",))
    for number in range(50):
        limiter.add(f"live-{number}", 1000, ("good",), Rank.LIVE)
    taken: list[tuple[float, str]] = []
    for moment in range(1, 13):
        while now < moment:
            while (turn := limiter.pop(now, anybody)) is not None:
                taken.append((now, turn.key))
            later = limiter.next_at(now)
            assert later > now, "it would be asked again and again"
            now = min(moment, later)
        limiter.add(f"first-{moment}", moment, ("good",))
        at_once: list[str] = []
        while (turn := limiter.pop(now, anybody)) is not None:
            at_once.append(turn.key)
        assert f"first-{moment}" in at_once
        taken += [(now, key) for key in at_once]
    times = [at for at, _ in taken]
    assert all(later - earlier >= 1 for earlier, later in zip(times, times[10:], strict=False))
    live = [at for at, key in taken if key.startswith("live")]
    assert len(live) >= 30, "nearly half of the turns, since they have something to lose"


def test_a_tenant_with_few_keys_that_may_not_go_holds_nobody_up() -> None:
    limiter = RateLimiter(10)
    limiter.add("full", 0, ("full",))
    for number in range(40):
        limiter.add(f"flood-{number}", 0, ("flood",))
        limiter.add(f"other-{number}", 0, ("other",))

    def may_go(tenant: Hashable) -> bool:
        return tenant != "full"

    now, taken = 0.0, 0
    while now < 5:
        while limiter.pop(now, may_go) is not None:
            taken += 1
        later = limiter.next_at(now, may_go)
        assert later > now, "it would be asked again and again"
        now = later
    assert taken >= 40


def anybody(tenant: Hashable) -> bool:
    return True


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


@asynccontextmanager
async def one_mint_a_second() -> AsyncIterator[TokenManager]:
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
    yield manager
    runner.cancel()
    await manager.close()


def pending_since(manager: TokenManager, digest: str) -> float | None:
    state = manager.state_of(digest)
    assert state is not None
    return state.pending_since


async def test_patience_counts_from_when_a_login_was_first_required() -> None:
    async with one_mint_a_second() as manager:
        for number in range(20):
            request = CodeArtifactTokenRequest("r", f"d{number}", "1", 900, OperatorIdentity())
            manager.require(number, [Requirement(f"d{number}", request)])
        for _ in range(4):
            await asyncio.sleep(7)  # queued at first, then in flight
            assert pending_since(manager, "d19") == EPOCH
        await asyncio.sleep(25)
        assert pending_since(manager, "d19") is None


async def test_a_file_with_a_good_token_is_left_alone_until_the_cloud_was_asked_for_it() -> None:
    """After the signing key was lost, only the status tells that there is one."""
    async with one_mint_a_second() as manager:
        for number in range(20):
            request = CodeArtifactTokenRequest("r", f"d{number}", "1", 900, OperatorIdentity())
            needed_by = EPOCH + 1000 + number
            manager.require(number, [Requirement(f"d{number}", request, needed_by=needed_by)])
        await asyncio.sleep(10.5)
        assert pending_since(manager, "d0") == EPOCH
        assert pending_since(manager, "d19") == EPOCH + 10.5
        await asyncio.sleep(10)
        assert pending_since(manager, "d19") == EPOCH + 19
