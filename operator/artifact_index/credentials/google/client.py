"""Asks Google for access tokens, through google-auth."""

import calendar
import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import SecretStr

from artifact_index.api.constants import FIELD_MANAGER
from artifact_index.api.reasons import Reason
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.google import identities
from artifact_index.credentials.google.errors import login_error, unknown_expiry
from artifact_index.credentials.google.identities import GoogleCredentials, ServiceURLs
from artifact_index.credentials.google.requests import GoogleTokenRequest
from artifact_index.credentials.google.transport import Answer, Transport, expires_at
from artifact_index.credentials.requests import (
    SUBJECT_TOKEN,
    Identity,
    KeyMaterial,
    OperatorIdentity,
    SecretIdentity,
    ServiceAccountIdentity,
    Token,
    consumer_of,
)
from artifact_index.credentials.sdk_logs import quiet

LOGGERS: Final = ("google", "requests", "urllib3")
"""At DEBUG google-auth logs requests and answers, with the tokens in them."""

# Outside Google Cloud nothing answers at the metadata server's address: google-auth's own limit.
_METADATA_CONNECT_TIMEOUT = 3.0
_BOUND_TOKENS = (
    "GOOGLE_API_ENABLE_RUNTIME_BOUND_TOKEN",
    "GOOGLE_API_PREVENT_AGENT_TOKEN_SHARING_FOR_GCP_SERVICES",  # before google-auth 2.59
)


class GoogleTokens:
    """A thread-safe, synchronous client: call it from a worker thread, never from the event loop.

    A call lasts at most about `deadline` + `read_timeout` seconds. The metadata server is found by
    google-auth's `GCE_METADATA_HOST`, read at its first import.
    """

    def __init__(
        self,
        urls: ServiceURLs = ServiceURLs(),  # noqa: B008 - frozen
        *,
        connect_timeout: float = 5.0,
        read_timeout: float = 10.0,
        deadline: float = 30.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._urls = urls
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._deadline = deadline
        self._now = now
        self._lock = threading.Lock()
        self._prepared = False
        self._seen_metadata = False

    @property
    def calls(self) -> Mapping[type[Any], Callable[[Any, KeyMaterial], Token]]:
        """The method that answers each type of request."""
        return {GoogleTokenRequest: self.issue}

    def issue(self, request: GoogleTokenRequest, key_material: KeyMaterial) -> Token:
        """Get a token with the cloud-platform scope; `issued_at` is read before the call.

        The metadata server hands out its cached token, perhaps minutes before the expiry. Raises
        LoginError: `UnknownExpiry` if the token names no expiry in the future.
        """
        self._prepare()
        login = self._first_step(request.identity, key_material)
        if request.impersonate is not None:
            login = identities.impersonated(login, request.impersonate, self._urls)
        issued_at = math.floor(self._now())
        token, expiry, answer = self._refresh(login, consumer_of(request.identity))
        ends = expires_at(answer, expiry)
        if ends is None or ends <= issued_at:
            raise unknown_expiry(login)
        return Token(value=SecretStr(token), issued_at=issued_at, expires_at=ends)

    def _first_step(self, identity: Identity, key_material: KeyMaterial) -> GoogleCredentials:
        match identity:
            case OperatorIdentity():
                return identities.operator_login(self._urls)
            case SecretIdentity():
                key = key_material.get("key_json")
                if key is None:
                    # Do not fall back to the operator's own identity.
                    message = "the Secret holds no key"
                    raise LoginError(Reason.INVALID_CREDENTIAL, message)
                return identities.secret_key_login(key.get_secret_value(), self._urls)
            case ServiceAccountIdentity():
                token = key_material[SUBJECT_TOKEN].get_secret_value()
                return identities.service_account_login(identity, token, self._urls)

    def _refresh(
        self, login: GoogleCredentials, consumer: str
    ) -> tuple[str, int | None, Answer | None]:
        """The token, google-auth's expiry in POSIX seconds, and the answer that contained both."""
        metadata, connect = login.kind == "metadata", self._connect_timeout
        if metadata:
            connect = min(connect, _METADATA_CONNECT_TIMEOUT)
        transport = Transport(
            connect_timeout=connect,
            read_timeout=self._read_timeout,
            deadline=self._deadline,
            now=self._now,
            reason=f"{FIELD_MANAGER} {consumer}".rstrip(),
        )
        try:
            login.credentials.refresh(transport)
            token = login.credentials.token
            if not isinstance(token, str) or not token:
                raise ValueError("no token")
            expiry = login.credentials.expiry  # a naive datetime in UTC
        except Exception as error:  # google-auth may raise anything if the answer is garbage
            seen, last = self._seen_metadata, transport.last
            raise login_error(error, last, login, seen_metadata=seen) from None
        finally:
            if metadata and transport.last is not None:
                self._seen_metadata = True
            transport.close()
        ends = calendar.timegm(expiry.utctimetuple()) if isinstance(expiry, datetime) else None
        return token, ends, transport.last

    def _prepare(self) -> None:
        with self._lock:
            if self._prepared:
                return
            # Another pod could not use a token that is bound to this pod's certificate.
            os.environ.update(dict.fromkeys(_BOUND_TOKENS, "false"))
            import google.auth.transport.requests  # noqa: F401, PLC0415 - 130 ms and 34 MB

            quiet(LOGGERS)
            self._prepared = True
