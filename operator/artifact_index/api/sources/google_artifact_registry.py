"""A Python repository of Google Artifact Registry, and the Google identities for its tokens."""

from typing import Annotated, ClassVar

from pydantic import Field

from artifact_index.api.auth import ONE_LOGIN, Audiences, OperatorIdentityAuth
from artifact_index.api.base import ApiModel
from artifact_index.api.duration import GoDuration, duration_between
from artifact_index.api.fields import DataKey, ObjectName, RegistryHost
from artifact_index.api.interning import SHARED
from artifact_index.api.rules import ATOMIC, Rule, exactly_one, matching
from artifact_index.api.sources.base import SecretRef, SourceModel

GoogleServiceAccount = Annotated[
    str,
    Field(max_length=128),
    matching(
        "[a-z0-9]([a-z0-9-]*[a-z0-9])?@[a-z0-9]([a-z0-9.-]*[a-z0-9])?",
        "must be the e-mail address of a Google service account, such as "
        "`reader@acme-build.iam.gserviceaccount.com`",
    ),
]
WorkloadIdentityProvider = Annotated[
    str,
    Field(max_length=143),
    matching(
        "projects/[0-9]{1,19}/locations/global/workloadIdentityPools/"
        "[a-z0-9-]{4,32}/providers/[a-z0-9-]{4,32}",
        "must be the resource name of a workload identity provider, "
        "`projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER`",
    ),
]
GkeCluster = Annotated[
    str,
    Field(max_length=256),
    matching(
        "projects/[a-z0-9:.-]{4,100}/locations/[a-z0-9-]{1,63}/clusters/[a-z0-9-]{1,63}",
        "must be the resource name of a GKE cluster, "
        "`projects/PROJECT/locations/LOCATION/clusters/CLUSTER`",
    ),
]


class GoogleSecretRef(SecretRef):
    """A Google service account key in a Secret."""

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

    workload_identity_provider: WorkloadIdentityProvider | None = None
    """Resource name of the workload identity provider that trusts this cluster."""

    gke_cluster: GkeCluster | None = None
    """Resource name of the GKE cluster that this is, with Workload Identity turned on. Its own
    pool `PROJECT.svc.id.goog` is used."""

    audiences: Audiences = ()
    """Audiences of the Kubernetes token. Absent: what the provider takes by default, its resource
    name as a URL, or GKE's own pool."""


class GoogleArtifactRegistryAuth(ApiModel):
    """Which Google identity asks for the token; exactly one."""

    rules: ClassVar[tuple[Rule, ...]] = (ONE_LOGIN,)

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
        duration_between(
            "5m",
            "12h",
            message="must be between `5m` and `12h`; beyond `1h` the service account must "
            "be listed in the organization policy "
            "`iam.allowServiceAccountCredentialLifetimeExtension`",
        ),
    ] = GoDuration("1h")
    """Life of a token. Beyond 1h the organization policy
    `iam.allowServiceAccountCredentialLifetimeExtension` must list the service account."""


class GoogleArtifactRegistrySource(SourceModel):
    """A Python repository of Google Artifact Registry; the operator mints and renews its tokens."""

    uploads_to_index: ClassVar[bool] = True

    project: Annotated[
        str,
        Field(max_length=100),
        matching(
            "([a-z0-9]([a-z0-9.-]*[a-z0-9])?:)?[a-z][a-z0-9-]{4,28}[a-z0-9]",
            "must be the ID of a Google Cloud project (not its name or number): 6 to 30 "
            "lower-case letters, digits and `-`, beginning with a letter and ending with a letter "
            "or digit",
        ),
    ]
    """ID of the Google Cloud project."""

    location: Annotated[
        str,
        Field(max_length=63),
        matching(
            "[a-z]([a-z0-9-]*[a-z0-9])?",
            "must be a location of Artifact Registry: a region such as `europe-west1` or "
            "a multi-region such as `europe`",
        ),
    ]
    """Region or multi-region of the repository."""

    repository: Annotated[
        str,
        Field(max_length=63),
        matching(
            "[a-z]([a-z0-9-]*[a-z0-9])?",
            "must be the name of an Artifact Registry repository: lower-case letters, "
            "digits and `-`, beginning with a letter and ending with a letter or digit",
        ),
    ]
    """Name of the repository."""

    host: RegistryHost | None = None
    """Host instead of `LOCATION-python.pkg.dev`, with an optional port, for sovereign clouds and
    Private Service Connect. `http://` may precede it where the administrator allows it."""

    auth: Annotated[GoogleArtifactRegistryAuth | None, SHARED] = None
    """Which identity asks for the token. Absent: the operator's own, as with
    `operatorIdentity: {}`."""

    impersonate: Annotated[Impersonate | None, SHARED] = None
    """A service account that this identity impersonates first; the token is then that account's."""
