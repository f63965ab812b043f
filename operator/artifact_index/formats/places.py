"""Where a URL leads, as clients compare URLs: uv by the WHATWG URL standard. Pure."""

import re
from ipaddress import IPv4Address, ip_address
from typing import Final, NamedTuple
from urllib.parse import quote

from artifact_index.formats.urls import UrlParts, is_ip_address, parts_of

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_ENCODED_DOT: Final = re.compile("%2e", re.IGNORECASE)
# The standard encodes all but these, beside non-ASCII letters, and leaves escapes as they are.
_KEPT: Final = "!$%&'()*+,-./:;=@[]_|~"


class Place(NamedTuple):
    """Where a URL leads: two that lead to one place are equal, however they are spelt.

    `address` is the host with its port, without one that is the default of the scheme.
    """

    scheme: str
    address: str
    path: str


def place_of(url: str) -> Place | None:
    """The place of a URL, without its user name and password; None for an unusable URL."""
    parts = parts_of(url)
    if parts is None:
        return None
    number = parts.port[1:]
    is_default = not number or int(number) == _DEFAULT_PORTS[parts.scheme]
    port = "" if is_default else f":{int(number)}"
    path = re.split("[?#]", parts.rest)[0]
    return Place(parts.scheme, f"{_host(parts)}{port}", _path(path or "/"))


def _host(parts: UrlParts) -> str:
    host = parts.host.lower()
    if host.startswith("["):
        return f"[{ip_address(host[1:-1])}]"
    return _ipv4(host) if is_ip_address(host) else host


def _ipv4(host: str) -> str:
    """An address in decimal, octal or hexadecimal numbers, of which the last fills the rest."""
    try:
        *first, last = (
            int(part[2:] or "0", 16)
            if part.startswith("0x")
            else int(part, 8 if part[0] == "0" else 10)
            for part in host.removesuffix(".").split(".")
        )
        return str(IPv4Address(last + sum(n << (24 - 8 * at) for at, n in enumerate(first))))
    except (ValueError, IndexError):
        return host  # no client reads it as an address


def _path(path: str) -> str:
    """The path without `.` and `..`, which may be encoded, and with its letters encoded."""
    segments: list[str] = []
    plain = ""
    for segment in quote(path, safe=_KEPT)[1:].split("/"):
        plain = _ENCODED_DOT.sub(".", segment)
        if plain == "..":
            del segments[-1:]
        elif plain != ".":
            segments.append(segment)
    if plain in (".", ".."):
        segments.append("")
    return "/" + "/".join(segments)
