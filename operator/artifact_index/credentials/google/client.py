"""Google access tokens through google-auth."""

import calendar
import math
import os
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from artifact_index.api.reasons import Reason
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.google.errors import login_error, unknown_expiry
from artifact_index.credentials.google.identities import (
    DEFAULT_TOKEN_URL,
    Endpoints,
    GoogleCredentials,
    impersonated,
    operator_login,
    secret_key_login,
    service_account_login,
)
from artifact_index.credentials.google.transport import Answer, Transport, expires_at
from artifact_index.credentials.requests import (
    SUBJECT_TOKEN,
    GoogleTokenRequest,
    Identity,
    KeyMaterial,
    OperatorIdentity,
    SecretIdentity,
    ServiceAccountIdentity,
    Token,
)
from artifact_index.credentials.sdk_logs import quiet_sdks

# Off Google Cloud the metadata server's address leads nowhere: google-auth's own bound.
_METADATA_CONNECT_TIMEOUT = 3.0
_BOUND_TOKENS = "GOOGLE_API_ENABLE_RUNTIME_BOUND_TOKEN"


class GoogleTokens:
    """A thread-safe, synchronous client: call it from a worker thread, never from the event loop.

    A call lasts at most about `deadline` + `read_timeout` seconds. `token_url` is where service
    account keys and user credentials are exchanged, whatever their file says; `sts_url` and
    `iam_credentials_url` (a base URL) replace those of the operator's external_account file.
    The metadata server is found by google-auth's `GCE_METADATA_HOST`, read at its first import.
    """

    def __init__(
        self,
        *,
        token_url: str = DEFAULT_TOKEN_URL,
        sts_url: str | None = None,
        iam_credentials_url: str | None = None,
        connect_timeout: float = 5.0,
        read_timeout: float = 10.0,
        deadline: float = 30.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._endpoints = Endpoints(token_url, sts_url, iam_credentials_url)
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._deadline = deadline
        self._now = now
        self._lock = threading.Lock()
        self._prepared = False
        self._seen_metadata = False

    def mint(self, request: GoogleTokenRequest, material: KeyMaterial) -> Token:
        """A token with the cloud-platform scope; `issued_at` is taken before Google is asked.

        From the metadata server it is the server's cached token, perhaps minutes before its end.
        Raises LoginError; `UnknownExpiry` where the token names no expiry in the future.
        """
        self._prepare()
        login = self._login(request, material)
        issued_at = math.floor(self._now())
        token, expiry, answer = self._refresh(login)
        ends = expires_at(answer, expiry)
        if ends is None or ends <= issued_at:
            raise unknown_expiry(login)
        return Token(value=SecretStr(token), issued_at=issued_at, expires_at=ends)

    def _login(self, request: GoogleTokenRequest, material: KeyMaterial) -> GoogleCredentials:
        login = self._first_step(request.identity, material)
        if request.impersonate is None:
            return login
        return impersonated(login, request.impersonate, self._endpoints)

    def _first_step(self, identity: Identity, material: KeyMaterial) -> GoogleCredentials:
        match identity:
            case OperatorIdentity():
                return operator_login(self._endpoints)
            case SecretIdentity():
                key = material.get("key_json")
                if key is None:
                    # Never the operator's own identity instead.
                    raise LoginError(
                        Reason.INVALID_CREDENTIAL, "the referenced Secret holds no key"
                    )
                return secret_key_login(key.get_secret_value(), self._endpoints)
            case ServiceAccountIdentity():
                token = material[SUBJECT_TOKEN].get_secret_value()
                return service_account_login(identity, token, self._endpoints)

    def _refresh(self, login: GoogleCredentials) -> tuple[str, int | None, Answer | None]:
        """Token, google-auth's expiry in POSIX seconds, and the answer that brought them."""
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
        except Exception as error:  # garbage makes google-auth raise anything
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
            # A token bound to this pod's certificate would be useless in a builder's pod.
            os.environ[_BOUND_TOKENS] = "false"
            import google.auth.transport.requests  # noqa: F401, PLC0415 - 130 ms and 34 MB

            quiet_sdks()
            self._prepared = True


def _posix(expiry: Any) -> int | None:
    """POSIX seconds of google-auth's naive UTC datetime."""
    if not isinstance(expiry, datetime):
        return None
    return calendar.timegm(expiry.utctimetuple())
