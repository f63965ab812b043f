"""Repository URLs that are looked up in virtual time: hours pass in milliseconds."""

import asyncio
import random
from collections.abc import Callable, Hashable

from pydantic import SecretStr

from artifact_index.api.reasons import Reason
from artifact_index.credentials.aws.endpoint_entry import EndpointState
from artifact_index.credentials.aws.endpoints import Endpoints
from artifact_index.credentials.aws.requests import CodeArtifactEndpointRequest
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import (
    KeyMaterial,
    OperatorIdentity,
    Requirement,
    Token,
    TokenRequest,
)
from support.recording_meter import RecordingMeter
from support.token_world import EPOCH, digest_of

OPERATOR = OperatorIdentity()
THROTTLED = LoginError(Reason.CLOUD_THROTTLED, "later", retry_after=200)


def url_of(number: int, region: str = "eu-west-1") -> CodeArtifactEndpointRequest:
    owner = "111122223333"
    return CodeArtifactEndpointRequest(region, "acme", owner, f"r-{number}", "IPv4", OPERATOR)


URL = url_of(0)


def want(request: TokenRequest = URL, fresh_after: int | None = None) -> Requirement:
    return Requirement(digest_of(request), request, fresh_after=fresh_after)


class EndpointWorld:
    """URLs that are looked up, the cloud that answers, and their clock."""

    def __init__(self, tenant_of: Callable[[Hashable], Hashable] = lambda consumer: None) -> None:
        self.tenant_of = tenant_of
        self.clock_error = 0.0
        self.latency = 0.25
        self.failure: BaseException | None = None
        self.asked: list[tuple[float, str]] = []
        self.reported: list[tuple[float, frozenset[Hashable]]] = []
        self.hanging: set[str] = set()
        self.meter = RecordingMeter()
        self.urls = self.new_endpoints()

    def new_endpoints(self, deadline: float = 600) -> Endpoints:
        urls = Endpoints(
            self.issue,
            now=self.now,
            rng=random.Random(4),
            meter=self.meter,
            deadline=deadline,
            tenant_of=self.tenant_of,
        )
        urls.on_change = lambda consumers: self.reported.append((self.now(), consumers))
        return urls

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
        number = len(self.asked)
        return Token(SecretStr(f"https://acme.example/{number}/"), int(self.now()), None)

    def state(self, request: TokenRequest = URL) -> EndpointState:
        state = self.urls.state_of(digest_of(request))
        assert state is not None
        return state

    def times_asked(self) -> list[float]:
        return [moment for moment, _ in self.asked]
