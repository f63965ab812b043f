"""A call to a cloud that fails in an unexpected way."""

import asyncio

import pytest

from artifact_index.credentials.calls import Calls
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.google.requests import GoogleTokenRequest
from artifact_index.credentials.requests import (
    NO_KEY_MATERIAL,
    KeyMaterial,
    OperatorIdentity,
    Token,
    TokenRequest,
)
from artifact_index.instrumentation import UNMEASURED

pytestmark = pytest.mark.unit

CANARY = "canary-9c1d"


async def test_an_unexpected_error_is_an_outcome_and_logged_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def issue(request: TokenRequest, material: KeyMaterial) -> Token:
        raise ValueError(f"'{CANARY}' does not appear to be an IPv4 or IPv6 address")

    outcome: asyncio.Future[Token | LoginError] = asyncio.Future()
    calls = Calls(issue, meter=UNMEASURED)
    request = GoogleTokenRequest(OperatorIdentity())
    calls.start(request, NO_KEY_MATERIAL, lambda result, _: outcome.set_result(result), "tenant")
    error = await outcome
    assert isinstance(error, LoginError) and error.reason == "InternalError"
    assert "ValueError at tests/unit/credentials/test_calls.py" not in error.message
    assert "credentials/test_calls.py" in caplog.text and "ValueError at" in caplog.text
    assert CANARY not in caplog.text + str(error)


async def test_a_call_that_is_given_up_before_it_begins_has_an_outcome_all_the_same() -> None:
    async def issue(request: TokenRequest, material: KeyMaterial) -> Token:
        raise AssertionError

    outcomes: list[Token | LoginError] = []
    calls = Calls(issue, meter=UNMEASURED)
    request = GoogleTokenRequest(OperatorIdentity())
    calls.start(request, NO_KEY_MATERIAL, lambda result, _: outcomes.append(result), "tenant")
    await calls.close()
    (error,) = outcomes
    assert isinstance(error, LoginError)
