"""A file of an output with every secret masked, to show how two of them differ. Pure.

Only what is known to be public is shown: a line that the operator does not write, or a URL that may
be a secret as a whole, is masked.
"""

import re
import tomllib
from collections.abc import Collection, Iterator
from typing import Final

from artifact_index.cli.offline.stand_ins import REDACTED
from artifact_index.formats.base import HEADER
from artifact_index.formats.expiry import NO_LOGINS, VARIABLE, with_time
from artifact_index.formats.urls import UnusableURLError, has_userinfo, safe_url, without_userinfo

_COMMENT: Final = re.compile(
    rf"# ([a-z0-9-]+: (until REDACTED|no expiry known|unavailable)|{NO_LOGINS})"
)
_SECTION: Final = re.compile(r"\[{1,2}[a-z0-9.-]+\]{1,2}|")
_HOST: Final = re.compile(r"machine [A-Za-z0-9.-]+")
_NETRC_SECRET: Final = re.compile(r"  (login|password) ")
_INI: Final = re.compile(r"([a-z-]+) ?= ?(.*)|    (.*)")
_PUBLIC: Final = {
    "authenticate", "default", "exclude-newer", "explicit", "extra-index-url", "find-links",
    "format", "ignore-error-codes", "index-servers", "index-strategy", "name", "no-index",
    "no-input", "retries", "type",
}  # fmt: skip
"""Keys whose values are settings; URLs are looked at wherever they stand."""
_SECRET: Final = ("username", "password")
_URL_VARIABLE: Final = re.compile(r"(?!POETRY_PYPI_TOKEN_)[A-Z0-9_]+_(URL|REPO)")
"""A login may look like a URL, so that the names of keys and variables decide."""
_PUBLIC_VARIABLES: Final = ("TWINE_NON_INTERACTIVE", VARIABLE)
_URL_IN_FILE: Final = re.compile(r"https?://[^\s'\"]+")
_BLOCKED: Final = ".unavailable.invalid"


def masked(key: str, text: str, public_urls: Collection[str]) -> list[str]:
    """The lines of a file, or of a variable as `NAME=value`; `public_urls` have no userinfo."""
    text = with_time(text, REDACTED)
    if _is_variable(key):
        shown = _url(text, public_urls) if _URL_VARIABLE.fullmatch(key) else REDACTED
        return [f"{key}={text if key in _PUBLIC_VARIABLES else shown}"]
    return [_line(line, public_urls) for line in text.split("\n")]


def urls_in(text: str) -> Iterator[str]:
    """The URLs of a file without secrets, without their userinfo."""
    for url in _URL_IN_FILE.findall(text):
        try:
            yield without_userinfo(url)
        except UnusableURLError:
            continue


def _is_variable(key: str) -> bool:
    return key.isupper()


def _line(line: str, public_urls: Collection[str]) -> str:
    if any(shape.fullmatch(line) for shape in (_COMMENT, _SECTION, _HOST)) or line == HEADER[:-1]:
        return line
    if (found := _NETRC_SECRET.match(line)) is not None:
        return f"{found[0]}{REDACTED}"
    if (found := _INI.fullmatch(line)) is None:
        return REDACTED
    key, value, more = found.groups()
    if more is not None:
        listed = _url(more, public_urls) if more.startswith("http") else REDACTED
        return f"    {listed}"
    try:
        said = tomllib.loads(line)[key]
    except (tomllib.TOMLDecodeError, KeyError):
        said = value  # of INI
    if isinstance(said, str) and said.startswith("http") and key not in _SECRET:
        return f"{key} = {_url(said, public_urls)}"
    is_setting = key in _PUBLIC and "://" not in value
    return f"{key} = {value if is_setting or not said else REDACTED}"


def _url(url: str, public_urls: Collection[str]) -> str:
    """The URL without its login, and without its path unless that is public."""
    try:
        bare = without_userinfo(url)
    except UnusableURLError:
        return REDACTED
    host = safe_url(url) or ""
    is_public = bare in public_urls and f"/{REDACTED}" not in bare
    shown = bare if is_public or host.endswith(_BLOCKED) else f"{host}/{REDACTED}"
    login = f"{REDACTED}:{REDACTED}@" if has_userinfo(url) else ""
    return shown.replace("://", f"://{login}", 1)
