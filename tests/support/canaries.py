"""Searches for planted values in everything that is not the data of a Secret."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from unicodedata import normalize
from urllib.parse import quote

_SHORTEST = 8
"""Characters below which another form of a value may stand in a text by chance."""


@dataclass(frozen=True)
class Dump:
    """Texts that must hold no secret, each with where it was found."""

    places: dict[str, str]

    def search(self, value: str) -> list[str]:
        """Where a value stands, plain or in another form."""
        return [
            f"{place} ({form})"
            for place, text in self.places.items()
            for form, needle in forms(value).items()
            if needle in text and (form == "plain" or len(needle) >= _SHORTEST)
        ]


def forms(value: str) -> dict[str, str]:
    """A value as it may come to stand in a text."""
    raw = value.encode()
    encoded = quote(value, safe="")
    found = {
        "plain": value,
        "percent-encoded": encoded,
        "percent-encoded in lower case": quote(value, safe="").lower(),
        "percent-encoded twice": quote(encoded, safe=""),
        "as JSON": json.dumps(value)[1:-1],
        "as JSON in UTF-8": json.dumps(value, ensure_ascii=False)[1:-1],
        "as JSON in JSON": json.dumps(json.dumps(value))[3:-3],
        "as a Python literal": repr(value)[1:-1],
        "as an ASCII literal": ascii(value)[1:-1],
        "as bytes": repr(raw)[2:-1],
        "normalized": normalize("NFKC", value),
        "hexadecimal": raw.hex(),
        "reversed": value[::-1],
    }
    for shift in range(3):
        # The middle of the encoding is the same whatever stands around the value.
        for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            text = encode(b"x" * shift + raw).decode().rstrip("=")
            found[f"{name}+{shift}"] = text[4 if shift else 0 : -4]
    return found


def strings(value: object) -> Iterator[str]:
    """Every string in a JSON value, keys included."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value
