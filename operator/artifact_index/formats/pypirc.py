"""The .pypirc of twine: one server for each index that is published to (RawConfigParser)."""

import configparser
from collections.abc import Mapping
from typing import Final

from pydantic import SecretStr

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.reasons import Reason
from artifact_index.formats.base import (
    HEADER,
    Format,
    FormatLimit,
    PublicContent,
    RenderingError,
    SensitiveContent,
    URLs,
    ascii_url,
    login_of,
    logins_of_tables,
    parsed_ini,
)
from artifact_index.formats.document import Credential, Document

_KEY: Final = ".pypirc"
# Sections that mean something else to twine and distutils.
_RESERVED_NAMES: Final = frozenset({"distutils", "server-login"})


class Pypirc(Format):
    """The servers that twine uploads to."""

    name = "Pypirc"
    key = _KEY

    def carries(self, index: ArtifactIndexSpec) -> bool:
        """Whether packages are uploaded to the index."""
        return index.publish

    def render_secret(self, document: Document) -> SensitiveContent:
        """Render with logins. Raises `RenderingError`."""
        sections, limits = _sections(document, sensitive=True)
        text = SecretStr(_text(sections))
        return SensitiveContent({_KEY: text}, limits, frozenset(sections))

    def render_public(self, document: Document) -> PublicContent:
        """Render without any credential. Raises `RenderingError`."""
        sections, limits = _sections(document, sensitive=False)
        return PublicContent({_KEY: _text(sections)}, limits)

    def read_back(self, files: Mapping[str, SecretStr], urls: URLs) -> dict[str, Credential]:
        """Read the login of the server that is named like each index."""
        return logins_of_tables(parsed_ini(files[_KEY]), urls)


def _sections(
    document: Document, *, sensitive: bool
) -> tuple[dict[str, dict[str, str]], tuple[FormatLimit, ...]]:
    limits: list[FormatLimit] = []
    sections: dict[str, dict[str, str]] = {}
    for entry in document.entries:
        if entry.publish_url is None or entry.blocked:
            continue
        login = login_of(entry) if sensitive else None
        if (problem := _problem(entry.name, login)) is not None:
            message = f".pypirc has no server for index {entry.name!r}: {problem}"
            limits.append(FormatLimit(Reason.NOT_EXPRESSIBLE, message, severe=True))
            continue
        sections[entry.name] = {"repository": ascii_url(entry.publish_url)}
        if login is not None:
            sections[entry.name] |= {"username": login.username, "password": _raw(login)}
    return sections, tuple(limits)


def _problem(name: str, login: Credential | None) -> str | None:
    if name in _RESERVED_NAMES:
        return f"a section {name!r} means something else there; choose another spec.name"
    if login is None:
        return None
    for what, value in (("user name", login.username), ("password", _raw(login))):
        if value != value.strip() or not {"\n", "\r"}.isdisjoint(value):
            return (
                f"its {what} holds a line break or has white space around it, which the file "
                "cannot carry; use another format"
            )
    return None


def _text(sections: dict[str, dict[str, str]]) -> str:
    servers = "".join(f"    {name}\n" for name in sections)
    text = f"{HEADER}[distutils]\nindex-servers =\n{servers}"
    for name, values in sections.items():
        text += f"\n[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    parsed = {section: dict(parser[section]) for section in parser.sections()}
    listed = parsed.pop("distutils")["index-servers"].split()
    if parsed != sections or listed != list(sections):
        raise RenderingError("the .pypirc does not say what was meant", index_name="")
    return text


def _raw(login: Credential) -> str:
    return login.password.get_secret_value()
