"""What a file is rendered from: typed index entries and the options around them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from artifact_index.api.artifact_index import ArtifactIndexSpec, Authenticate
from artifact_index.api.index_options import IndexStrategy


@dataclass(frozen=True, slots=True)
class Credential:
    """A user name and a password, raw (not percent-encoded); either may be empty."""

    username: str
    password: SecretStr

    @property
    def raw_password(self) -> str:
        """The password as text."""
        return self.password.get_secret_value()

    @property
    def parts(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """User name and password as text, each with its name for a message."""
        return ("user name", self.username), ("password", self.raw_password)


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One index as it goes into a file.

    `url` never holds userinfo. At most one of `credential` and `verbatim_url` is set; the latter
    is a complete URL that sensitive content holds exactly as the user wrote it; `public_path` says
    that nothing in it is secret but user name and password. `credentialed` says that the source has
    a login, even in content without it. A `flat` one is a page of links. `publish_url` is where
    packages are uploaded with the same login; None if nothing is. `described_by` is the
    command in the URL of a `blocked` entry. `expires_at` is when the login expires, in POSIX
    seconds; None if that is not known.
    """

    name: str
    url: str
    credential: Credential | None = None
    verbatim_url: SecretStr | None = None
    public_path: bool = False
    credentialed: bool = False
    explicit: bool = False
    authenticate: Authenticate | None = None
    ignore_error_codes: tuple[int, ...] = ()
    blocked: bool = False
    flat: bool = False
    exclude_newer: str | None = None
    described_by: str = ""
    publish_url: str | None = None
    expires_at: int | None = None


def asked_of_entry(spec: ArtifactIndexSpec, publish_url: str | None) -> dict[str, Any]:
    """The fields of an `IndexEntry` that the spec says besides its login."""
    return {
        "explicit": spec.explicit,
        "authenticate": spec.authenticate,
        "ignore_error_codes": tuple(spec.ignore_error_codes),
        "flat": spec.format == "flat",
        "exclude_newer": spec.exclude_newer,
        "publish_url": publish_url if spec.publish else None,
    }


@dataclass(frozen=True, slots=True)
class PublicEntry:
    """The public index: PyPI or its mirror, rendered first."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Claims:
    """Which selected indexes, ready or not, claim what exists once: a variable, a line of netrc.

    `publishers` are names of indexes. `domains` are names of indexes by CodeArtifact domain.
    `readers` are the URLs that are read with a login, each with the name of its index; none if no
    index is for uploads alone.
    """

    publishers: tuple[str, ...] = ()
    domains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    readers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """Everything that the files of one IndexOptions say; `entries` are in search order.

    Only variables and netrc need `claims`.
    """

    entries: tuple[IndexEntry, ...]
    public: PublicEntry | None
    prefer_private: bool = True
    index_strategy: IndexStrategy = "first-index"
    claims: Claims = Claims()

    @property
    def searched(self) -> list[IndexEntry]:
        """The entries that an installer asks for any package."""
        return [entry for entry in self.entries if not entry.explicit]
