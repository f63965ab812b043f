"""What the specs refer to: source Secrets, outputs, selected indexes. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.reconcile.records import OptionsRecord, OutputRef


@dataclass(frozen=True, slots=True)
class SecretUse:
    """A Secret that a source needs: the spec's field, and the keys that must (or may) be there."""

    field: str
    name: str
    keys: tuple[str, ...]
    optional_keys: tuple[str, ...] = ()


def secret_use(spec: ArtifactIndexSpec) -> SecretUse | None:
    """Which Secret and which of its keys the index's source reads, if any."""
    if (source := spec.code_artifact) and source.auth and (ref := source.auth.secret_ref):
        optional = (ref.session_token_key,) if ref.session_token_key else ()
        return SecretUse(
            "spec.codeArtifact.auth.secretRef",
            ref.name,
            (ref.access_key_id_key, ref.secret_access_key_key),
            optional,
        )
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


def source_secret(spec: ArtifactIndexSpec | None) -> str | None:
    """The name of the Secret that an index's source reads, if any."""
    use = secret_use(spec) if spec is not None else None
    return use.name if use else None


def uses_operator_identity(spec: ArtifactIndexSpec) -> bool:
    """Whether the login is the operator's own cloud identity, also by leaving `auth` out."""
    if spec.code_artifact:
        return not (spec.code_artifact.auth and spec.code_artifact.auth.secret_ref)
    if spec.google_artifact_registry:
        google = spec.google_artifact_registry
        return not (google.auth and google.auth.secret_ref)
    return False


def declared_outputs(record: OptionsRecord) -> Iterator[OutputRef]:
    """The outputs that an IndexOptions names; without any, one Secret named like itself."""
    if record.spec is not None:
        for output in record.spec.outputs_of(record.ref.name):
            yield OutputRef(output.kind, record.ref.namespace, output.name)
