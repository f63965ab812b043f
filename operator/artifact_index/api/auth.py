"""Identities: who logs in to a cloud, and as whom in the end."""

from typing import Annotated, ClassVar, Final

from pydantic import Field

from artifact_index.api.base import ApiModel
from artifact_index.api.duration import GoDuration, duration_between
from artifact_index.api.fields import DataKey, ObjectName
from artifact_index.api.rules import ATOMIC, SET, Rule, Rules, exactly_one, matching

_LOGINS: Final = ("operatorIdentity", "secretRef", "serviceAccountRef")
_ONE_LOGIN: Final = exactly_one(
    _LOGINS,
    "must set exactly one of `operatorIdentity`, `secretRef` and `serviceAccountRef`; the last two "
    "log in with keys of a Secret or as a ServiceAccount of this namespace and need nobody's "
    "consent",
)

ROLE_ARN_PATTERN: Final = (
    "arn:aws(-[a-z]{1,16}){0,3}:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]{1,576}"
)
"""ARN of an IAM role in any partition; path and name have at most 512 and 64 characters (IAM)."""

RoleArn = Annotated[
    str,
    Field(max_length=640),
    Rules(
        (
            matching(
                ROLE_ARN_PATTERN,
                "must be the ARN of an IAM role, such as `arn:aws:iam::111122223333:role/builders`",
            ),
        )
    ),
]

# The character sets are those of the STS API reference (AssumeRole).
ExternalId = Annotated[
    str,
    Field(max_length=1224),
    Rules(
        (
            matching(
                "[A-Za-z0-9_+=,.@:/-]{2,}",
                "must be at least 2 letters, digits or `_+=,.@:/-`, as AWS takes an external ID",
            ),
        )
    ),
]
SessionName = Annotated[
    str,
    Field(max_length=64),
    Rules(
        (
            matching(
                "[A-Za-z0-9_+=,.@-]{2,}",
                "must be at least 2 letters, digits or `_+=,.@-`, as AWS takes a session name",
            ),
        )
    ),
]
_TAG: Final = "letters, digits, spaces and `_.:/=+@-`, as AWS takes a session tag"
TagKey = Annotated[
    str,
    Field(max_length=128),
    Rules((matching("[A-Za-z0-9 _.:/=+@-]+", f"must be {_TAG}"),)),
]
TagValue = Annotated[
    str,
    Field(max_length=256),
    Rules((matching("[A-Za-z0-9 _.:/=+@-]*", f"must be {_TAG}"),)),
]

Audience = Annotated[
    str,
    Field(max_length=256),
    Rules((matching("[!-~]+", "must be printable ASCII without spaces"),)),
]
Audiences = Annotated[tuple[Audience, ...], Field(max_length=8), SET]

GoogleServiceAccount = Annotated[
    str,
    Field(max_length=128),
    Rules(
        (
            matching(
                "[a-z0-9]([a-z0-9-]*[a-z0-9])?@[a-z0-9]([a-z0-9.-]*[a-z0-9])?",
                "must be the e-mail address of a Google service account, such as "
                "`reader@acme-build.iam.gserviceaccount.com`",
            ),
        )
    ),
]


class OperatorIdentityAuth(ApiModel):
    """Log in as the operator itself. It has no fields."""


class AwsSecretRef(ApiModel):
    """An AWS access key in a Secret."""

    name: ObjectName
    """Name of the Secret, in this namespace. Label it `artifactindex.dev/role: source` and
    changes take effect at once."""

    access_key_id_key: Annotated[DataKey, Field(alias="accessKeyIDKey")] = "AWS_ACCESS_KEY_ID"
    """Key of the Secret that holds the access key's ID."""

    secret_access_key_key: DataKey = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - the name of a key
    """Key of the Secret that holds the secret access key."""

    session_token_key: DataKey | None = None
    """Key of the Secret that holds the session token of temporary keys. Absent: the access key
    is a long-lived one."""


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

    rules: ClassVar[tuple[Rule, ...]] = (_ONE_LOGIN,)

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
    """External ID that the role's trust policy asks for. It is no secret."""

    session_name: SessionName | None = None
    """Name of the session, as CloudTrail shows it. Absent: `NAMESPACE@artifact-index-operator`.
    With the operator's own identity `NAMESPACE@` always stands before it, and it is cut to 64
    characters."""

    tags: Annotated[dict[TagKey, TagValue], Field(max_length=50)] = Field(default_factory=dict)
    """Session tags. The trust policy then has to allow `sts:TagSession` as well."""


