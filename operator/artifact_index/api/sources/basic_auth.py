"""HTTP Basic authentication with a password from a Secret."""

from typing import Annotated, ClassVar

from pydantic import Field

from artifact_index.api.fields import DataKey, Url
from artifact_index.api.interning import SHARED
from artifact_index.api.rules import matching
from artifact_index.api.sources.base import SecretRef, SourceModel

UserName = Annotated[
    str,
    Field(max_length=256),
    matching(
        r"[^:\x00-\x1f\x7f]*",
        "must not hold a colon or control characters, which HTTP Basic "
        "authentication cannot carry (RFC 7617)",
    ),
]


class BasicAuthSecretRef(SecretRef):
    """A user name and a password in a Secret."""

    username_key: DataKey = "username"
    """Key of the Secret that holds the user name. Not read where `username` is set."""

    password_key: DataKey = "password"  # noqa: S105 - the name of a key
    """Key of the Secret that holds the password or token."""


class BasicAuthSource(SourceModel):
    """An index with HTTP Basic authentication."""

    may_be_flat: ClassVar[bool] = True

    url: Url
    """URL of the index, as uv takes it; without user name, query and fragment."""

    publish_url: Annotated[Url | None, Field(alias="publishURL")] = None
    """URL of the upload API, with the same login; needed for `publish`. Every client posts to it as
    it is; it is rarely the URL of the simple index. For another login, use an ArtifactIndex
    of its own with the same `url`, `explicit: true` and `publish: true`."""

    username: UserName | None = None
    """The user name, where it is no secret; may be empty. Absent: it is read from the Secret."""

    secret_ref: Annotated[BasicAuthSecretRef, SHARED]
    """The Secret with the password or token, and with the user name unless `username` is set."""
