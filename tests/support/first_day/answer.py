"""An answer, and what of it is the same in each run."""

import re
from dataclasses import dataclass
from typing import Final

_VARIES: Final = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "2026-01-02T03:04:05Z"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:6443"),
    (r"\('127\.0\.0\.1', \d+\)", "('127.0.0.1', 6443)"),
    (r"\(labels in use: ([^,)]+)[^)]*\)", r"(labels in use: \1, …)"),
    (r"\b44m\d\ds\b", "44m50s"),
    (r"valid for (59m\d\ds|1h)\b", "valid for 1h"),
    (r"\bport \d+", "port 8080"),
    # From Kubernetes 1.35 on a string that a rule refuses is quoted, and of an object nothing is
    # said. Before that it was the type.
    (r'Invalid value: "(?!object"|integer")[^"]+"', 'Invalid value: "string"'),
    (r'Invalid value: (?!"|null\b)', 'Invalid value: "object": '),
)


@dataclass(frozen=True)
class Answer:
    """What was done, as the reader of the page would do it, who answered and with what text."""

    title: str
    done: str
    by: str
    text: str
    says: tuple[str, ...]


def shown(text: str) -> str:
    """The text without what differs between two runs."""
    for pattern, instead in _VARIES:
        text = re.sub(pattern, instead, text)
    return text


def says(text: str, parts: tuple[str, ...]) -> bool:
    """Whether the text holds the parts in this order."""
    for part in parts:
        _, found, text = text.partition(part)
        if not found:
            return False
    return True
