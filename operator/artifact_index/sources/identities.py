"""From a checked index to who logs in: the identity with all that tells it from others. Pure."""

from collections.abc import Mapping

from artifact_index.api.auth import GoogleServiceAccountRef
from artifact_index.api.constants import FIELD_MANAGER
from artifact_index.api.sources import CodeArtifactSource, GoogleArtifactRegistrySource
from artifact_index.credentials.aws.login import session_name
from artifact_index.credentials.requests import (
    NO_KEY_MATERIAL,
    AssumedRole,
    Identity,
    Impersonation,
    KeyMaterial,
    OperatorIdentity,
    SecretIdentity,
    ServiceAccountIdentity,
)
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.objects import SourceSecret, SourceServiceAccount
from artifact_index.reconcile.resolve.policy import Inputs

AWS_AUDIENCE = "sts.amazonaws.com"


def aws_identity(
    source: CodeArtifactSource, facts: Inputs, digester: Digester
) -> tuple[Identity, KeyMaterial]:
    """Who asks AWS, before any role is assumed."""
    if source.auth and (reference := source.auth.secret_ref):
        keys = {
            "access_key_id": reference.access_key_id_key,
            "secret_access_key": reference.secret_access_key_key,
        }
        if reference.session_token_key is not None:
            keys["session_token"] = reference.session_token_key
        return _secret_login(facts, keys, digester)
    if source.auth and (chosen := source.auth.service_account_ref):
        account = _account(facts)
        exchange = chosen.role_arn or account.role_arn
        if exchange is None:
            raise ValueError("a ServiceAccount that passed its checks without a role")
        audiences = chosen.audiences or (account.audience or AWS_AUDIENCE,)
        return _account_identity(facts, chosen.name, account, audiences, exchange), NO_KEY_MATERIAL
    return OperatorIdentity(), NO_KEY_MATERIAL


def aws_role(source: CodeArtifactSource, namespace: str) -> AssumedRole | None:
    """The role that is assumed last, if any.

    With the operator's own identity the session's name always says for which namespace: a trust
    policy can then tell the tenants apart.
    """
    step = source.assume_role
    if step is None:
        return None
    own = source.auth is None or source.auth.operator_identity is not None
    name = step.session_name or FIELD_MANAGER
    if own or step.session_name is None:
        name = session_name(namespace, name)
    return AssumedRole(step.role_arn, name, step.external_id, tuple(sorted(step.tags.items())))


def google_identity(
    source: GoogleArtifactRegistrySource, facts: Inputs, digester: Digester
) -> tuple[Identity, KeyMaterial]:
    """Who asks Google, before any service account is impersonated."""
    if source.auth and (reference := source.auth.secret_ref):
        return _secret_login(facts, {"key_json": reference.key}, digester)
    if source.auth and (chosen := source.auth.service_account_ref):
        exchange, audience = _provider(chosen)
        audiences = chosen.audiences or (audience,)
        account = _account(facts)
        return _account_identity(facts, chosen.name, account, audiences, exchange), NO_KEY_MATERIAL
    return OperatorIdentity(), NO_KEY_MATERIAL


def google_impersonation(source: GoogleArtifactRegistrySource) -> Impersonation | None:
    """The service account that is impersonated last, if any."""
    step = source.impersonate
    if step is None:
        return None
    return Impersonation(step.service_account, step.delegates, step.token_lifetime.seconds)


def _provider(chosen: GoogleServiceAccountRef) -> tuple[str, str]:
    """The audience of Google's STS, and the one that the ServiceAccount's token gets by default.

    A provider takes its own resource name as a URL where it lists no audiences; GKE's pool takes
    the pool's name.
    """
    if chosen.gke_cluster is not None:
        project = chosen.gke_cluster.split("/")[1]
        pool = f"{project}.svc.id.goog"
        cluster = f"https://container.googleapis.com/v1/{chosen.gke_cluster}"
        return f"identitynamespace:{pool}:{cluster}", pool
    provider = f"//iam.googleapis.com/{chosen.workload_identity_provider}"
    return provider, f"https:{provider}"


def source_secret_of(facts: Inputs) -> SourceSecret:
    """The Secret that the checks have found."""
    if facts.secret is None:
        raise ValueError("an index that passed its checks without its Secret")
    return facts.secret


def _account(facts: Inputs) -> SourceServiceAccount:
    if not isinstance(facts.account, SourceServiceAccount):
        raise TypeError("an index that passed its checks without its ServiceAccount")
    return facts.account


def _account_identity(
    facts: Inputs,
    name: str,
    account: SourceServiceAccount,
    audiences: tuple[str, ...],
    exchange: str,
) -> ServiceAccountIdentity:
    return ServiceAccountIdentity(
        namespace=facts.record.ref.namespace,
        name=name,
        service_account_uid=account.uid,
        audiences=audiences,
        exchange=exchange,
    )


def _secret_login(
    facts: Inputs, keys: Mapping[str, str], digester: Digester
) -> tuple[SecretIdentity, KeyMaterial]:
    """The login with these `keys` of a Secret."""
    secret = source_secret_of(facts)
    material = {name: secret.values[key] for name, key in keys.items()}
    values = {name: value.get_secret_value() for name, value in material.items()}
    identity = SecretIdentity(
        namespace=facts.record.ref.namespace,
        secret_uid=secret.uid,
        digest=digester.material(values),
    )
    return identity, material
