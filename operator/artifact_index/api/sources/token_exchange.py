"""An index whose host exchanges a ServiceAccount's token for one of its own: closed presets."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from artifact_index.api.auth import Audience
from artifact_index.api.base import ApiModel
from artifact_index.api.fields import ObjectName, Url
from artifact_index.api.interning import SHARED
from artifact_index.api.rules import Rule, exactly_one, matching
from artifact_index.api.sources.base import SourceModel
from artifact_index.api.sources.basic_auth import UserName

SubjectTokenType = Literal["jwt", "id_token", "access_token"]

_PRESETS = ("jfrog", "cloudsmith", "rfc8693")
_Text = Annotated[
    str,
    Field(max_length=255),
    matching("[!-~]([ -~]*[!-~])?", "must be printable ASCII without spaces at its ends"),
]
_Slug = Annotated[
    str,
    Field(max_length=255),
    matching(
        "[A-Za-z0-9][A-Za-z0-9._-]*",
        "must be the slug, as it stands in Cloudsmith's URLs: letters, digits, `.`, `_` and `-`, "
        "beginning with a letter or digit",
    ),
]
_Member = Annotated[
    str,
    Field(max_length=64),
    matching(
        "[A-Za-z_][A-Za-z0-9_.-]*",
        "must be the name of a member of the answer's JSON object, such as `access_token`",
    ),
]
_PlatformUrl = Annotated[
    Url,
    Rule(
        cel="!self.matches('/artifactory/?$')",
        message="must be the URL of the platform, without `/artifactory`",
        holds=lambda url: not url.rstrip("/").endswith("/artifactory"),
    ),
]


class JFrogExchange(ApiModel):
    """An OIDC integration of a JFrog platform, with an identity mapping."""

    url: _PlatformUrl
    """URL of the platform, without `/artifactory`, such as `https://acme.jfrog.io`."""

    provider: _Text
    """Provider name of the OIDC integration that trusts this cluster."""

    identity_mapping: _Text | None = None
    """Name of the identity mapping. Absent: the one of highest priority that fits, which may give
    more rights or a shorter life."""

    project: _Text | None = None
    """Key of the JFrog project to which the integration belongs. Absent: none."""

    audience: _Text | None = None
    """JFrog services for which the token is wanted. JFrog compares it with `token_spec.audience` of
    the identity mapping, not with the audience of the ServiceAccount's token. Absent: those of the
    mapping."""

    username: UserName | None = None
    """User name beside the token. Absent: the one of the answer, else of the token's subject."""


class CloudsmithExchange(ApiModel):
    """An OIDC provider of a Cloudsmith workspace, with a service account."""

    workspace: _Slug
    """Slug of the workspace (organisation)."""

    service: _Slug
    """Slug of the service account whose token is issued."""

    url: Url = "https://api.cloudsmith.io"
    """URL of Cloudsmith's API."""


class ExchangeAnswer(ApiModel):
    """What the members of the answer's JSON object are called."""

    token: _Member = "access_token"  # noqa: S105 - the name of a member
    """The member that holds the token."""

    expires_in: _Member = "expires_in"
    """The member that holds the token's life in seconds. If the answer has none, the token must be
    a JWT with an expiry."""

    username: _Member | None = None
    """The member that holds the user name that goes with the token. Absent: `username` is used."""


class Rfc8693Exchange(ApiModel):
    """A token endpoint of RFC 8693; its host must be on the administrator's list."""

    endpoint: Url
    """URL of the token endpoint. Its host must be on the administrator's list (--allowed-hosts)."""

    audience: _Text | None = None
    """The request's `audience`: the service at which the new token is to be used."""

    scope: _Text | None = None
    """The request's `scope`: what the new token may do, separated by spaces."""

    subject_token_type: SubjectTokenType = "jwt"  # noqa: S105 - the name of a type
    """The request's `subject_token_type`, the end of its URN: how the endpoint takes the token of
    the ServiceAccount."""

    username: UserName = ""
    """User name beside the token; may be empty."""

    answer: ExchangeAnswer = ExchangeAnswer()
    """Names of the answer's members. Absent: those of RFC 8693."""


class Exchange(ApiModel):
    """Who exchanges the token, and how; exactly one."""

    rules: ClassVar[tuple[Rule, ...]] = (
        exactly_one(_PRESETS, "must set exactly one of `jfrog`, `cloudsmith` and `rfc8693`"),
    )

    jfrog: JFrogExchange | None = None
    """A JFrog platform (Artifactory)."""

    cloudsmith: CloudsmithExchange | None = None
    """Cloudsmith."""

    rfc8693: Rfc8693Exchange | None = None
    """Any token endpoint of RFC 8693 that the administrator allows."""


class ExchangeServiceAccountRef(ApiModel):
    """A Kubernetes ServiceAccount whose token is exchanged."""

    name: ObjectName
    """Name of the ServiceAccount, in this namespace."""

    audience: Audience | None = None
    """The one audience of its token. Absent: the URL of the `exchange`; of Cloudsmith
    `https://api.cloudsmith.io/openid/WORKSPACE`. One that does not name the host of the exchange
    could be good elsewhere: it needs the administrator's list of hosts (--allowed-hosts)."""


class TokenExchangeAuth(ApiModel):
    """Who logs in."""

    operator_identity: ClassVar[None] = None
    secret_ref: ClassVar[None] = None

    service_account_ref: ExchangeServiceAccountRef
    """A ServiceAccount of this namespace. The operator needs the permission to ask for its
    tokens."""


class TokenExchangeSource(SourceModel):
    """An index with tokens for which a ServiceAccount's token is exchanged; the operator mints and
    renews them."""

    url: Url
    """URL of the index, as uv takes it; without user name, query and fragment."""

    publish_url: Annotated[Url | None, Field(alias="publishURL")] = None
    """URL of the upload API, with the same login; needed for `publish`."""

    exchange: Annotated[Exchange, SHARED]
    """Who exchanges the token, and how."""

    auth: Annotated[TokenExchangeAuth, SHARED]
    """Who logs in."""