class GoogleSecretRef(ApiModel):
    """A Google service account key in a Secret."""

    name: ObjectName
    """Name of the Secret, in this namespace. Label it `artifactindex.dev/role: source` and
    changes take effect at once."""

    key: DataKey = "key.json"
    """Key of the Secret that holds the service account key file (JSON)."""


class GoogleServiceAccountRef(ApiModel):
    """A Kubernetes ServiceAccount whose token Google's STS exchanges."""

    rules: ClassVar[tuple[Rule, ...]] = (
        exactly_one(
            ("workloadIdentityProvider", "gkeCluster"),
            "must set exactly one of `workloadIdentityProvider`, which works on any cluster, and "
            "`gkeCluster`, for a GKE cluster with Workload Identity",
        ),
    )

    name: ObjectName
    """Name of the ServiceAccount, in this namespace."""

    workload_identity_provider: (
        Annotated[
            str,
            Field(max_length=143),
            Rules(
                (
                    matching(
                        "projects/[0-9]{1,19}/locations/global/workloadIdentityPools/"
                        "[a-z0-9-]{4,32}/providers/[a-z0-9-]{4,32}",
                        "must be the resource name of a workload identity provider, "
                        "`projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/"
                        "PROVIDER`",
                    ),
                )
            ),
        ]
        | None
    ) = None
    """Resource name of the workload identity provider that trusts this cluster."""

    gke_cluster: (
        Annotated[
            str,
            Field(max_length=256),
            Rules(
                (
                    matching(
                        "projects/[a-z0-9:.-]{4,100}/locations/[a-z0-9-]{1,63}/clusters/"
                        "[a-z0-9-]{1,63}",
                        "must be the resource name of a GKE cluster, "
                        "`projects/PROJECT/locations/LOCATION/clusters/CLUSTER`",
                    ),
                )
            ),
        ]
        | None
    ) = None
    """Resource name of the GKE cluster that this is, with Workload Identity turned on. Its own
    pool `PROJECT.svc.id.goog` is used."""

    audiences: Audiences = ()
    """Audiences of the Kubernetes token. Absent: what the provider takes by default, its resource
    name as a URL, or GKE's own pool."""


class GoogleArtifactRegistryAuth(ApiModel):
    """Which Google identity asks for the token; exactly one."""

    rules: ClassVar[tuple[Rule, ...]] = (_ONE_LOGIN,)

    operator_identity: OperatorIdentityAuth | None = None
    """The operator's application default credentials. They need the administrator's consent for
    this namespace (--operator-identity-namespaces)."""

    secret_ref: GoogleSecretRef | None = None
    """A service account key in a Secret of this namespace."""

    service_account_ref: GoogleServiceAccountRef | None = None
    """A ServiceAccount of this namespace, by Workload Identity Federation. The operator needs the
    permission to ask for its tokens."""


class Impersonate(ApiModel):
    """A Google service account that the login impersonates as its last step."""

    service_account: GoogleServiceAccount
    """E-mail address of the service account."""

    delegates: Annotated[tuple[GoogleServiceAccount, ...], Field(max_length=8), ATOMIC] = ()
    """Service accounts in between, in order: each may impersonate the next one, the last one
    `serviceAccount`."""

    token_lifetime: Annotated[
        GoDuration,
        Rules(
            (
                duration_between(
                    "5m",
                    "12h",
                    message="must be between `5m` and `12h`; beyond `1h` the service account must "
                    "be listed in the organization policy "
                    "`iam.allowServiceAccountCredentialLifetimeExtension`",
                ),
            )
        ),
    ] = GoDuration("1h")
    """Life of a token. Beyond 1h the organization policy
    `iam.allowServiceAccountCredentialLifetimeExtension` must list the service account."""
