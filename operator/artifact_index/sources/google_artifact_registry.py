"""A Python repository of Google Artifact Registry."""

import re

from artifact_index.api.interning import intern_equal
from artifact_index.api.sources.google_artifact_registry import GoogleArtifactRegistrySource
from artifact_index.credentials.google.requests import GoogleTokenRequest, Impersonation
from artifact_index.sources.base import Digester, Inputs, ResolvedSource, SourceServiceAccount
from artifact_index.sources.cloud import CloudSource
from artifact_index.sources.values import not_text


class GoogleArtifactRegistry(CloudSource[GoogleArtifactRegistrySource]):
    """An access token as the password of user `oauth2accesstoken`."""

    __slots__ = ()
    field = "spec.googleArtifactRegistry"
    named_by = "repository, location and project"
    to_read = "grant roles/artifactregistry.reader on the repository"
    provider = "google"
    cloud = "google"
    metrics_target = "of Google the impersonated service account, or empty"

    @staticmethod
    def endpoints(region: str) -> dict[str, str]:
        """Google's token endpoint, STS and IAM Credentials, which are global."""
        return {
            name: f"https://{name}.googleapis.com/" for name in ("oauth2", "sts", "iamcredentials")
        }

    def services(self) -> list[str]:
        """The token endpoint or STS, and IAM Credentials for an impersonation."""
        urls = self.endpoints("")
        del urls["oauth2" if self.service_account() is not None else "sts"]
        if self.model.impersonate is None:
            del urls["iamcredentials"]
        return list(urls.values())

    def secret_keys(self) -> dict[str, str]:
        """The key file of a service account."""
        if self.model.auth is None or (reference := self.model.auth.secret_ref) is None:
            return {}
        return {"key_json": reference.key}

    def unusable(self, key: str, value: str) -> str | None:
        """A key file has many lines."""
        return not_text(value, many_lines=True)

    def token_exchange(self, account: SourceServiceAccount) -> tuple[tuple[str, ...], str]:
        """Google's STS, for a workload identity provider or GKE's own pool.

        A provider takes its own resource name as a URL if it lists no audiences; GKE's pool takes
        the pool's name.
        """
        reference = self.model.auth.service_account_ref if self.model.auth else None
        if reference is None:
            raise ValueError("a ServiceAccount without a reference to it")
        if reference.gke_cluster is not None:
            audience = f"{reference.gke_cluster.split('/')[1]}.svc.id.goog"
            cluster = f"https://container.googleapis.com/v1/{reference.gke_cluster}"
            exchange = f"identitynamespace:{audience}:{cluster}"
        else:
            exchange = f"//iam.googleapis.com/{reference.workload_identity_provider}"
            audience = f"https:{exchange}"
        return reference.audiences or (audience,), exchange

    def hosts(self) -> list[tuple[str, str]]:
        """The host in place of Google's own."""
        return [(f"{self.field}.host", self.model.host)] if self.model.host else []

    def cloud_names(self) -> list[tuple[str, str]]:
        """The project, and e-mail addresses of the service accounts that are impersonated."""
        names = [(f"{self.field}.project", self.model.project)]
        if step := self.model.impersonate:
            names.append((f"{self.field}.impersonate.serviceAccount", step.service_account))
            names += [(f"{self.field}.impersonate.delegates", email) for email in step.delegates]
        return names

    def url(self) -> str | None:
        """The repository's URL, with `host` as an override."""
        model = self.model
        host = model.host or f"{model.location}-python.pkg.dev"
        base = host if host.startswith("http://") else f"https://{host}"
        return f"{base}/{model.project}/{model.repository}/simple/"

    def resolve(self, inputs: Inputs, digester: Digester) -> ResolvedSource:
        """An access token, which is the principal's and not a repository's."""
        identity, material = self.identity(inputs, digester)
        impersonation = None
        if step := self.model.impersonate:
            life = step.token_lifetime.seconds
            impersonation = Impersonation(step.service_account, step.delegates, life)
        token = intern_equal(GoogleTokenRequest(identity, impersonation))
        return ResolvedSource(
            url=self.url(),
            username="oauth2accesstoken",
            token=token,
            token_digest=digester.request(token),
            material=material,
            note=self._note(),
        )

    def _note(self) -> str:
        """Google's regions have no dash before their number, as those of AWS do."""
        meant = re.sub(r"-(\d+)\Z", r"\1", location := self.model.location)
        typo = f"; {self.field}.location {location!r} looks like a typo: did you mean {meant!r}?"
        return typo if meant != location else ""
