"""The list of formats, and what follows from it: an output's data, and logins read back. Pure."""

import base64
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Final

from pydantic import SecretStr

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.index_options import OptionsSpec, Output, OutputFormat, OutputKind
from artifact_index.formats.base import Format, FormatLimit, PublicContent, SensitiveContent, URLs
from artifact_index.formats.document import Credential, Document
from artifact_index.formats.environment import Environment
from artifact_index.formats.netrc import Netrc
from artifact_index.formats.pdm_toml import PdmToml
from artifact_index.formats.pip_conf import PipConf
from artifact_index.formats.pypirc import Pypirc
from artifact_index.formats.uv_toml import UvToml

_ALL: Final = (UvToml(), Netrc(), PipConf(), Pypirc(), PdmToml(), Environment())
FORMATS: Final[Mapping[OutputFormat, Format]] = {each.name: each for each in _ALL}
"""Every format by its name in the API."""


@dataclass(frozen=True, slots=True)
class Content:
    """The data of an output as the API takes it (base64 in a Secret).

    `held` are the names of the indexes whose login is in it, if they have one.
    """

    data: Mapping[str, str] = field(repr=False)
    limits: tuple[FormatLimit, ...]
    held: frozenset[str]


@dataclass(frozen=True, slots=True)
class Rendering:
    """Renders a document for several outputs: each format once with logins and once without."""

    document: Document
    _rendered: dict[tuple[OutputKind, OutputFormat], Content] = field(default_factory=dict)

    def content_of(self, output: Output) -> Content:
        """The files of an output.

        Raises `NotCredentialFreeError`, and `RenderingError` if a text does not say what was meant.
        """
        contents = [self._content_of(output.kind, name) for name in output.formats]
        if len(contents) == 1:
            return contents[0]
        return Content(
            data={key: text for content in contents for key, text in content.data.items()},
            limits=tuple(limit for content in contents for limit in content.limits),
            held=frozenset(name for content in contents for name in content.held),
        )

    def least_size(self, output: Output) -> int:
        """Bytes that the files of an output have at least: a bound that costs no rendering."""
        sensitive = output.kind == "Secret"
        formats = (FORMATS[name] for name in output.formats)
        return sum(each.least_size(self.document, sensitive=sensitive) for each in formats)

    def _content_of(self, kind: OutputKind, name: OutputFormat) -> Content:
        content = self._rendered.get((kind, name))
        if content is None:
            content = self._rendered[kind, name] = self._render(kind, FORMATS[name])
        return content

    def _render(self, kind: OutputKind, form: Format) -> Content:
        if kind == "ConfigMap":
            public = form.render_public(self.document)
            return Content(_config_map_data(public), public.limits, frozenset())
        secret = form.render_secret(self.document)
        return Content(_secret_data(secret), secret.limits, secret.held)


def formats_of(options: OptionsSpec, object_name: str) -> frozenset[OutputFormat]:
    """All formats that an IndexOptions writes."""
    return frozenset(name for each in options.outputs_of(object_name) for name in each.formats)


def login_formats(options: OptionsSpec, object_name: str) -> frozenset[OutputFormat]:
    """The formats of an IndexOptions that may hold logins."""
    secrets = (each for each in options.outputs_of(object_name) if each.kind == "Secret")
    return frozenset(name for output in secrets for name in output.formats)


def needs_login(formats: Set[OutputFormat], index: ArtifactIndexSpec) -> bool:
    """Whether one of these `login_formats` holds this index's login: if not, it needs no token."""
    return any(FORMATS[name].carries(index) for name in formats)


def holds_variables(formats: Iterable[OutputFormat]) -> bool:
    """Whether the keys of an output of these formats are variables."""
    return any(FORMATS[name].key is None for name in formats)


def needs_claims(formats: Iterable[OutputFormat]) -> bool:
    """Whether an output of these formats needs the claims of its document."""
    return any(FORMATS[name].needs_claims for name in formats)


def formats_of_keys(kind: OutputKind, keys: Set[str]) -> tuple[OutputFormat, ...]:
    """The formats of an output that has these keys; somebody may have added others."""
    found = tuple(name for name, each in FORMATS.items() if each.key in keys)
    if kind == "ConfigMap":
        return tuple(name for name in found if name != "Netrc") or ("UvToml",)
    return found or ("Environment",)


def without_order(formats: Set[OutputFormat]) -> list[OutputFormat]:
    """Those of the formats whose readers take the best version of all indexes, by name."""
    return sorted(name for name in formats if not FORMATS[name].ordered)


def read_logins(files: Mapping[str, SecretStr], urls: URLs) -> dict[str, Credential]:
    """Read the logins of indexes back from the files of an output, by name of the index.

    Only for content whose digest was verified. What is in none of the files, or does not look as
    we write it, is left out.
    """
    logins: dict[str, Credential] = {}
    for each in FORMATS.values():
        if each.key is None or each.key in files:
            logins |= each.read_back(files, urls)
    return logins


def _secret_data(content: SensitiveContent) -> dict[str, str]:
    return {
        key: base64.b64encode(text.get_secret_value().encode()).decode()
        for key, text in content.files.items()
    }


def _config_map_data(content: PublicContent) -> dict[str, str]:
    return dict(content.files)
