"""What the specs refer to: source Secrets, outputs, selected indexes. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.credentials.aws.call import partition_of
from artifact_index.reconcile.cache.objects import OptionsObject, OutputRef


@dataclass(frozen=True, slots=True)
class SecretUse:
    """A Secret that a source needs: the spec's field, and the keys that must be there."""

    field: str
    name: str
    keys: tuple[str, ...]


def secret_use(spec: ArtifactIndexSpec) -> SecretUse | None:
    """Which Secret and which of its keys the index's source reads, if any."""
    if (source := spec.code_artifact) and source.auth and (ref := source.auth.secret_ref):
        named = (ref.access_key_id_key, ref.secret_access_key_key, ref.session_token_key)
        present = tuple(key for key in named if key is not None)
        return SecretUse("spec.codeArtifact.auth.secretRef", ref.name, present)
    if (google := spec.google_artifact_registry) and google.auth and google.auth.secret_ref:
        key = google.auth.secret_ref
        return SecretUse("spec.googleArtifactRegistry.auth.secretRef", key.name, (key.key,))
    if spec.preauthenticated:
        url = spec.preauthenticated.url_secret_ref
        return SecretUse("spec.preauthenticated.urlSecretRef", url.name, (url.key,))
    if spec.basic_auth:
        basic = spec.basic_auth.secret_ref
        keys: tuple[str, ...] = (basic.password_key,)
        if spec.basic_auth.username is None:
            keys = (basic.username_key, basic.password_key)
        return SecretUse("spec.basicAuth.secretRef", basic.name, keys)
    return None


@dataclass(frozen=True, slots=True)
class AccountUse:
    """A ServiceAccount that a source logs in as, and the spec's field that names it."""

    field: str
    name: str


def account_use(spec: ArtifactIndexSpec) -> AccountUse | None:
    """Which ServiceAccount the index's source logs in as, if any."""
    if (source := spec.code_artifact) and source.auth and (aws := source.auth.service_account_ref):
        return AccountUse("spec.codeArtifact.auth.serviceAccountRef", aws.name)
    google = spec.google_artifact_registry
    if google and google.auth and (account := google.auth.service_account_ref):
        return AccountUse("spec.googleArtifactRegistry.auth.serviceAccountRef", account.name)
    return None


def source_account(spec: ArtifactIndexSpec | None) -> str | None:
    """The name of the ServiceAccount that an index's source logs in as, if any."""
    use = account_use(spec) if spec is not None else None
    return use.name if use else None


def source_secret(spec: ArtifactIndexSpec | None) -> str | None:
    """The name of the Secret that an index's source reads, if any."""
    use = secret_use(spec) if spec is not None else None
    return use.name if use else None


def uses_operator_identity(spec: ArtifactIndexSpec) -> bool:
    """Whether the login is the operator's own cloud identity, also by leaving `auth` out."""
    source = spec.code_artifact or spec.google_artifact_registry
    if source is None:
        return False
    return source.auth is None or source.auth.operator_identity is not None


def clouds_own_names(spec: ArtifactIndexSpec) -> list[tuple[str, str]]:
    """Everything in a cloud that a login names: the spec's field, and what consent is given for.

    Domains and roles are ARNs; Google's are the ID of the project and e-mail addresses.
    """
    if source := spec.code_artifact:
        partition = partition_of(source.region)
        domain = f"{source.region}:{source.domain_owner}:domain/{source.domain}"
        names = [("spec.codeArtifact.domain", f"arn:{partition}:codeartifact:{domain}")]
        if source.assume_role:
            names.append(("spec.codeArtifact.assumeRole.roleARN", source.assume_role.role_arn))
        return names
    if google := spec.google_artifact_registry:
        field = "spec.googleArtifactRegistry"
        names = [(f"{field}.project", google.project)]
        if step := google.impersonate:
            names.append((f"{field}.impersonate.serviceAccount", step.service_account))
            names += [(f"{field}.impersonate.delegates", one) for one in step.delegates]
        return names
    return []


def declared_outputs(record: OptionsObject) -> Iterator[OutputRef]:
    """The outputs that an IndexOptions names; without any, one Secret named like itself."""
    if record.spec is not None:
        for output in record.spec.outputs_of(record.ref.name):
            yield OutputRef(output.kind, record.ref.namespace, output.name)
