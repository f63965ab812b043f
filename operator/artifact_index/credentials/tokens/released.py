"""Logins that nobody wants any more and that are kept for a while."""

from itertools import islice
from typing import Final

from artifact_index.credentials.tokens.entry import TokenEntry

LEAST_KEPT: Final = 1000
"""Formerly wanted logins that are kept at least, however few are wanted."""


class Released:
    """Formerly wanted logins, the oldest first.

    A token may be served until its successor has been minted, and all may change at once: as many
    are kept as are wanted.
    """

    def __init__(self) -> None:
        self._tokens: dict[str, TokenEntry] = {}

    def __len__(self) -> int:
        return len(self._tokens)

    def add(self, login: TokenEntry) -> None:
        """Nobody wants it any more."""
        self._tokens[login.digest] = login

    def discard(self, digest: str) -> None:
        """It is wanted again, or forgotten."""
        self._tokens.pop(digest, None)

    def surplus(self, wanted: int) -> list[TokenEntry]:
        """Those to be forgotten now, with `wanted` others; none that is being minted."""
        idle = (login for login in self._tokens.values() if not login.minting)
        return list(islice(idle, max(0, len(self._tokens) - max(LEAST_KEPT, wanted))))
