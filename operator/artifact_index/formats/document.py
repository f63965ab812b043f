"""What a file is rendered from: typed index entries and the options around them."""

from dataclasses import dataclass, field
from typing import Literal

from pydantic import SecretStr

IndexStrategy = Literal["first-index", "unsafe-first-match", "unsafe-best-match"]
Authenticate = Literal["auto", "always", "never"]


@dataclass(frozen=True, slots=True)
class Credential:
    """A user name and a password, raw (not percent-encoded); either may be empty."""

    username: str
    password: SecretStr


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One index as it goes into a file.

    `url` never holds userinfo. At most one of `credential` and `verbatim_url` is set; the latter
    is a complete URL that stands in sensitive content exactly as the user wrote it.
    `credentialed` says that the source has a login, also in content that does not hold it.
    `publish_url` is where packages are uploaded with the same login; None where nothing is.
    """

    name: str
    url: str
    credential: Credential | None = None
    verbatim_url: SecretStr | None = None
    credentialed: bool = False
    explicit: bool = False
    authenticate: Authenticate | None = None
    ignore_error_codes: tuple[int, ...] = ()
    blocked: bool = False
    publish_url: str | None = None


@dataclass(frozen=True, slots=True)
class PublicEntry:
    """The public index: PyPI or its mirror, rendered first."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Document:
    """Everything that one uv.toml says; `entries` are in search order."""

    entries: tuple[IndexEntry, ...]
    public: PublicEntry | None
    prefer_private: bool = True
    index_strategy: IndexStrategy = "first-index"


@dataclass(frozen=True, slots=True)
class SensitiveContent:
    """Files that may hold credentials: key of the output -> text. Only a Secret may carry them."""

    files: dict[str, SecretStr] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PublicContent:
    """Files that hold no credential by construction: key of the output -> text."""

    files: dict[str, str] = field(default_factory=dict)
