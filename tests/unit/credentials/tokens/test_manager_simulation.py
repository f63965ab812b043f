"""Three days of fifty logins with outages: what is promised holds, and mints stay few."""

import asyncio
import random
from collections import Counter
from itertools import pairwise

import pytest
from pydantic import SecretStr

from artifact_index.api.reasons import Reason
from artifact_index.credentials.aws.requests import CodeArtifactTokenRequest
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import (
    KeyMaterial,
    OperatorIdentity,
    Requirement,
    Token,
    TokenRequest,
)
from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.credentials.tokens.manager import TokenManager
from support.misfortunes import during
from support.virtual_time import VirtualLoop

pytestmark = pytest.mark.unit

EPOCH = 1_700_000_000
DAYS = 3
END = EPOCH + DAYS * 86_400
MARGINS = Margins()
LATENCY = 0.5

# (life, longest build) in seconds, ten logins each.
KINDS = [(12 * 3600, 3600), (12 * 3600, 5 * 3600), (3600, 1800), (3600, 0), (900, 1800)]


def outages(rng: random.Random, seed_span: float) -> list[tuple[float, float]]:
    """Outages of up to R, with some minutes between them."""
    spans = []
    start = EPOCH + 60.0
    while start < END:
        start += rng.uniform(900, seed_span)
        end = start + rng.uniform(0.8, 1) * (MARGINS.outage - LATENCY)
        spans.append((start, end))
        start = end
    return spans


def now() -> float:
    return EPOCH + asyncio.get_running_loop().time()


@pytest.mark.parametrize("seed", [1, 2])
def test_promises_hold_through_outages_and_mints_stay_few(seed: int) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(_live(seed))


async def _live(seed: int) -> None:
    rng = random.Random(seed)
    down = outages(rng, 7200)
    logins = {
        CodeArtifactTokenRequest("r", f"d{n}", "111122223333", 0, OperatorIdentity()): kind
        for n, kind in enumerate(KINDS * 10)
    }
    minted: dict[str, list[tuple[float, int]]] = {}
    attempts: Counter[str] = Counter()

    async def issue(request: TokenRequest, key_material: KeyMaterial) -> Token:
        assert isinstance(request, CodeArtifactTokenRequest)
        attempts[request.domain] += 1
        await asyncio.sleep(LATENCY)
        if during(down, now()):
            raise LoginError(Reason.CLOUD_UNAVAILABLE, "outage")
        issued_at = int(now())
        expires_at = issued_at + logins[request][0]
        minted.setdefault(request.domain, []).append((now(), expires_at))
        return Token(SecretStr(f"{issued_at}"), issued_at, expires_at)

    manager = TokenManager(
        issue,
        margins=MARGINS,
        now=now,
        rng=rng,
    )
    runner = asyncio.create_task(manager.run())
    for consumer in range(5):
        manager.require(
            consumer, [Requirement(r.domain, r, {}, build) for r, (_, build) in logins.items()]
        )
    await asyncio.sleep(END - now())
    runner.cancel()
    await asyncio.gather(runner, return_exceptions=True)
    await manager.close()

    for request, (life, build) in logins.items():
        state = manager.state_of(request.domain)
        assert state is not None
        assert state.guaranteed is (life > 900)
        _check(minted[request.domain], attempts[request.domain], life, build, state.guaranteed)


def _check(
    mints: list[tuple[float, int]], attempts: int, life: int, build: int, guaranteed: bool
) -> None:
    if guaranteed:
        # Whole seconds cost at most 2, which the write's 5 covers.
        needed = MARGINS.propagation + MARGINS.pod_start + build + MARGINS.clock_skew
        for (_, expires_at), (replaced_at, _) in pairwise(mints):
            assert expires_at - replaced_at >= needed
        slack = life - MARGINS.before_expiry(build)
        period = slack - min(600, slack / 10)
    else:
        period = MARGINS.min_refresh_interval
    most = DAYS * 86_400 / period
    assert 0.5 * most <= len(mints) <= most + 2
    assert attempts <= 25 * len(mints)
