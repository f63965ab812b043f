"""The tokens that a stand-in has issued: who holds them, and until when they are accepted."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class IssuedToken:
    """One token; times are POSIX seconds. `scope` is what it opens, e.g. a CodeArtifact domain."""

    value: str
    principal: str
    scope: str
    issued_at: float
    expires_at: float


class TokenStore:
    """Thread-safe. `now` gives POSIX seconds."""

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._tokens: dict[str, IssuedToken] = {}

    def add(self, token: IssuedToken) -> IssuedToken:
        """Remember a token."""
        with self._lock:
            self._tokens[token.value] = token
        return token

    def all(self) -> list[IssuedToken]:
        """Every token issued so far and not revoked, oldest first."""
        with self._lock:
            return list(self._tokens.values())

    def issued(self, value: str) -> IssuedToken | None:
        """The token, dead or alive, unless it was revoked."""
        with self._lock:
            return self._tokens.get(value)

    def live(self, value: str) -> IssuedToken | None:
        """The token if it is accepted now."""
        with self._lock:
            token = self._tokens.get(value)
        return token if token is not None and self._now() < token.expires_at else None

    def revoke(self, value: str | None = None) -> None:
        """Refuse one token, or all that were issued so far, from now on."""
        with self._lock:
            if value is None:
                self._tokens.clear()
            else:
                self._tokens.pop(value, None)
