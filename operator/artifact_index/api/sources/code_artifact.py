"""An AWS CodeArtifact repository, and the AWS identities that can ask for its tokens."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from artifact_index.api.auth import ONE_LOGIN, Audiences, OperatorIdentityAuth
from artifact_index.api.base import ApiModel
from artifact_index.api.duration import GoDuration, duration_between
from artifact_index.api.fields import DataKey, ObjectName, Url
from artifact_index.api.interning import SHARED
from artifact_index.api.rules import Rule, matching
from artifact_index.api.sources.base import SecretRef, SourceModel

EndpointType = Literal["IPv4", "DualStack"]

ROLE_ARN_PATTERN: Final = (
    "arn:aws(-[a-z]{1,16}){0,3}:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]{1,576}"
)
"""ARN of an IAM role in any partition; path and name have at most 512 and 64 characters (IAM)."""

RoleArn = Annotated[
    str,
    Field(max_length=640),
    matching(
        ROLE_ARN_PATTERN,
        "must be the ARN of an IAM role, such as `arn:aws:iam::111122223333:role/builders`",
    ),
]

# The character sets are those of the STS API reference (AssumeRole).
ExternalId = Annotated[
    str,
    Field(max_length=1224),
    matching(
        "[A-Za-z0-9_+=,.@:/-]{2,}",
        "must be at least 2 letters, digits or `_+=,.@:/-`, as AWS takes an external ID",
    ),
]
SessionName = Annotated[
    str,
    Field(max_length=64),
    matching(
        "[A-Za-z0-9_+=,.@-]{2,}",
        "must be at least 2 letters, digits or `_+=,.@-`, as AWS takes a session name",
    ),
]
_TAG: Final = "letters, digits, spaces and `_.:/=+@-`, as AWS takes a session tag"
TagKey = Annotated[str, Field(max_length=128), matching("[A-Za-z0-9 _.:/=+@-]+", f"must be {_TAG}")]
TagValue = Annotated[
    str, Field(max_length=256), matching("[A-Za-z0-9 _.:/=+@-]*", f"must be {_TAG}")
]


class AwsSecretRef(SecretRef):
    """An AWS access key in a Secret."""

    access_key_id_key: Annotated[DataKey, Field(alias="accessKeyIDKey")] = "AWS_ACCESS_KEY_ID"
    """Key of the Secret that holds the access key's ID."""

    secret_access_key_key: DataKey = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - the name of a key
    """Key of the Secret that holds the secret access key."""

    session_token_key: DataKey | None = None
    """Key of the Secret that holds the session token of temporary keys. Absent: the key
    `AWS_SESSION_TOKEN`, if the Secret has it and the access key's ID begins with `ASIA`, as that
    of a temporary key does."""


class AwsServiceAccountRef(ApiModel):
    """A Kubernetes ServiceAccount whose token an IAM role trusts (IRSA)."""

    name: ObjectName
    """Name of the ServiceAccount, in this namespace."""

    role_arn: Annotated[RoleArn | None, Field(alias="roleARN")] = None
    """ARN of the IAM role that trusts the ServiceAccount. Absent: the ServiceAccount's annotation
    `eks.amazonaws.com/role-arn`."""

    audiences: Audiences = ()
    """Audiences of the token. Absent: the ServiceAccount's annotation
    `eks.amazonaws.com/audience`, else `sts.amazonaws.com`."""


class CodeArtifactAuth(ApiModel):
    """Which AWS identity asks for the token; exactly one."""

    rules: ClassVar[tuple[Rule, ...]] = (ONE_LOGIN,)

    operator_identity: OperatorIdentityAuth | None = None
    """The operator's own AWS identity: IRSA, Pod Identity, node role. It needs the
    administrator's consent for this namespace (--operator-identity-namespaces)."""

    secret_ref: AwsSecretRef | None = None
    """An AWS access key in a Secret of this namespace."""

    service_account_ref: AwsServiceAccountRef | None = None
    """A ServiceAccount of this namespace, by AssumeRoleWithWebIdentity. The operator needs the
    permission to ask for its tokens."""


class AssumeRole(ApiModel):
    """An IAM role that the login assumes as its last step, by AssumeRole."""

    role_arn: Annotated[RoleArn, Field(alias="roleARN")]
    """ARN of the role."""

    external_id: Annotated[ExternalId | None, Field(alias="externalID")] = None
    """External ID that the role's trust policy asks for. It is no secret and proves nothing: every
    tenant can name it."""

    session_name: SessionName | None = None
    """Name of the session, as CloudTrail shows it. Absent: `NAMESPACE@artifact-index-operator`.
    With the operator's own identity `NAMESPACE@` always precedes it, and it is cut to 64
    characters."""

    tags: Annotated[dict[TagKey, TagValue], Field(max_length=50)] = Field(default_factory=dict)
    """Session tags. The trust policy then has to allow `sts:TagSession` as well. With the
    operator's own identity they need the administrator's consent
    (--operator-identity-tenant-tags)."""


class CodeArtifactSource(SourceModel):
    """An AWS CodeArtifact repository; the operator mints and renews its tokens."""

    uploads_to_index: ClassVar[bool] = True

    domain: Annotated[
        str,
        Field(max_length=50),
        matching(
            "[a-z][a-z0-9-]{0,48}[a-z0-9]",
            "must be the name of a CodeArtifact domain: 2 to 50 lower-case letters, digits and "
            "`-`, beginning with a letter and ending with a letter or digit",
        ),
    ]
    """Name of the CodeArtifact domain."""

    domain_owner: Annotated[
        str,
        Field(max_length=12),
        matching(
            "[0-9]{12}", "must be the 12 digits of the AWS account that owns the domain, in quotes"
        ),
    ]
    """Number of the AWS account that owns the domain: 12 digits, in quotes."""

    region: Annotated[
        str,
        Field(max_length=32),
        matching(
            "[a-z]{2,8}(-[a-z]{1,16}){1,3}-[0-9]{1,2}", "must be an AWS region, such as `eu-west-1`"
        ),
    ]
    """AWS region of the domain."""

    repository: Annotated[
        str,
        Field(max_length=100),
        matching(
            "[A-Za-z0-9][A-Za-z0-9._-]{1,99}",
            "must be the name of a CodeArtifact repository: 2 to 100 letters, digits, `.`, `_` "
            "and `-`, beginning with a letter or digit",
        ),
    ]
    """Name of the repository in the domain."""

    token_duration: Annotated[
        GoDuration,
        duration_between(
            "15m",
            "12h",
            or_zero=True,
            message="must be `0s` or between `15m` and `12h`, which is what CodeArtifact "
            "grants; `0s` means until the caller's own session ends",
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
