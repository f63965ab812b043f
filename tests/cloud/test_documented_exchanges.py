"""The pages on token exchanges quote what the operator says: each message, as it is said."""

from dataclasses import replace
from typing import Any

import pytest

from artifact_index.credentials.errors import LoginError, UnreachableError
from artifact_index.credentials.exchange.client import ExchangedTokens
from artifact_index.credentials.requests import SUBJECT_TOKEN
from artifact_index.credentials.web.http import HttpAnswer
from artifact_index.sources.base import ResolvedSource
from support.clouds.logins import sealed
from support.clouds.signed_tokens import SignedTokens
from support.documented import assert_quoted
from support.reconcile_builders import POLICY, first_problem, index, inputs_of, source
from support.sources import resolve

pytestmark = pytest.mark.cloud

PRESETS: dict[str, tuple[str, dict[str, Any]]] = {
    "jfrog.md": (
        "jfrog",
        {
            "url": "https://acme.jfrog.io", "provider": "kubernetes",
            "identityMapping": "builders-builder",
        },
    ),
    "cloudsmith.md": ("cloudsmith", {"workspace": "acme", "service": "builders"}),
    "token-exchange.md": ("rfc8693", {"endpoint": "https://sso.acme.example/oauth/token"}),
}  # fmt: skip


def exchange(page: str, **more: Any) -> dict[str, Any]:
    name, preset = PRESETS[page]
    return source("tokenExchange", exchange={name: {**preset, **more}})


def error(code: str) -> dict[str, Any]:
    return {"error": code}


def errors(code: str, message: str = "") -> dict[str, Any]:
    return {"errors": [{"code": code, "message": message}]}


DETAIL = {"detail": "Unable to authenticate."}
BUSY = [HttpAnswer(429), HttpAnswer(503), HttpAnswer(200), None]
"""Throttled, out of order, a proxy's page, and no answer."""

ANSWERS: list[tuple[str, HttpAnswer | None, dict[str, Any]]] = [
    ("jfrog.md", HttpAnswer(400, body=errors("BAD_REQUEST", "Provider not found")), {}),
    ("jfrog.md", HttpAnswer(403, body=errors("FORBIDDEN")), {}),
    (
        "jfrog.md",
        HttpAnswer(400, body=errors("BAD_REQUEST", "Invalid audience")),
        {"audience": "jfmc@*"},
    ),
    ("jfrog.md", HttpAnswer(302), {}),
    ("jfrog.md", HttpAnswer(404), {}),
    ("jfrog.md", HttpAnswer(200, body={"access_token": "t", "expires_in": 60}), {}),
    ("jfrog.md", HttpAnswer(200, body={"access_token": "t", "expires_in": 0}), {}),
    *(("jfrog.md", answer, {}) for answer in BUSY),
    ("cloudsmith.md", HttpAnswer(401, body=DETAIL), {}),
    ("cloudsmith.md", HttpAnswer(404, body=DETAIL), {}),
    ("cloudsmith.md", HttpAnswer(201, body={"token": "opaque"}), {}),
    *(("cloudsmith.md", answer, {}) for answer in BUSY),
    *(
        ("token-exchange.md", HttpAnswer(400, body=error(code)), {})
        for code in ("invalid_grant", "invalid_client", "invalid_target")
    ),
    ("token-exchange.md", HttpAnswer(404), {}),
    ("token-exchange.md", HttpAnswer(200, body={"id_token": "t"}), {}),
    (
        "token-exchange.md",
        HttpAnswer(200, body={"access_token": "t", "expires_in": 900}),
        {"answer": {"username": "login"}},
    ),
    ("token-exchange.md", HttpAnswer(200, body={"access_token": "t"}), {}),
    ("token-exchange.md", HttpAnswer(200, body={"access_token": "t", "expires_in": 60}), {}),
]  # fmt: skip


@pytest.fixture(scope="module")
def cluster() -> SignedTokens:
    return SignedTokens()


@pytest.mark.parametrize(("page", "answer", "more"), ANSWERS)
def test_what_a_registry_refuses_is_quoted(
    cluster: SignedTokens, page: str, answer: HttpAnswer | None, more: dict[str, Any]
) -> None:
    def post(url: str, body: bytes, **how: Any) -> HttpAnswer:
        if answer is None:
            raise UnreachableError(" (connection reset)")
        return answer

    found: ResolvedSource = resolve(exchange(page, **more))
    request: Any = found.token
    token = cluster.token(request.identity.audiences[0])
    client = ExchangedTokens(post, least_life=280)  # type: ignore[arg-type]
    with pytest.raises(LoginError) as caught:
        client.issue(request, sealed({SUBJECT_TOKEN: token}))
    assert_quoted(page, caught.value.message)


def problem(spec: dict[str, Any], **policy: Any) -> str:
    record = index(spec=spec)
    found = first_problem(record, inputs_of(record, policy=replace(POLICY, **policy)))
    assert found is not None
    return found.message


def test_what_the_operator_itself_refuses_is_quoted() -> None:
    hosts = ("packages.example",)
    url = {"url": "https://packages.example/simple/"}
    jfrog = {**exchange("jfrog.md")["tokenExchange"], **url}
    assert_quoted("jfrog.md", problem({"tokenExchange": jfrog}, allowed_hosts=hosts))
    auth = {"serviceAccountRef": {"name": "builder", "audience": "sts.amazonaws.com"}}
    reserved = {"tokenExchange": {**jfrog, "auth": auth}}
    auth = {"serviceAccountRef": {"name": "builder", "audience": "https://sso.acme.example"}}
    assert_quoted("jfrog.md", problem({"tokenExchange": {**jfrog, "auth": auth}}))
    listed = ("packages.example", "acme.jfrog.io")
    assert_quoted("jfrog.md", problem(reserved, allowed_hosts=listed))
    assert_quoted("token-exchange.md", problem(exchange("token-exchange.md")))
