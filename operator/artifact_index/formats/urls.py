"""Splits, validates and strips index URLs, without ever quoting one in an error.

The grammar here is narrower than uv's, which follows the WHATWG URL standard. If the two could
disagree on which host a URL names (a backslash, a missing slash, a percent sign in the host) the
URL is unusable, so that an allow-list of hosts checks the host that uv will ask.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from pydantic import SecretStr

from artifact_index.formats.document import Credential

# Scheme, authority and the rest: RFC 3986 appendix B, with the scheme and `//` required.
_SHAPE: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#\\]*)(.*)", re.DOTALL)
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
_PORT: Final = re.compile("[0-9]{0,5}")
# White space, C0 controls, DEL, C1 controls, and zero-width or direction marks.
_INVISIBLE: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\ufeff]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_NUMERIC_LABEL: Final = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_ENCODED_DOT: Final = re.compile("%2e", re.IGNORECASE)
_SIMPLE: Final = re.compile(r"(?<=/)\+?simple/?\Z", re.IGNORECASE)
_KEPT_IN_PATHS: Final = "!$%&'()*+,-./:;=@[]_|~"


class UnusableURLError(ValueError):
    """The URL cannot be used. The message says why and never holds any part of the URL."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """A URL cut at its delimiters; nothing is decoded.

    `port` is with its colon, and `rest` is path, query and fragment.
    """

    scheme: str
    userinfo: str = field(repr=False)
    host: str
    port: str
    rest: str = field(repr=False)


def _cut(url: str) -> _Parts | None:
    """Cut a URL at its delimiters; None if it has no scheme and authority."""
    match = _SHAPE.fullmatch(url)
    if match is None:
        return None
    scheme, authority, rest = match.groups()
    userinfo, _, address = authority.rpartition("@")  # the last `@` ends it, as in uv
    if address.startswith("["):
        literal, bracket, port = address.partition("]")
        host = literal + bracket
        if port and not port.startswith(":"):
            return None
    else:
        host = address.partition(":")[0]
        port = address.removeprefix(host)
    return _Parts(scheme, userinfo, host, port, rest)


def validate_index_url(url: str) -> str | None:
    """Say what makes a URL unusable as an index URL, in words without the URL; None if nothing.

    uv takes any other string for a local path and then reports "package not found", so a scheme
    in lower case, `//` and a host are required here (reference: uv's `VerbatimUrl`).
    """
    if (problem := _text_problem(url)) is not None:
        return problem
    parts = _cut(url)
    if parts is None:
        return "the URL is not absolute: it must start with https:// and a host"
    return _scheme_problem(parts) or _address_problem(parts) or _userinfo_problem(parts)


def _text_problem(url: str) -> str | None:
    """Say which character a URL must not contain."""
    if not url:
        return "the URL is empty"
    if _INVISIBLE.search(url.strip()):
        return "the URL holds white space, a control character or an invisible character"
    if url != url.strip():
        return "the URL has white space around it, perhaps a line break at its end"
    if _SURROGATE.search(url):
        return "the URL is not valid Unicode"
    if "\\" in url:
        return "the URL holds a backslash; percent-encode it as %5C"
    return None


def _scheme_problem(parts: _Parts) -> str | None:
    if parts.scheme in ("http", "https"):
        return None
    if parts.scheme.lower() in ("http", "https"):
        return "the URL's scheme must be in lower case, else uv takes it for a local path"
    return "the URL's scheme must be https"


def _address_problem(parts: _Parts) -> str | None:
    """Say what is wrong with host and port."""
    if not parts.host:
        return "the URL names no host"
    if not parts.host.isascii():
        return "the URL's host must be written in ASCII (punycode, xn--…)"
    if _HOST.fullmatch(parts.host) is None:
        return (
            "the URL's host or port is malformed; "
            "reserved characters in user name and password must be percent-encoded"
        )
    if parts.host.startswith("[") and not is_ip_address(parts.host):
        return "the URL's host is not a valid IPv6 address"
    number = parts.port[1:]
    if number and (_PORT.fullmatch(number) is None or int(number) > 65535):
        return (
            "the URL's port is not a number from 0 to 65535; "
            "reserved characters in user name and password must be percent-encoded"
        )
    return None


def _userinfo_problem(parts: _Parts) -> str | None:
    """Say what is wrong with user name and password.

    uv decodes both as UTF-8 and fails otherwise; a `%` that starts no escape stands for itself.
    """
    try:
        unquote_to_bytes(parts.userinfo).decode()
    except UnicodeDecodeError:
        return "the URL's user name or password is not percent-encoded UTF-8"
    return None


def _usable(url: str) -> _Parts | None:
    """Cut a valid URL; None if `validate_index_url` objects."""
    # A URL with a login is as long as its token and is used once: it is not cached.
    return _usable_uncached(url) if "@" in url else _usable_cached(url)


def _usable_uncached(url: str) -> _Parts | None:
    return _cut(url) if validate_index_url(url) is None else None


# A reconcile asks several times about each URL and its place, and many files share them.
_usable_cached = lru_cache(maxsize=256)(_usable_uncached)


def split_userinfo(url: str) -> tuple[str, Credential | None]:
    """Split a URL into the URL without userinfo and the decoded credential, None without one.

    Everything else keeps the user's spelling. Raises `UnusableURLError`.
    """
    parts = _usable(url)
    if parts is None:
        raise UnusableURLError(validate_index_url(url))
    bare = f"{parts.scheme}://{parts.host}{parts.port}{parts.rest}"
    username, _, password = parts.userinfo.partition(":")
    if not username and not password:
        return bare, None
    return bare, Credential(
        username=unquote_to_bytes(username).decode(),
        password=SecretStr(unquote_to_bytes(password).decode()),
    )


def without_userinfo(url: str) -> str:
    """Remove user name and password, and nothing else. Raises `UnusableURLError`."""
    return split_userinfo(url)[0]


def with_credential(url: str, credential: Credential) -> str:
    """Put a raw credential into a URL without userinfo, with every reserved character encoded.

    A credential without user name and password leaves the URL as it is, and one without a
    password adds no colon. Raises `UnusableURLError`.
    """
    bare, present = split_userinfo(url)
    if present is not None:
        raise UnusableURLError("the URL already holds a user name or password")
    if any(_SURROGATE.search(text) for _, text in credential.parts):
        raise UnusableURLError("the user name or password is not valid Unicode")
    user, password = (quote(text, safe="") for _, text in credential.parts)
    if not user and not password:
        return bare
    scheme, separator, rest = bare.partition("://")
    return f"{scheme}{separator}{user}{':' if password else ''}{password}@{rest}"


def needs_encoding(credential: Credential) -> bool:
    """Whether user name or password stand otherwise in a URL than they are."""
    return any(quote(text, safe="") != text for _, text in credential.parts)


def has_userinfo(url: str) -> bool:
    """Whether the URL holds a user name or a password; False for an unusable URL."""
    parts = _usable(url)
    return parts is not None and parts.userinfo not in ("", ":")


def has_query_or_fragment(url: str) -> bool:
    """Whether the URL holds a `?` or a `#` that starts a query or a fragment, even an empty one."""
    parts = _cut(url)
    return parts is not None and not {"?", "#"}.isdisjoint(parts.rest)


def host_of(url: str) -> str | None:
    """The host in lower case, IPv6 in brackets, without port; None for an unusable URL."""
    parts = _usable(url)
    return parts.host.lower() if parts is not None else None


def address_of(url: str) -> str | None:
    """Host and, if the URL names one, port, in lower case; None for an unusable URL."""
    parts = _usable(url)
    return f"{parts.host}{parts.port}".lower() if parts is not None else None


class Place(NamedTuple):
    """Where a URL leads: the same for each spelling that clients take for the same.

    `address` is the host with its port, unless that is the default of the scheme.
    """

    scheme: str
    address: str
    path: str


def place_of(url: str) -> Place | None:
    """The place of a URL by the WHATWG URL standard, which uv follows; None for an unusable URL."""
    return _place_uncached(url) if "@" in url else _place_cached(url)


def _place_uncached(url: str) -> Place | None:
    parts = _usable(url)
    if parts is None:
        return None
    host, number = parts.host.lower(), int(parts.port[1:] or 0)
    if host.startswith("["):
        host = f"[{ip_address(host[1:-1])}]"
    port = f":{number}" if parts.port[1:] and number != _DEFAULT_PORTS[parts.scheme] else ""
    return Place(parts.scheme, f"{host}{port}", _plain_path(re.split("[?#]", parts.rest)[0]))


_place_cached = lru_cache(maxsize=256)(_place_uncached)


def root_of(url: str) -> Place | None:
    """The place of an index without `simple/`: uv keeps its login for all below; None as above."""
    place = place_of(url)
    return place._replace(path=without_simple(place.path)) if place is not None else None


def without_simple(path: str) -> str:
    """The path without a last `simple/` or `+simple/`, which uv does not count to the root."""
    return _SIMPLE.sub("", path)


def share_origin(one: str, other: str | None) -> bool:
    """Whether two URLs have the same scheme, host and port; False for an unusable or no URL."""
    places = place_of(one), place_of(other or "")
    return places[0] is not None and places[1] is not None and places[0][:2] == places[1][:2]


def _plain_path(path: str) -> str:
    """The path without `.` and `..`, which may be encoded, and with its letters encoded."""
    segments: list[str] = []
    plain = ""
    for segment in quote(path or "/", safe=_KEPT_IN_PATHS)[1:].split("/"):
        plain = _ENCODED_DOT.sub(".", segment)
        if plain == "..":
            del segments[-1:]
        elif plain != ".":
            segments.append(segment)
    return f"/{'/'.join(segments)}{'/' if segments and plain in ('.', '..') else ''}"


def safe_url(url: str) -> str | None:
    """Scheme and host only: what a status may say of a URL that may be a secret as a whole.

    None for an unusable URL, in which it is unclear which part is the host.
    """
    parts = _usable(url)
    return f"{parts.scheme}://{parts.host.lower()}" if parts is not None else None


def is_insecure(url: str) -> bool:
    """Whether the URL is plain http."""
    return url[:7].lower() == "http://"


def is_ip_address(host: str) -> bool:
    """Whether a host is an IP address in any spelling that URL parsers accept.

    The WHATWG URL standard treats a host whose last label is a number as IPv4 (`127.1`, `0x7f.1`).
    """
    if ":" in host or host.startswith("["):
        try:
            ip_address(host.removeprefix("[").removesuffix("]").partition("%")[0])
        except ValueError:
            return False
        return True
    last = host.removesuffix(".").rpartition(".")[2]
    return _NUMERIC_LABEL.fullmatch(last) is not None
