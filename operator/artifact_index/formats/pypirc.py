"""The .pypirc of twine: one server for each index that is published to (RawConfigParser)."""

from collections.abc import Mapping
from typing import Final

from pydantic import SecretStr

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.formats import base
from artifact_index.formats.document import Credential, Document
from artifact_index.formats.expiry import expiry_comments

# Sections that mean something else to twine and distutils.
_RESERVED_NAMES: Final = frozenset({"distutils", "server-login"})


class Pypirc(base.FileFormat):
    """The servers that twine uploads to."""

    name = "Pypirc"
    key = ".pypirc"

    def carries(self, index: ArtifactIndexSpec) -> bool:
        """Whether packages are uploaded to the index."""
        return index.publish

    def render(self, document: Document, *, sensitive: bool) -> base.Rendered:
        """Render a section for each server."""
        limits: list[base.FormatLimit] = []
        sections: dict[str, dict[str, str]] = {}
        for entry in document.entries:
            if entry.publish_url is None or entry.blocked:
                continue
            login = base.login_of(entry) if sensitive else None
            if (problem := _problem(entry.name, login)) is not None:
                message = f".pypirc has no server for index {entry.name!r}: {problem}"
                limits.append(base.not_expressible(message))
                continue
            url = base.ascii_url(entry.publish_url)
            sections[entry.name] = {"repository": url, **base.login_keys(login)}
        published = [entry for entry in document.entries if entry.publish_url and not entry.blocked]
        expiry = ""
        if sensitive:
            # Whether a blocked index is published to is not known.
            unsure = any(entry.blocked for entry in document.entries)
            expiry = expiry_comments(published, sections, unsure=unsure)
        return _text(sections, expiry), tuple(limits), frozenset(sections)

    def read_back(self, files: Mapping[str, SecretStr], urls: base.URLs) -> dict[str, Credential]:
        """Read the login of the server that is named like each index."""
        return base.logins_of_tables(base.parsed_ini(files[self.key].get_secret_value()), urls)


def _problem(name: str, login: Credential | None) -> str | None:
    if name in _RESERVED_NAMES:
        return f"a section {name!r} means something else there; choose another spec.name"
    for what, value in login.parts if login is not None else ():
        if not value:
            return f"twine sends no login with an empty {what}; use Environment"
        if value != value.strip() or not {"\n", "\r"}.isdisjoint(value):
            return (
                f"its {what} holds a line break or has white space around it, which the file "
                "cannot carry; use another format"
            )
    return None


def _text(sections: dict[str, dict[str, str]], expiry: str) -> str:
    servers = "".join(f"    {name}\n" for name in sections)
    text = f"{base.HEADER}{expiry}[distutils]\nindex-servers =\n{servers}"
    for name, values in sections.items():
        text += f"\n[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())
    listed = "".join(f"\n{name}" for name in sections)
    if base.parsed_ini(text) != {"distutils": {"index-servers": listed}, **sections}:
        raise base.RenderingError("the .pypirc does not say what was meant", index_name="")
    return text
