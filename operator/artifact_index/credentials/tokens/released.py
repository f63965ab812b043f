"""Logins that nobody wants any more and that are kept for a while."""

from itertools import islice
from typing import Final

from artifact_index.credentials.requests import CodeArtifactEndpointRequest
from artifact_index.credentials.tokens.entry import TokenEntry

LEAST_KEPT: Final = 1000
"""Formerly wanted logins of each kind that are kept at least, however few are wanted."""


class Released:
    """Formerly wanted logins, the oldest first.

    A token may be served until its successor has been minted, and all may change at once: as many
    are kept as are wanted. A URL is never withdrawn, so that few are kept.
    """

    def __init__(self) -> None:
        self._tokens: dict[str, TokenEntry] = {}
        self._urls: dict[str, TokenEntry] = {}

    def __len__(self) -> int:
        return len(self._tokens) + len(self._urls)

    def add(self, login: TokenEntry) -> None:
        """Nobody wants it any more; its request is still known."""
        is_url = isinstance(login.request, CodeArtifactEndpointRequest)
        (self._urls if is_url else self._tokens)[login.digest] = login

    def discard(self, digest: str) -> None:
        """It is wanted again, or forgotten."""
        self._tokens.pop(digest, None)
        self._urls.pop(digest, None)

    def surplus(self, wanted: int) -> list[TokenEntry]:
        """Those to be forgotten now, with `wanted` others; none that is being minted."""
        tokens = _oldest(self._tokens, beyond=max(LEAST_KEPT, wanted))
        return tokens + _oldest(self._urls, beyond=LEAST_KEPT)


def _oldest(released: dict[str, TokenEntry], *, beyond: int) -> list[TokenEntry]:
    idle = (login for login in released.values() if not login.minting)
    return list(islice(idle, max(0, len(released) - beyond)))
