"""A Python feed of Azure Artifacts."""

import re
from typing import ClassVar, Final
from urllib.parse import quote

from artifact_index.api.interning import intern_equal
from artifact_index.api.reasons import Reason
from artifact_index.api.sources.azure_artifacts import (
    CLIENT_ID_PATTERN,
    TENANT_ID_PATTERN,
    AzureArtifactsSource,
    AzureServiceAccountRef,
)
from artifact_index.credentials.azure.identities import AUTHORITIES
from artifact_index.credentials.azure.requests import EntraTokenRequest
from artifact_index.sources.base import Digester, Inputs, ResolvedSource, SourceServiceAccount
from artifact_index.sources.cloud import CloudSource
from artifact_index.sources.policy import Problem
from artifact_index.sources.values import not_text, slip

CLIENT_ANNOTATION: Final = "azure.workload.identity/client-id"
TENANT_ANNOTATION: Final = "azure.workload.identity/tenant-id"
AUDIENCES: Final = {
    "Public": "api://AzureADTokenExchange",
    "USGovernment": "api://AzureADTokenExchangeUSGov",
    "China": "api://AzureADTokenExchangeChina",
}
"""What a federated credential of each cloud takes as its audience."""
_UNKNOWN: Final = "00000000-0000-0000-0000-000000000000"


class AzureArtifacts(CloudSource[AzureArtifactsSource]):
    """An Entra token of an app as the password; Azure DevOps ignores the user name.

    The name is not `VssSessionToken`: keyring plugins would take it for theirs.
    """

    __slots__ = ()
    field = "spec.azureArtifacts"
    named_by = "organization, project and feed"
    to_read = "add the identity to the organization, and make it a Feed Reader"
    provider = "azure"
    cloud = "azure"
    account_annotations: ClassVar = {CLIENT_ANNOTATION: _UNKNOWN, TENANT_ANNOTATION: _UNKNOWN}
    metrics_target = "of Azure the client ID, or empty for the operator's own identity"

    @staticmethod
    def endpoints(region: str) -> dict[str, str]:
        """Entra of the public cloud, which has no regions."""
        return {"login": f"{AUTHORITIES['Public']}/"}

    def services(self) -> list[str]:
        """Entra of the cloud."""
        return [f"{AUTHORITIES[self.model.cloud]}/"]

    def secret_keys(self) -> dict[str, str]:
        """A client secret, or a certificate with its private key."""
        if self.model.auth is None or (reference := self.model.auth.secret_ref) is None:
            return {}
        keys = {
            "client_secret": reference.client_secret_key,
            "certificate": reference.certificate_key,
            "private_key": reference.private_key_key,
        }
        return {name: key for name, key in keys.items() if key is not None}

    def unusable(self, key: str, value: str) -> str | None:
        """PEM has many lines; what is around a client secret is not part of it."""
        if "client_secret" in self.secret_keys():
            return not_text(value) or slip(value)
        return not_text(value, many_lines=True)

    def token_exchange(self, account: SourceServiceAccount) -> tuple[tuple[str, ...], str]:
        """Entra, for the identity of the spec or of the ServiceAccount's annotation."""
        reference = self._account_ref()
        if reference is None:
            raise ValueError("a ServiceAccount without a reference to it")
        audience = reference.audience or AUDIENCES[self.model.cloud]
        return (audience,), "/".join(self._identity_of(reference, account))

    def hosts(self) -> list[tuple[str, str]]:
        """The host in place of Azure's own."""
        return [(f"{self.field}.host", self.model.host)] if self.model.host else []

    def cloud_names(self) -> list[tuple[str, str]]:
        """The feed, such as `dev.azure.com/acme/python`, with the project in between."""
        model = self.model
        parts = ("dev.azure.com", model.organization, model.project, model.feed)
        return [(f"{self.field}.feed", "/".join(filter(None, parts)))]

    def url(self) -> str | None:
        """The feed's URL, with `host` as an override."""
        model = self.model
        host = model.host or "pkgs.dev.azure.com"
        base = host if host.startswith("http://") else f"https://{host}"
        project = f"/{quote(model.project, safe='')}" if model.project else ""
        feed = f"{model.organization}{project}/_packaging/{quote(model.feed, safe='')}"
        return f"{base}/{feed}/pypi/simple/"

    def publish_url(self, url: str) -> str | None:
        """Azure takes uploads beside the index."""
        return f"{url.removesuffix('simple/')}upload"

    def problem(self, inputs: Inputs) -> Problem | None:
        """A ServiceAccount needs an identity, in the spec or in its annotations."""
        use, account, reference = inputs.account_use, inputs.account, self._account_ref()
        if use is None or reference is None or not isinstance(account, SourceServiceAccount):
            return None
        for given, annotation, pattern, field in (
            (reference.client_id, CLIENT_ANNOTATION, CLIENT_ID_PATTERN, "clientID"),
            (reference.tenant_id, TENANT_ANNOTATION, TENANT_ID_PATTERN, "tenantID"),
        ):
            annotated = account.annotations.get(annotation, "")
            if given is None and re.fullmatch(pattern, annotated) is None:
                wrong = f"is not a {field}; correct it" if annotated else "is not set; add it"
                return Problem(
                    Reason.INVALID_SPEC,
                    f"the annotation {annotation} of ServiceAccount {use.name!r} {wrong}, "
                    f"or set {use.field}.{field}",
                )
        return None

    def resolve(self, inputs: Inputs, digester: Digester) -> ResolvedSource:
        """A token of the identity, which is not of one feed."""
        identity, material = self.identity(inputs, digester)
        tenant, client, auth = None, None, self.model.auth
        if auth is not None and auth.secret_ref is not None:
            tenant, client = auth.secret_ref.tenant_id, auth.secret_ref.client_id
        reference = self._account_ref()
        if reference is not None and isinstance(inputs.account, SourceServiceAccount):
            tenant, client = self._identity_of(reference, inputs.account)
        token = intern_equal(EntraTokenRequest(identity, self.model.cloud, tenant, client))
        return ResolvedSource(
            url=self.url(),
            username="bearer",
            token=token,
            token_digest=digester.request(token),
            material=material,
        )

    def _account_ref(self) -> AzureServiceAccountRef | None:
        return self.model.auth.service_account_ref if self.model.auth else None

    def _identity_of(
        self, reference: AzureServiceAccountRef, account: SourceServiceAccount
    ) -> tuple[str, str]:
        """Tenant and client ID."""
        tenant = reference.tenant_id or account.annotations.get(TENANT_ANNOTATION)
        client = reference.client_id or account.annotations.get(CLIENT_ANNOTATION)
        if tenant is None or client is None:
            raise ValueError("a ServiceAccount that passed its checks without an identity")
        return tenant, client
