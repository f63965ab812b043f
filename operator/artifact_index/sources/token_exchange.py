"""An index whose host, or one that it trusts, exchanges the token of a ServiceAccount."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from artifact_index.api.interning import intern_equal
from artifact_index.api.reasons import Reason
from artifact_index.api.sources.token_exchange import (
    CloudsmithExchange,
    JFrogExchange,
    Rfc8693Exchange,
    TokenExchangeSource,
)
from artifact_index.credentials.exchange.requests import Answer, ExchangeTokenRequest, Preset
from artifact_index.credentials.requests import ServiceAccountIdentity
from artifact_index.formats.urls import address_of
from artifact_index.sources.base import Digester, Inputs, ResolvedSource, SourceServiceAccount
from artifact_index.sources.cloud import CloudSource
from artifact_index.sources.policy import Problem

_TYPE: Final = "urn:ietf:params:oauth:token-type:"

_RESERVED: Final = re.compile(
    r"((https?:)?//)?(kubernetes\.default|[^/]*\.cluster\.local|[^/]*amazonaws\.com"
    r"|[^/]*goog[^/]*|[^/]*\.azmk8s\.io)([.:/].*)?"
    r"|api://AzureADTokenExchange.*|k3s|rke2",
    re.IGNORECASE,
)
"""Audiences at which such a token logs in: API servers, and other clouds' federations.

A token with one of them must never be sent to a host that a spec names.
"""


@dataclass(frozen=True, slots=True)
class _Terms:
    """What follows from a preset.

    `field` below `exchange` has the URL that the spec gives; `audience` is the usual one of the
    ServiceAccount's token. `username` None: the answer tells it.
    """

    preset: Preset
    field: str
    url: str
    endpoint: str
    audience: str
    parameters: Mapping[str, str | None]
    answer: Answer
    username: str | None


def _jfrog(model: JFrogExchange) -> _Terms:
    base = model.url.rstrip("/")
    return _Terms(
        preset="jfrog",
        field="jfrog.url",
        url=model.url,
        endpoint=f"{base}/access/api/v1/oidc/token",
        audience=base,
        parameters={
            "provider_name": model.provider,
            "identity_mapping_name": model.identity_mapping,
            "project_key": model.project,
            "audience": model.audience,
        },
        answer=Answer("access_token", "expires_in", "username"),
        username=model.username,
    )


def _cloudsmith(model: CloudsmithExchange) -> _Terms:
    place = f"{model.url.rstrip('/')}/openid/{model.workspace}"
    return _Terms(
        preset="cloudsmith",
        field="cloudsmith.url",
        url=model.url,
        endpoint=f"{place}/",
        audience=place,
        parameters={"service_slug": model.service},
        answer=Answer("token"),
        username="token",
    )


def _rfc8693(model: Rfc8693Exchange) -> _Terms:
    answer = model.answer
    return _Terms(
        preset="rfc8693",
        field="rfc8693.endpoint",
        url=model.endpoint,
        endpoint=model.endpoint,
        audience=model.endpoint,
        parameters={
            "subject_token_type": _TYPE + model.subject_token_type,
            "audience": model.audience,
            "scope": model.scope,
        },
        answer=Answer(answer.token, answer.expires_in, answer.username),
        username=model.username if answer.username is None else None,
    )


_TERMS: Final[Mapping[type[Any], Callable[[Any], _Terms]]] = {
    JFrogExchange: _jfrog,
    CloudsmithExchange: _cloudsmith,
    Rfc8693Exchange: _rfc8693,
}


class TokenExchange(CloudSource[TokenExchangeSource]):
    """A token of the registry as the password; whose it is, the registry decides."""

    __slots__ = ()
    field = "spec.tokenExchange"
    to_read = "let the user of the token read the repository"
    provider = "exchange"
    cloud = "exchange"
    metrics_target = "of a token exchange the host that exchanges"

    @staticmethod
    def endpoints(region: str) -> dict[str, str]:
        """The host that exchanges, in place of a region."""
        if address_of(f"https://{region}") != region.lower():
            raise ValueError("exchange needs a host, such as exchange:acme.jfrog.io")
        return {"exchange": f"https://{region}/"}

    def services(self) -> list[str]:
        """Where the token is exchanged."""
        scheme, _, rest = self._terms().url.partition("://")
        return [f"{scheme}://{rest.partition('/')[0]}/"]

    def secret_keys(self) -> dict[str, str]:
        """No source of this kind has a Secret."""
        return {}

    def token_exchange(self, account: SourceServiceAccount) -> tuple[tuple[str, ...], str]:
        """One audience, and the endpoint."""
        terms = self._terms()
        return (self._audience(terms),), terms.endpoint

    def urls(self) -> list[tuple[str, str]]:
        """The index's URLs, and the one of the exchange."""
        model, terms = self.model, self._terms()
        urls = [(f"{self.field}.url", model.url)]
        if model.publish_url:
            urls.append((f"{self.field}.publishURL", model.publish_url))
        return [*urls, (f"{self.field}.exchange.{terms.field}", terms.url)]

    def needs_host_list(self) -> str | None:
        """For the endpoint of no vendor, and for a token that could be good elsewhere."""
        terms = self._terms()
        field, audience = f"{self.field}.exchange.{terms.field}", self._audience(terms)
        if terms.preset == "rfc8693":
            return (
                f"{field} gets a token of a ServiceAccount, so its host must be on the "
                "administrator's list, but there is none; "
            )
        # `problem` refuses a reserved one, whatever the list.
        if _RESERVED.fullmatch(audience) or address_of(audience) == address_of(terms.url):
            return None
        return (
            f"{self.field}.auth.serviceAccountRef.audience does not name the host of {field}, so "
            "the token could be good elsewhere; remove the field, or "
        )

    def destination(self) -> tuple[object, ...]:
        """The URLs; a login goes where packages are uploaded to as well."""
        return "tokenExchange", self.model.url, self.model.publish_url

    def url(self) -> str | None:
        """The URL of the spec."""
        return self.model.url

    def publish_url(self, url: str) -> str | None:
        """The URL that the spec holds for it."""
        return self.model.publish_url

    def problem(self, inputs: Inputs) -> Problem | None:
        """A token that logs in at an API server or at another cloud goes to no other host."""
        if _RESERVED.fullmatch(self._audience(self._terms())) is None:
            return None
        return Problem(
            Reason.INVALID_SPEC,
            "the audience of the ServiceAccount's token is one at which it would log in at an API "
            f"server or another cloud; set {self.field}.auth.serviceAccountRef.audience to one "
            "that only the exchange takes",
        )

    def resolve(self, inputs: Inputs, digester: Digester) -> ResolvedSource:
        """A token of whomever the exchange takes the ServiceAccount for."""
        identity, material = self.identity(inputs, digester)
        if not isinstance(identity, ServiceAccountIdentity):
            raise TypeError("a token exchange without a ServiceAccount")
        terms = self._terms()
        given = {name: value for name, value in terms.parameters.items() if value is not None}
        parameters = tuple(sorted(given.items()))
        token = intern_equal(ExchangeTokenRequest(identity, terms.preset, parameters, terms.answer))
        return ResolvedSource(
            url=self.model.url,
            username=terms.username,
            token=token,
            token_digest=digester.request(token),
            material=material,
        )

    def _terms(self) -> _Terms:
        exchange = self.model.exchange
        preset = exchange.jfrog or exchange.cloudsmith or exchange.rfc8693
        return _TERMS[type(preset)](preset)

    def _audience(self, terms: _Terms) -> str:
        return self.model.auth.service_account_ref.audience or terms.audience
