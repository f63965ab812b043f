"""What a cloud is asked for, with every input of the answer, and the token that it issues.

The requests of a cloud are defined with the cloud: frozen dataclasses of the form TokenRequest.
"""

import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Protocol

from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class OperatorIdentity:
    """The operator's own cloud identity; it belongs to no namespace."""

    kind: str = field(default="operator", init=False)


@dataclass(frozen=True, slots=True)
class SecretIdentity:
    """Keys in one Secret. `digest` is a keyed digest of the referenced keys' values."""

    namespace: str
    secret_uid: str
    digest: str
    kind: str = field(default="secret", init=False)


@dataclass(frozen=True, slots=True)
class ServiceAccountIdentity:
    """The token of one Kubernetes ServiceAccount.

    `audiences` are the token's own. `exchange` names who exchanges it: the ARN of the IAM role, or
    the audience of Google's STS (a workload identity provider).
    """

    namespace: str
    name: str
    service_account_uid: str
    audiences: tuple[str, ...]
    exchange: str
    kind: str = field(default="serviceaccount", init=False)


Identity = OperatorIdentity | SecretIdentity | ServiceAccountIdentity


def consumer_of(identity: Identity) -> str:
    """For whom a token is, as the cloud's own records may show it; empty for the operator's.

    Namespaces with the operator's identity share its tokens.
    """
    match identity:
        case ServiceAccountIdentity():
            return f"{identity.namespace}/{identity.name}"
        case SecretIdentity():
            return identity.namespace
        case OperatorIdentity():
            return ""


class TokenRequest(Hashable, Protocol):
    """What every request says. Its fields are all inputs of the answer (see `canonical`)."""

    @property
    def identity(self) -> Identity:
        """Who logs in first."""

    @property
    def provider(self) -> str:
        """The kind of request: the cloud and what it is asked for, such as `google-token`."""

    @property
    def service(self) -> str:
        """The remote service that answers: calls to one service are bounded together."""

    @property
    def target(self) -> str:
        """What the token is for, as metrics show it."""

    def stand_in(self, value: SecretStr, now: int) -> "Token":
        """The usual answer, with `value` for the token, for programs that ask no cloud.

        `now` is in POSIX seconds.
        """


def canonical(request: TokenRequest) -> bytes:
    """All inputs of the request as one unambiguous byte string, for a keyed digest.

    These bytes must never change: a request with other bytes is another token. A step that the
    login does not have leaves no trace, so that a digest in an output outlives a release that knows
    more steps.
    """
    inputs = {name: value for name, value in _fields_of(request).items() if value is not None}
    return _ENCODER.encode(inputs).encode()


def _fields_of(value: Any) -> dict[str, Any]:
    return {each.name: getattr(value, each.name) for each in fields(value)}


_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_fields_of)


KeyMaterial = Mapping[str, SecretStr]
"""The secret inputs of a login, which its digest must not reveal.

For AWS: `access_key_id`, `secret_access_key` and perhaps `session_token`; for Google: `key_json`;
for a ServiceAccount: `subject_token`, which is made anew for each attempt. Empty for the operator's
own identity.
"""
SUBJECT_TOKEN: Final = "subject_token"  # noqa: S105 - the name of a value
NO_KEY_MATERIAL: Final[KeyMaterial] = {}


@dataclass(frozen=True, slots=True)
class Token:
    """What a cloud issued. Times are whole POSIX seconds; `expires_at` None means never.

    `request_id` is the cloud's own name of the request, for the log. `username` goes with the token
    where the source has no user name of its own.
    """

    value: SecretStr
    issued_at: int
    expires_at: int | None
    request_id: str = field(default="", compare=False)
    username: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Requirement:
    """A login that a consumer needs, for builds of up to `max_build` seconds.

    `digest` is the keyed digest of the request. `fresh_after`, in whole POSIX seconds, asks for a
    token that was issued then or later, and has a failing login tried at once. `needed_by` is when
    the consumer loses the token that it publishes now, as far as it knows, in POSIX seconds; None:
    it publishes none. `login` says of a request that is no token which token the consumer requires
    of the same login, by its digest; None: none. `about` tells the log of which object the login
    is, and who logs in.
    """

    digest: str
    request: TokenRequest
    key_material: KeyMaterial = field(default_factory=lambda: NO_KEY_MATERIAL, repr=False)
    max_build: float = 0
    fresh_after: int | None = None
    needed_by: float | None = None
    login: str | None = None
    about: Callable[[], Mapping[str, str]] = field(default=dict, compare=False, repr=False)
