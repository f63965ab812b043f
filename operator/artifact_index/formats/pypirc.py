"""The .pypirc of twine: one server for each index that is published to (RawConfigParser)."""

import configparser
from typing import Final

from pydantic import SecretStr

from artifact_index.api.reasons import Reason
from artifact_index.formats.base import FormatLimit, PublicFile, SensitiveFile
from artifact_index.formats.document import Credential, Document
from artifact_index.formats.pip_conf import ascii_url
from artifact_index.formats.uv_toml import HEADER, RenderingError, login_of

# Sections that mean something else to twine and distutils.
RESERVED_NAMES: Final = frozenset({"distutils", "server-login"})


def sensitive_pypirc(document: Document) -> SensitiveFile:
    """The file with its logins: for a Secret only. Raises `RenderingError`."""
    text, limits, held = _render(document, sensitive=True)
    return SensitiveFile(SecretStr(text), limits, held)


def public_pypirc(document: Document) -> PublicFile:
    """The file without any credential. Raises `NotCredentialFreeError` and `RenderingError`."""
    text, limits, _ = _render(document, sensitive=False)
    return PublicFile(text, limits)


def _render(
    document: Document, *, sensitive: bool
) -> tuple[str, tuple[FormatLimit, ...], frozenset[str]]:

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
            password = login.password.get_secret_value()
            sections[entry.name] |= {"username": login.username, "password": password}
    held = frozenset(sections) if sensitive else frozenset[str]()
    return _text(sections), tuple(limits), held


def _problem(name: str, login: Credential | None) -> str | None:
    if name in RESERVED_NAMES:
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
