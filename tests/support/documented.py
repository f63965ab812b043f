"""What the how-to pages must quote of the operator's messages."""

import textwrap
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs" / "how-to"


def assert_quoted(page: str, message: str) -> None:
    """The page has the message in it, on however many lines."""
    text = " ".join((DOCS / page).read_text().split())
    shown = textwrap.fill(message, 96, break_long_words=False, break_on_hyphens=False)
    assert message in text, f"docs/how-to/{page} does not quote:\n{shown}"
