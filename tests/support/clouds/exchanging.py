"""An exchange of a ServiceAccount's token at one of the registries, as the operator asks for it."""

from typing import Any, Final

import pytest

from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.exchange.requests import Answer, ExchangeTokenRequest
from artifact_index.credentials.requests import ServiceAccountIdentity
from support.clouds.exchanges import JFROG_PATH, TYPE, ExchangeStandIn

AUDIENCE: Final = "https://registry.example"
CANARY: Final = "canary-of-the-answer"
LEAST: Final = 280.0
"""Seconds that a token has to live."""

PRESETS: Final = {"jfrog": "JFrog", "cloudsmith": "Cloudsmith", "rfc8693": "RFC8693"}
"""What each is called in the API, and the stand-in's operation."""


def request_of(
    registry: ExchangeStandIn, preset: str, answer: Answer | None = None, **parameters: str
) -> ExchangeTokenRequest:
    """What the source asks for; a parameter of "" is left out."""
    usual: dict[str, Any] = {
        "jfrog": (
            JFROG_PATH,
            {"provider_name": "kubernetes"},
            Answer("access_token", "expires_in", "username"),
        ),
        "cloudsmith": ("/openid/acme/", {"service_slug": "builders"}, Answer("token")),
        "rfc8693": (
            "/token",
            {"audience": "pypi", "subject_token_type": f"{TYPE}jwt"},
            Answer("access_token", "expires_in"),
        ),
    }
    path, given, members = usual[preset]
    given = {name: value for name, value in {**given, **parameters}.items() if value}
    identity = ServiceAccountIdentity(
        "builders", "builder", "uid", (AUDIENCE,), registry.url + given.pop("path", path)
    )
    parameters_sent = tuple(sorted(given.items()))
    return ExchangeTokenRequest(identity, preset, parameters_sent, answer or members)  # type: ignore[arg-type]


def refused(ask: Any, preset: str, **how: Any) -> LoginError:
    """The error of an exchange that fails, which tells nothing of the answer."""
    with pytest.raises(LoginError) as caught:
        ask(preset, **how)
    assert CANARY not in str(caught.value)
    assert caught.value.__context__ is None or CANARY not in repr(caught.value.__context__)
    return caught.value
