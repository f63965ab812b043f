"""Tokens that no consumer requires: a bounded number of them is kept."""

from itertools import islice
from typing import Final

from artifact_index.credentials.tokens.activity import InFlight
from artifact_index.credentials.tokens.entry import TokenEntry

LEAST_KEPT: Final = 1000
"""Tokens that no consumer requires are kept up to this number, or up to that of the others.

They may be published until their successors have been issued, and all may change at once.
"""


class Released(dict[str, TokenEntry]):
    """The entries without a consumer by digest, the oldest first."""

    def surplus(self, required: int) -> list[TokenEntry]:
        """The oldest of those that are too many beside so many `required` ones."""
        too_many = len(self) - max(LEAST_KEPT, required)
        if too_many <= 0:
            return []
        idle = (each for each in self.values() if not isinstance(each.activity, InFlight))
        return list(islice(idle, too_many))
