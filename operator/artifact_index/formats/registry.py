"""From an output's formats to its data: one place where kinds, formats and keys meet. Pure."""

import base64
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.index_options import IndexOptionsSpec, Output, OutputFormat
from artifact_index.formats.base import FormatLimit, PublicFile, SensitiveFile
from artifact_index.formats.document import Document, PublicContent, SensitiveContent
from artifact_index.formats.environment import Claims, environment_variables
from artifact_index.formats.netrc import netrc_file
from artifact_index.formats.pdm_toml import public_pdm_toml, sensitive_pdm_toml
from artifact_index.formats.pip_conf import public_pip_conf, sensitive_pip_conf
from artifact_index.formats.pypirc import public_pypirc, sensitive_pypirc
from artifact_index.formats.uv_toml import public_uv_toml, sensitive_uv_toml

if TYPE_CHECKING:
    from artifact_index.reconcile.plan.entries import IndexPlan

UV_TOML_KEY: Final = "uv.toml"
KEYS: Final[Mapping[OutputFormat, str]] = {
    "UvToml": UV_TOML_KEY,
    "Netrc": "netrc",
    "PipConf": "pip.conf",
    "Pypirc": ".pypirc",
    "PdmToml": "config.toml",
}
"""The key of a format that is a file; `Environment` has one key for each variable."""


@dataclass(frozen=True, slots=True)
class Content:
    """The data of an output as the API takes it (base64 in a Secret).

    `held` are the names of the indexes whose login is in it, if they have one.
    """

    data: Mapping[str, str] = field(repr=False)
    limits: tuple[FormatLimit, ...]
    held: frozenset[str]


def content_of(output: Output, document: Document, claims: Claims) -> Content:
    """What an output holds.

    Raises `NotCredentialFreeError`, and `RenderingError` where a text does not say what was meant.
    """
    if output.kind == "ConfigMap":
        return _config_map(output.formats, document)
    return _secret(output.formats, document, claims)


def claims_of(placed: "Sequence[IndexPlan]") -> Claims:
    """Which selected indexes claim the variables that exist once, ready or not."""
    publishers = []
    domains: defaultdict[str, list[str]] = defaultdict(list)
    for one in placed:
        spec = one.record.spec
        name = one.entry.name if one.entry is not None else one.name or one.record.ref.name
        if spec is not None and spec.publish:
            publishers.append(name)
        if spec is not None and (source := spec.code_artifact) is not None:
            domains[f"{source.domain}/{source.domain_owner}/{source.region}"].append(name)
    return Claims(tuple(publishers), {key: tuple(names) for key, names in domains.items()})


def formats_of(spec: IndexOptionsSpec, object_name: str) -> frozenset[OutputFormat]:
    """All formats that an IndexOptions writes."""
    outputs = spec.outputs_of(object_name)
    return frozenset(each for output in outputs for each in output.formats)


def login_formats(options: IndexOptionsSpec, object_name: str) -> frozenset[OutputFormat]:
    """The formats of an IndexOptions that may hold logins."""
    outputs = options.outputs_of(object_name)
    return frozenset(each for one in outputs if one.kind == "Secret" for each in one.formats)


def needs_login(formats: Set[OutputFormat], index: ArtifactIndexSpec) -> bool:
    """Whether one of these `login_formats` holds this index's: else none has to be minted."""
    return any(_carries(each, index) for each in formats)


def _carries(written: OutputFormat, index: ArtifactIndexSpec) -> bool:
    if written == "Pypirc":
        return index.publish
    return written not in ("PipConf", "PdmToml") or not index.explicit


_SENSITIVE: Final[Mapping[OutputFormat, Callable[[Document], SensitiveFile]]] = {
    "Netrc": netrc_file,
    "PipConf": sensitive_pip_conf,
    "Pypirc": sensitive_pypirc,
    "PdmToml": sensitive_pdm_toml,
}
_PUBLIC: Final[Mapping[OutputFormat, Callable[[Document], PublicFile]]] = {
    "PipConf": public_pip_conf,
    "Pypirc": public_pypirc,
    "PdmToml": public_pdm_toml,
}


def _secret(formats: Sequence[OutputFormat], document: Document, claims: Claims) -> Content:
    if "Environment" in formats:  # alone, by a rule of the API
        found = environment_variables(document, claims)
        data = _secret_data(SensitiveContent(dict(found.variables)))
        return Content(data, found.limits, found.held)
    content = SensitiveContent()
    limits: list[FormatLimit] = []
    held: set[str] = set()
    for each in formats:
        if each == "UvToml":
            content.files[UV_TOML_KEY] = sensitive_uv_toml(document)
            held.update(one.name for one in document.entries if not one.blocked)
            continue
        file = _SENSITIVE[each](document)
        content.files[KEYS[each]] = file.text
        limits.extend(file.limits)
        held |= file.held
    return Content(_secret_data(content), tuple(limits), frozenset(held))


def _config_map(formats: Sequence[OutputFormat], document: Document) -> Content:
    content = PublicContent()
    limits: list[FormatLimit] = []
    for each in formats:
        if each == "UvToml":
            content.files[UV_TOML_KEY] = public_uv_toml(document)
            continue
        file = _PUBLIC[each](document)
        content.files[KEYS[each]] = file.text
        limits.extend(file.limits)
    return Content(_config_map_data(content), tuple(limits), frozenset())


def _secret_data(content: SensitiveContent) -> dict[str, str]:
    return {
        key: base64.b64encode(text.get_secret_value().encode()).decode()
        for key, text in content.files.items()
    }


def _config_map_data(content: PublicContent) -> dict[str, str]:
    return dict(content.files)
