"""A token manager with its cloud and its clock, in virtual time: hours pass in milliseconds."""

import asyncio
import random
from collections.abc import Callable, Hashable

from pydantic import SecretStr

from artifact_index.api.reasons import Reason
from artifact_index.credentials.aws.requests import CodeArtifactTokenRequest
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.google.requests import GoogleTokenRequest
from artifact_index.credentials.requests import (
    KeyMaterial,
    OperatorIdentity,
    Requirement,
    Token,
    TokenRequest,
    canonical,
)
from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.credentials.tokens.issuing import Limits
from artifact_index.credentials.tokens.manager import TokenManager
from artifact_index.credentials.tokens.token_state import TokenState

EPOCH = 1_700_000_000
HOUR = 3600
CANARY = "canary-6f1c"
GOOGLE = GoogleTokenRequest(OperatorIdentity())


def token_of(domain: str) -> CodeArtifactTokenRequest:
    return CodeArtifactTokenRequest("eu-west-1", domain, "111122223333", 43200, OperatorIdentity())


DENIED = LoginError(Reason.ACCESS_DENIED, "not allowed")
DOWN = LoginError(Reason.CLOUD_UNAVAILABLE, "no answer")


def digest_of(request: TokenRequest) -> str:
    return canonical(request).decode()


def want(
    request: TokenRequest = GOOGLE, build: float = 0, fresh_after: int | None = None
) -> Requirement:
    return Requirement(digest_of(request), request, {}, build, fresh_after)


class TokenWorld:
    """A token manager, its cloud and its clock; `tenant_of` says whose share a consumer uses."""

    def __init__(
        self,
        margins: Margins,
        tenant_of: Callable[[Hashable], Hashable] = lambda consumer: None,
    ) -> None:
        self.tenant_of = tenant_of
        self.clock_error = 0.0
        self.life: int | None = HOUR
        self.latency = 0.25
        self.failure: BaseException | None = None
        self.repeated: Token | None = None
        self.asked: list[tuple[float, str]] = []
        self.reported: list[tuple[float, frozenset[Hashable]]] = []
        self.hanging: set[str] = set()
        self.margins = margins
        self.manager = self.new_manager()
        self.runner = asyncio.create_task(self.manager.run())

    def new_manager(self, deadline: float = 600) -> TokenManager:
        manager = TokenManager(
            self.issue,
            margins=self.margins,
            now=self.now,
            rng=random.Random(4),
            limits=Limits(deadline=deadline, tenant_of=self.tenant_of),
        )
        manager.on_change = lambda consumers: self.reported.append((self.now(), consumers))
        return manager

    async def restart(self, deadline: float = 600) -> None:
        await self.stop()
        self.manager = self.new_manager(deadline)
        self.runner = asyncio.create_task(self.manager.run())

    async def stop(self) -> None:
        self.runner.cancel()
        await asyncio.gather(self.runner, return_exceptions=True)
        await self.manager.close()

    def now(self) -> float:
        return EPOCH + asyncio.get_running_loop().time() + self.clock_error

    async def issue(self, request: TokenRequest, key_material: KeyMaterial) -> Token:
        digest = digest_of(request)
        self.asked.append((self.now(), digest))
        if digest in self.hanging:
            await asyncio.Event().wait()
        await asyncio.sleep(self.latency)
        if self.failure is not None:
            raise self.failure
        if self.repeated is not None:
            return self.repeated
        now = int(self.now())
        expires_at = None if self.life is None else now + self.life
        return Token(SecretStr(f"{digest} {len(self.asked)}"), now, expires_at)

    def state(self, request: TokenRequest = GOOGLE) -> TokenState:
        state = self.manager.state_of(digest_of(request))
        assert state is not None
        return state

    def held(self, request: TokenRequest = GOOGLE) -> Token:
        token = self.state(request).token
        assert token is not None
        return token

    def margin(self, request: TokenRequest = GOOGLE) -> float:
        """How long before its expiry the token has to be refreshed."""
        consumers = self.manager._entries[digest_of(request)].consumers
        return self.margins.before_expiry(consumers.longest_build)

    def servable(self, request: TokenRequest = GOOGLE) -> bool:
        return self.state(request).servable(self.now())

    async def until(self, moment: float | None) -> None:
        assert moment is not None
        await asyncio.sleep(moment - self.now())

    def times_told(self) -> list[float]:
        return [moment for moment, _ in self.reported]


def token_made(seconds_ago: float, *, life: int | None = HOUR, value: str = "seeded") -> Token:
    issued_at = int(EPOCH - seconds_ago)
    return Token(SecretStr(value), issued_at, None if life is None else issued_at + life)
