"""pip.conf: index URLs with their logins, as pip reads them (RawConfigParser, UTF-8 or ASCII).

pip asks every index and takes the best version of all, whatever the order. So the public index
stands beside the private ones only where none of those is blocked: pip passes over an index that
fails.
"""

import configparser
from typing import Final
from urllib.parse import quote

from pydantic import SecretStr

from artifact_index.api.reasons import Reason
from artifact_index.formats.base import FormatLimit, PublicFile, SensitiveFile, named
from artifact_index.formats.document import Document, IndexEntry
from artifact_index.formats.urls import UnusableURLError
from artifact_index.formats.uv_toml import HEADER, RenderingError, login_of, url_of

_ASCII: Final = "".join(chr(code) for code in range(0x21, 0x7F))


def sensitive_pip_conf(document: Document) -> SensitiveFile:
    """The file with its logins: for a Secret only. Raises `RenderingError`."""
    text, limits, held = _render(document, sensitive=True)
    return SensitiveFile(SecretStr(text), limits, held)


def public_pip_conf(document: Document) -> PublicFile:
    """The file without any credential. Raises `NotCredentialFreeError` and `RenderingError`."""
    text, limits, _ = _render(document, sensitive=False)
    return PublicFile(text, limits)


def _render(
    document: Document, *, sensitive: bool
) -> tuple[str, tuple[FormatLimit, ...], frozenset[str]]:

    searched = [entry for entry in document.entries if not entry.explicit]
    urls = [_url(entry, sensitive=sensitive) for entry in searched]
    blocked = any(entry.blocked for entry in searched)
    if document.public is not None and not blocked:
        public = ascii_url(document.public.url)
        urls = [*urls, public] if document.prefer_private else [public, *urls]
    values = {"no-input": "true"}
    if blocked:
        values["retries"] = "0"  # the blocked host cannot exist: no need to wait for it
    if urls:
        values["index-url"] = urls[0]
    else:
        values["no-index"] = "true"
    if urls[1:]:
        values["extra-index-url"] = "\n" + "\n".join(urls[1:])
    held = frozenset(one.name for one in searched if not one.blocked and login_of(one))
    limits = limits_without_order("pip.conf", document)
    return _text(values), limits, held if sensitive else frozenset()


def limits_without_order(file: str, document: Document) -> tuple[FormatLimit, ...]:
    """The notes of a format whose reader asks every index for every package."""
    limits = []
    explicit = [entry.name for entry in document.entries if entry.explicit]
    if explicit:
        message = (
            f"{file} leaves out the explicit indexes {named(explicit)}: its reader cannot keep a "
            "package to one index"
        )
        limits.append(FormatLimit(Reason.EXPLICIT_INDEX_LEFT_OUT, message))
    listed = [entry.name for entry in document.entries if not entry.explicit]
    if document.public is not None:
        listed.append(document.public.name)
    if len(listed) > 1:
        message = (
            f"{file} lists {named(listed)}, but its reader knows no order of indexes and takes the "
            "best version of all"
        )
        limits.append(FormatLimit(Reason.INDEX_ORDER_NOT_KEPT, message))
    return tuple(limits)


def ascii_url(url: str) -> str:
    """The URL with what is not ASCII percent-encoded: the same URL in any locale's encoding."""
    return quote(url, safe=_ASCII)


def _url(entry: IndexEntry, *, sensitive: bool) -> str:
    problem = None
    try:
        return ascii_url(url_of(entry, sensitive=sensitive))
    except UnusableURLError as error:
        problem = str(error)
    raise RenderingError(f"index {entry.name}: {problem}", index_name=entry.name)


def _indented(lines: str) -> str:
    return lines.replace("\n", "\n    ")


def _text(values: dict[str, str]) -> str:
    text = f"{HEADER}[global]\n"
    for key, value in values.items():
        text += f"{key} = {value}\n" if "\n" not in value else f"{key} ={_indented(value)}\n"
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    if {section: dict(parser[section]) for section in parser.sections()} != {"global": values}:
        raise RenderingError("the pip.conf does not say what was meant", index_name="")
    return text
