"""Sources of an ArtifactIndex: where an index is and which login it takes."""

from typing import Annotated, Literal

from pydantic import Field

from artifact_index.api.auth import (
    AssumeRole,
    CodeArtifactAuth,
    GoogleArtifactRegistryAuth,
    Impersonate,
)
from artifact_index.api.base import ApiModel
from artifact_index.api.duration import GoDuration, duration_between
from artifact_index.api.fields import DataKey, ObjectName, RegistryHost, Url
from artifact_index.api.interning import SHARED
from artifact_index.api.rules import Rules, matching

EndpointType = Literal["IPv4", "DualStack"]


class CodeArtifactSource(ApiModel):
    """An AWS CodeArtifact repository; the operator mints and renews its tokens."""

    domain: Annotated[
        str,
        Field(max_length=50),
        Rules(
            (
                matching(
                    "[a-z][a-z0-9-]{0,48}[a-z0-9]",
                    "must be the name of a CodeArtifact domain: lower-case letters, digits and "
                    "`-`, beginning with a letter",
                ),
            )
        ),
    ]
    """Name of the CodeArtifact domain."""

    domain_owner: Annotated[
        str,
        Field(max_length=12),
        Rules(
            (
                matching(
                    "[0-9]{12}",
                    "must be the 12 digits of the AWS account that owns the domain, in quotes",
                ),
            )
        ),
    ]
    """Number of the AWS account that owns the domain: 12 digits, in quotes."""

    region: Annotated[
        str,
        Field(max_length=32),
        Rules(
            (
                matching(
                    "[a-z]{2,8}(-[a-z]{1,16}){1,3}-[0-9]{1,2}",
                    "must be an AWS region, such as `eu-west-1`",
                ),
            )
        ),
    ]
    """AWS region of the domain."""

    repository: Annotated[
        str,
        Field(max_length=100),
        Rules(
            (
                matching(
                    "[A-Za-z0-9][A-Za-z0-9._-]{1,99}",
                    "must be the name of a CodeArtifact repository: letters, digits, `.`, `_` "
                    "and `-`, beginning with a letter or digit",
                ),
            )
        ),
    ]
    """Name of the repository in the domain."""

    token_duration: Annotated[
        GoDuration,
        Rules(
            (
                duration_between(
                    "15m",
                    "12h",
                    or_zero=True,
                    message="must be `0s` or between `15m` and `12h`, which is what CodeArtifact "
                    "grants; `0s` means until the caller's own session ends",
                ),
            )
        ),
    ] = GoDuration("12h")
    """Life of a token: 15m to 12h, or 0s for a token that lives as long as the caller's own
    session."""

    endpoint: Url | None = None
    """What GetRepositoryEndpoint would answer, for example a VPC endpoint's URL; it is then not
    called. `simple/` is appended. Absent: CodeArtifact is asked."""

    endpoint_type: EndpointType = "IPv4"
    """Kind of endpoint to ask for: IPv4 only, or IPv4 and IPv6 (DualStack)."""

    auth: Annotated[CodeArtifactAuth | None, SHARED] = None
    """Which identity asks for the token. Absent: the operator's own, as with
    `operatorIdentity: {}`."""

    assume_role: AssumeRole | None = None
    """An IAM role that this identity assumes first; the token is then the role's. AWS bounds such
    a session to one hour, which matters for `tokenDuration: 0s` alone."""


class GoogleArtifactRegistrySource(ApiModel):
    """A Python repository of Google Artifact Registry; the operator mints and renews its tokens."""

    project: Annotated[
        str,
        Field(max_length=100),
        Rules(
            (
                matching(
                    "([a-z0-9]([a-z0-9.-]*[a-z0-9])?:)?[a-z][a-z0-9-]{4,28}[a-z0-9]",
                    "must be the ID of a Google Cloud project (not its name or number): 6 to 30 "
                    "lower-case letters, digits and `-`, beginning with a letter",
                ),
            )
        ),
    ]
    """ID of the Google Cloud project."""

    location: Annotated[
        str,
        Field(max_length=63),
        Rules(
            (
                matching(
                    "[a-z]([a-z0-9-]*[a-z0-9])?",
                    "must be a location of Artifact Registry: a region such as `europe-west1` or "
                    "a multi-region such as `europe`",
                ),
            )
        ),
    ]
    """Region or multi-region of the repository."""

    repository: Annotated[
        str,
        Field(max_length=63),
        Rules(
            (
                matching(
                    "[a-z]([a-z0-9-]*[a-z0-9])?",
                    "must be the name of an Artifact Registry repository: lower-case letters, "
                    "digits and `-`, beginning with a letter",
                ),
            )
        ),
    ]
    """Name of the repository."""

    host: RegistryHost | None = None
    """Host instead of `LOCATION-python.pkg.dev`, with an optional port, for sovereign clouds and
    Private Service Connect. `http://` may stand before it where the administrator allows it."""

    auth: Annotated[GoogleArtifactRegistryAuth | None, SHARED] = None
    """Which identity asks for the token. Absent: the operator's own, as with
    `operatorIdentity: {}`."""

    impersonate: Annotated[Impersonate | None, SHARED] = None
    """A service account that this identity impersonates first; the token is then that
    account's."""


class UrlSecretRef(ApiModel):
    """A complete URL in a Secret."""

    name: ObjectName
    """Name of the Secret, in this namespace. Label it `artifactindex.dev/role: source` and
    changes take effect at once."""

    key: DataKey = "url"
    """Key of the Secret that holds the URL."""


class PreauthenticatedSource(ApiModel):
    """An index whose complete URL, login included, stands in a Secret."""

    url_secret_ref: Annotated[UrlSecretRef, SHARED]
    """The Secret with the URL. The URL is used as it stands."""


class BasicAuthSecretRef(ApiModel):
    """A user name and a password in a Secret."""

    name: ObjectName
    """Name of the Secret, in this namespace. Label it `artifactindex.dev/role: source` and
    changes take effect at once."""

    username_key: DataKey = "username"
    """Key of the Secret that holds the user name. Not read where `username` is set."""

    password_key: DataKey = "password"  # noqa: S105 - the name of a key
    """Key of the Secret that holds the password or token."""


class BasicAuthSource(ApiModel):
    """An index with HTTP Basic authentication."""

    url: Url
    """URL of the simple index, as uv takes it; without user name, query and fragment."""

    publish_url: Annotated[Url | None, Field(alias="publishURL")] = None
    """URL that packages are uploaded to, with the same login. Needed for `publish`."""

    username: (
        Annotated[
            str,
            Field(max_length=256),
            Rules(
                (
                    matching(
                        r"[^:\x00-\x1f\x7f]*",
                        "must not hold a colon or control characters, which HTTP Basic "
                        "authentication cannot carry (RFC 7617)",
                    ),
                )
            ),
        ]
        | None
    ) = None
    """The user name, where it is no secret; may be empty. Absent: it is read from the Secret."""

    secret_ref: Annotated[BasicAuthSecretRef, SHARED]
    """The Secret with the password or token, and with the user name unless `username` is set."""


class AnonymousSource(ApiModel):
    """An index without a login."""

    url: Url
    """URL of the simple index, as uv takes it; without user name, query and fragment."""
