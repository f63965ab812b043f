"""How each preset is asked: the encoding of its request, and what the spec does not decide.

JFrog: REST API "OIDC Token Exchange", which takes JSON although the names are those of RFC 8693.
Cloudsmith: "OpenID Connect", as its own command line asks. RFC 8693, section 2.1.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from artifact_index.credentials.exchange.requests import ExchangeTokenRequest, Preset

_GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_ID_TOKEN: Final = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105 - the name of a type


@dataclass(frozen=True, slots=True)
class Protocol:
    """One preset's request. `subject` is the parameter with the ServiceAccount's token."""

    title: str
    content_type: str
    encode: Callable[[Mapping[str, str]], str]
    subject: str
    constants: Mapping[str, str]

    def body_of(self, request: ExchangeTokenRequest, subject_token: str) -> bytes:
        """The body of the request. It is a secret."""
        values = {**self.constants, **dict(request.parameters), self.subject: subject_token}
        return self.encode(values).encode()


_JSON: Final = "application/json"
PROTOCOLS: Final[Mapping[Preset, Protocol]] = {
    "jfrog": Protocol(
        title="JFrog",
        content_type=_JSON,
        encode=json.dumps,
        subject="subject_token",
        constants={"grant_type": _GRANT, "subject_token_type": _ID_TOKEN},
    ),
    "cloudsmith": Protocol(
        title="Cloudsmith",
        content_type=_JSON,
        encode=json.dumps,
        subject="oidc_token",
        constants={},
    ),
    "rfc8693": Protocol(
        title="the token endpoint",
        content_type="application/x-www-form-urlencoded",
        encode=urlencode,
        subject="subject_token",
        constants={"grant_type": _GRANT},
    ),
}
