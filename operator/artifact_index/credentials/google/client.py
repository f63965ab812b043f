"""Asks Google for access tokens, through google-auth."""

import calendar
import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Self

from pydantic import SecretStr

from artifact_index.api.reasons import Reason
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.google.errors import login_error, unknown_expiry
from artifact_index.credentials.google.identities import (
    GoogleCredentials,
    ServiceURLs,
    impersonated,
    operator_login,
    secret_key_login,
    service_account_login,
)
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
)
from artifact_index.credentials.sdk_logs import quiet
from artifact_index.settings import Settings

LOGGERS: Final = ("google", "requests", "urllib3")
"""At DEBUG google-auth logs requests and answers, with the tokens in them."""

# Outside Google Cloud nothing answers at the metadata server's address: google-auth's own limit.
_METADATA_CONNECT_TIMEOUT = 3.0
_BOUND_TOKENS = "GOOGLE_API_ENABLE_RUNTIME_BOUND_TOKEN"


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

    @classmethod
    def of(cls, settings: Settings, connect_timeout: float, read_timeout: float) -> Self:
        """A client of the operator, with the URLs of its settings."""
        urls = ServiceURLs(
            token_url=settings.google_token_url,
            sts_url=settings.google_sts_url,
            iam_credentials_url=settings.google_iam_credentials_url,
        )
        return cls(urls, connect_timeout=connect_timeout, read_timeout=read_timeout)

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
        login = self._login(request, key_material)
        issued_at = math.floor(self._now())
        token, expiry, answer = self._refresh(login)
        ends = expires_at(answer, expiry)
        if ends is None or ends <= issued_at:
            raise unknown_expiry(login)
        return Token(value=SecretStr(token), issued_at=issued_at, expires_at=ends)

    def _login(self, request: GoogleTokenRequest, key_material: KeyMaterial) -> GoogleCredentials:
        login = self._first_step(request.identity, key_material)
        if request.impersonate is None:
            return login
        return impersonated(login, request.impersonate, self._urls)

    def _first_step(self, identity: Identity, key_material: KeyMaterial) -> GoogleCredentials:
        match identity:
            case OperatorIdentity():
                return operator_login(self._urls)
            case SecretIdentity():
                key = key_material.get("key_json")
                if key is None:
                    # Do not fall back to the operator's own identity.
                    raise LoginError(
                        Reason.INVALID_CREDENTIAL, "the referenced Secret holds no key"
                    )
                return secret_key_login(key.get_secret_value(), self._urls)
            case ServiceAccountIdentity():
                token = key_material[SUBJECT_TOKEN].get_secret_value()
                return service_account_login(identity, token, self._urls)

    def _refresh(self, login: GoogleCredentials) -> tuple[str, int | None, Answer | None]:
        """The token, google-auth's expiry in POSIX seconds, and the answer that contained both."""
        metadata = login.kind == "metadata"
        transport = Transport(
            connect_timeout=min(
                self._connect_timeout, _METADATA_CONNECT_TIMEOUT if metadata else math.inf
            ),
            read_timeout=self._read_timeout,
            deadline=self._deadline,
            now=self._now,
        )
        try:
            login.credentials.refresh(transport)
            token = login.credentials.token
            if not isinstance(token, str) or not token:
                raise ValueError("no token")
            expiry = _posix(login.credentials.expiry)
        except Exception as error:  # google-auth may raise anything if the answer is garbage
            failure = login_error(
                error,
                transport.last,
                login,
                seen_metadata=self._seen_metadata,
                now=self._now(),
            )
            raise failure from None
        finally:
            if metadata and transport.last is not None:
                self._seen_metadata = True
            transport.close()
        return token, expiry, transport.last

    def _prepare(self) -> None:
        with self._lock:
            if self._prepared:
                return
            # Another pod could not use a token that is bound to this pod's certificate.
            os.environ[_BOUND_TOKENS] = "false"
            import google.auth.transport.requests  # noqa: F401, PLC0415 - 130 ms and 34 MB

            quiet(LOGGERS)
            self._prepared = True


def _posix(expiry: Any) -> int | None:
    """POSIX seconds of google-auth's naive UTC datetime."""
    if not isinstance(expiry, datetime):
        return None
    return calendar.timegm(expiry.utctimetuple())
