"""netrc: one login for each host, for uv, pip, PDM, Poetry and curl.

A netrc entry has neither port nor path, and of two entries for a host the programs do not take the
same one. So a host with two logins is left out, unless one of them is for uploads to the URL that
the other reads; and there is never a `default` entry, which would go to any host that asks (PyPI
included).
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from pydantic import SecretStr

from artifact_index.api.reasons import Reason
from artifact_index.formats import base
from artifact_index.formats.document import Credential, Document, IndexEntry
from artifact_index.formats.expiry import expiry_comments
from artifact_index.formats.urls import Place, host_of, place_of

_KEY: Final = "netrc"
# Python and uv read a backslash as an escape, curl reads it so only in quotes; quotes themselves
# are not known to all. What needs neither means the same to everybody.
_AMBIGUOUS: Final = frozenset('"\\')

_LONGEST_LINE: Final = 4094
"""Characters: curl 7.88 passes over a longer line, and so over the user name or password in it."""


class Netrc(base.Format):
    """A netrc with the login of each host that has exactly one."""

    name = "Netrc"
    key = _KEY
    needs_claims = True

    def render_secret(self, document: Document) -> base.SensitiveContent:
        """Render the logins. Raises `RenderingError`."""
        limits: list[base.FormatLimit] = []
        hosts: defaultdict[str, dict[str, Credential]] = defaultdict(dict)
        readers = _readers(document)
        for entry in document.entries:
            login = None if entry.blocked else base.login_of(entry)
            if login is None:
                continue
            reader = readers.get(_place(entry)) if _uploads(entry) else None
            if reader is not None and reader[1] != login:
                message = (
                    f"netrc leaves out the login of index {entry.name!r}, which is for uploads: "
                    f"index {reader[0]!r} has the same URL and another login, and netrc one for "
                    "each host; upload with another format"
                )
                limits.append(base.FormatLimit(Reason.EXPLICIT_INDEX_LEFT_OUT, message))
                continue
            if (problem := _problem(entry, login)) is not None:
                message = f"netrc has no login for index {entry.name!r}: {problem}"
                limits.append(base.not_expressible(message))
                continue
            if any(len(f"  password {value}") > _LONGEST_LINE for _, value in login.parts):
                message = (
                    f"curl does not send the login of index {entry.name!r} from the netrc, since "
                    "it is too long for it; other clients do; use another format for curl"
                )
                limits.append(base.FormatLimit(Reason.TOO_LONG_FOR_CURL, message))
            hosts[_host(entry)][entry.name] = login

        lines: dict[str, Credential] = {}
        held: set[str] = set()
        for host, logins in hosts.items():
            if len(set(logins.values())) > 1:
                message = (
                    f"netrc has no login for host {host!r}: indexes {base.named(list(logins))} log "
                    "in to it differently, and netrc knows one login for each host; select them by "
                    "different IndexOptions, or use another format"
                )
                limits.append(base.not_expressible(message))
                continue
            lines[host] = next(iter(logins.values()))
            held.update(logins)
        text = expiry_comments(document.entries, held) + _text(lines)
        return base.SensitiveContent({_KEY: SecretStr(text)}, tuple(limits), frozenset(held))

    def read_back(self, files: Mapping[str, SecretStr], urls: base.URLs) -> dict[str, Credential]:
        """Read the login of each index's host."""
        lines = files[_KEY].get_secret_value().splitlines()
        words = " ".join(line for line in lines if not line.startswith("#")).split()
        hosts = {
            host: Credential(username, SecretStr(password))
            for host, username, password in zip(words[1::6], words[3::6], words[5::6], strict=False)
        }
        by_name = {name: host_of(url) for name, url in urls.items()}
        return {name: hosts[host] for name, host in by_name.items() if host in hosts}


def _host(entry: IndexEntry) -> str:
    return host_of(base.url_of(entry, sensitive=True)) or ""


def _uploads(entry: IndexEntry) -> bool:
    """Whether an index may be for uploads alone: no installer asks an explicit one by itself."""
    return entry.explicit and entry.publish_url is not None


def _readers(document: Document) -> dict[Place | None, tuple[str, Credential | None]]:
    """The other indexes with a login, by place; none if nothing is uploaded.

    Also those whose login is unavailable: the one for uploads must not take its place.
    """
    if not any(map(_uploads, document.entries)):
        return {}
    claims = document.claims.readers.items()
    readers: dict[Place | None, tuple[str, Credential | None]] = {
        _place_of(url): (name, None) for url, name in claims
    }
    for entry in document.entries:
        login = base.login_of(entry)
        if login is not None and not entry.blocked and not _uploads(entry):
            readers[_place(entry)] = entry.name, login
    return readers


def _place(entry: IndexEntry) -> Place | None:
    # Of a URL that may be a secret as a whole, `url` has the host only.
    return _place_of(entry.verbatim_url.get_secret_value() if entry.verbatim_url else entry.url)


def _place_of(url: str) -> Place | None:
    place = place_of(url)
    return place._replace(path=place.path.rstrip("/")) if place is not None else None


def _problem(entry: IndexEntry, login: Credential) -> str | None:
    if _host(entry).startswith("["):
        return "it cannot name the host by an IPv6 address; give the host a DNS name"
    for what, value in login.parts:
        if not value:
            return f"it cannot carry an empty {what}; use another format"
        printable = value.isascii() and value.isprintable() and " " not in value
        # curl takes a word that begins with # for a comment.
        if not printable or value.startswith("#") or not _AMBIGUOUS.isdisjoint(value):
            return (
                f"its {what} begins with #, or holds white space, a quote, a backslash or a "
                "character that is not ASCII, which programs read differently there; use another "
                "format"
            )
    return None


def _text(logins: Mapping[str, Credential]) -> str:
    text = ""
    meant: list[str] = []
    for host, login in logins.items():
        words = ("machine", host, "login", login.username, "password", login.raw_password)
        text += "{} {}\n  {} {}\n  {} {}\n".format(*words)
        meant += words
    if text.split() != meant:
        raise base.RenderingError("the netrc does not say what was meant", index_name="")
    return text
