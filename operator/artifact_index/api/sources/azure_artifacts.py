"""A feed of Azure Artifacts, and the Entra identities for its tokens."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from artifact_index.api.auth import ONE_LOGIN, Audience, OperatorIdentityAuth
from artifact_index.api.base import ApiModel
from artifact_index.api.fields import DataKey, ObjectName, RegistryHost
from artifact_index.api.interning import SHARED
from artifact_index.api.rules import Rule, exactly_one, matching
from artifact_index.api.sources.base import SecretRef, SourceModel

AzureCloud = Literal["Public", "USGovernment", "China"]

_GUID: Final = "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
CLIENT_ID_PATTERN: Final = _GUID
TENANT_ID_PATTERN: Final = "[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"

ClientID = Annotated[
    str,
    Field(max_length=36),
    matching(
        CLIENT_ID_PATTERN,
        "must be the client ID of an app registration or a managed identity, such as "
        "`11111111-2222-3333-4444-555555555555`",
    ),
]
TenantID = Annotated[
    str,
    Field(max_length=253),
    matching(
        TENANT_ID_PATTERN,
        "must be the ID of an Entra tenant, such as `11111111-2222-3333-4444-555555555555`, or "
        "one of its domains",
    ),
]

# "Naming restrictions and conventions" of Azure DevOps, and what would be another path or view.
_NAME: Final = r"""[^\x00-\x1f\x7f-\x9f\\/:*?"<>|;#${},+=\[\]@%&~'"""
DevOpsName = Annotated[
    str,
    Field(max_length=64),
    matching(
        f"{_NAME}._ ]({_NAME}]*{_NAME}. ])?",
        "must be a name as Azure DevOps shows it, not as a URL has it: without any of "
        r"""`\/:*?"<>|;#${},+=[]@%&~'`, not beginning with `.` or `_`, nor ending with `.`""",
    ),
]


class AzureSecretRef(SecretRef):
    """An app registration, and its client secret or certificate in a Secret."""

    rules: ClassVar[tuple[Rule, ...]] = (
        exactly_one(
            ("clientSecretKey", "certificateKey"),
            "must set exactly one of `clientSecretKey` and `certificateKey`",
        ),
        Rule(
            cel="!has(self.privateKeyKey) || has(self.certificateKey)",
            message="must not set `privateKeyKey` without `certificateKey`",
            holds=lambda ref: ref.private_key_key is None or ref.certificate_key is not None,
        ),
    )

    tenant_id: Annotated[TenantID, Field(alias="tenantID")]
    """Entra tenant of the app registration; the Azure DevOps organization must belong to it."""

    client_id: Annotated[ClientID, Field(alias="clientID")]
    """Client ID (application ID) of the app registration."""

    client_secret_key: DataKey | None = None
    """Key of the Secret that holds the client secret: its value, not its ID."""

    certificate_key: DataKey | None = None
    """Key of the Secret that holds the certificate (PEM) whose public half the app registration
    knows, such as `tls.crt`."""

    private_key_key: DataKey | None = None
    """Key of the Secret that holds the certificate's private key (PEM, RSA, without a passphrase),
    such as `tls.key`. Absent: it is beside the certificate, under the same key."""


class AzureServiceAccountRef(ApiModel):
    """A Kubernetes ServiceAccount that an Entra identity trusts (Azure Workload Identity)."""

    name: ObjectName
    """Name of the ServiceAccount, in this namespace."""

    client_id: Annotated[ClientID | None, Field(alias="clientID")] = None
    """Client ID of the app registration or managed identity with a federated credential for the
    ServiceAccount. Absent: the ServiceAccount's annotation `azure.workload.identity/client-id`."""

    tenant_id: Annotated[TenantID | None, Field(alias="tenantID")] = None
    """Entra tenant of that identity. Absent: the ServiceAccount's annotation
    `azure.workload.identity/tenant-id`."""

    audience: Audience | None = None
    """Audience of the Kubernetes token, as the federated credential has it. Absent: Entra's own,
    `api://AzureADTokenExchange` in the public cloud."""


class AzureArtifactsAuth(ApiModel):
    """Which Entra identity asks for the token; exactly one."""

    rules: ClassVar[tuple[Rule, ...]] = (ONE_LOGIN,)

    operator_identity: OperatorIdentityAuth | None = None
    """The operator's own identity: Azure Workload Identity, else a managed identity. It needs the
    administrator's consent for this namespace (--operator-identity-namespaces)."""

    secret_ref: AzureSecretRef | None = None
    """A client secret or certificate in a Secret of this namespace."""

    service_account_ref: AzureServiceAccountRef | None = None
    """A ServiceAccount of this namespace, by workload identity federation. The operator needs the
    permission to ask for its tokens."""


class AzureArtifactsSource(SourceModel):
    """A feed of Azure Artifacts; the operator mints Entra tokens and renews them."""

    uploads_to_index: ClassVar[bool] = True

    organization: Annotated[
        str,
        Field(max_length=50),
        matching(
            "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?",
            "must be the name of an Azure DevOps organization: letters, digits and `-`, beginning "
            "and ending with a letter or digit",
        ),
    ]
    """Name of the Azure DevOps organization, as in `https://dev.azure.com/ORGANIZATION`."""

    project: DevOpsName | None = None
    """Project of the feed; may hold spaces. Absent: a feed of the organization."""

    feed: DevOpsName
    """Name of the feed, without a view."""

    host: RegistryHost | None = None
    """Host instead of `pkgs.dev.azure.com`, with an optional port. `http://` may precede it where
    the administrator allows it."""

    cloud: AzureCloud = "Public"
    """The Azure cloud whose Entra issues the token."""

    auth: Annotated[AzureArtifactsAuth | None, SHARED] = None
    """Which identity asks for the token. Absent: the operator's own, as with
    `operatorIdentity: {}`."""
