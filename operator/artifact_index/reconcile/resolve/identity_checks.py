"""What the administrator, and a ServiceAccount, allow a login. Pure."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.auth import ROLE_ARN_PATTERN
from artifact_index.api.constants import EKS_ROLE_ANNOTATION
from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.api.reasons import Reason
from artifact_index.reconcile.cache.objects import RefusedServiceAccount, SourceServiceAccount
from artifact_index.reconcile.resolve.policy import Inputs, Policy, Problem, missing
from artifact_index.sources.references import clouds_own_names, uses_operator_identity

ACCOUNT_PERMISSIONS = (
    "get on serviceaccounts and create on serviceaccounts/token; ask the administrator to grant "
    "them with serviceAccountTokens of the Helm chart"
)
_ROLE_ARN = re.compile(ROLE_ARN_PATTERN)


def identity_is_allowed(facts: Inputs) -> Problem | None:
    """The operator's own cloud identity serves what the administrator has consented to."""
    spec, policy = facts.spec, facts.policy
    if not uses_operator_identity(spec):
        return None
    source = "codeArtifact" if spec.code_artifact else "googleArtifactRegistry"
    namespace = facts.record.ref.namespace
    instead = (
        f"set spec.{source}.auth.secretRef or serviceAccountRef, or ask the administrator to add"
    )
    if not policy.operator_identity:
        return Problem(
            Reason.OPERATOR_IDENTITY_NOT_ALLOWED,
            f"spec.{source} logs in with the operator's own cloud identity, which namespace "
            f"{namespace!r} may not use; {instead} the namespace to --operator-identity-namespaces",
        )
    for field, name in clouds_own_names(spec):
        if not matches(name, policy.operator_identity_limits):
            return Problem(
                Reason.OPERATOR_IDENTITY_NOT_ALLOWED,
                f"{field} is beyond what namespace {namespace!r} may use the operator's own cloud "
                f"identity for; {instead} {f'{namespace}={name}'!r} to "
                "--operator-identity-namespaces",
            )
    return None


def hosts_are_allowed(facts: Inputs) -> Problem | None:
    """A URL of the spec names a host that the administrator allows."""
    for field, url in spec_urls(facts.spec):
        if (problem := host_problem(field, url, facts.policy)) is not None:
            return problem
    return None


def public_host_problem(spec: IndexOptionsSpec, policy: Policy) -> Problem | None:
    """The public index's URL names a host that the administrator allows."""
    public = spec.public_index
    if not public.enabled or public.url is None:
        return None
    return host_problem("spec.publicIndex.url", public.url, policy)


def host_problem(field: str, url: str, policy: Policy) -> Problem | None:
    """Why the URL, or host, must not be used; None where the administrator set no list."""
    if not policy.allowed_hosts:
        return None
    parts = urlsplit(url if "://" in url else f"https://{url}")
    host = (parts.hostname or "").lower()
    names = (host, parts.netloc.rpartition("@")[2].lower())
    if any(matches(name, policy.allowed_hosts) for name in names):
        return None
    return Problem(
        Reason.HOST_NOT_ALLOWED,
        f"the host of {field} is not among those that the administrator allows; use one that is, "
        "or ask the administrator to add it to --allowed-hosts",
    )


def account_is_there(facts: Inputs) -> Problem | None:
    """The ServiceAccount exists and may be read; it may still be on its way."""
    use = facts.account_use
    if use is None or isinstance(facts.account, SourceServiceAccount):
        return None
    if isinstance(facts.account, RefusedServiceAccount):
        return Problem(
            Reason.TOKEN_REQUEST_DENIED,
            f"the operator may not read ServiceAccount {use.name!r} in {use.field}; it needs "
            f"{ACCOUNT_PERMISSIONS}",
        )
    return missing(
        facts,
        Reason.SERVICE_ACCOUNT_NOT_FOUND,
        f"ServiceAccount {use.name!r} in {use.field} does not exist in namespace "
        f"{facts.record.ref.namespace!r}; create it or correct the name",
    )


def role_is_known(facts: Inputs) -> Problem | None:
    """An AWS login by ServiceAccount has a role: the field's or, without one, the annotation's."""
    use, account = facts.account_use, facts.account
    source = facts.spec.code_artifact
    if use is None or source is None or source.auth is None:
        return None
    reference = source.auth.service_account_ref
    if reference is None or reference.role_arn or not isinstance(account, SourceServiceAccount):
        return None
    if account.role_arn is not None and _ROLE_ARN.fullmatch(account.role_arn):
        return None
    wrong = "is no ARN of an IAM role" if account.role_arn else "is not set"
    return Problem(
        Reason.INVALID_SPEC,
        f"the annotation {EKS_ROLE_ANNOTATION} of ServiceAccount {use.name!r} {wrong}; correct it, "
        f"or set {use.field}.roleARN",
    )


def spec_urls(spec: ArtifactIndexSpec) -> list[tuple[str, str]]:
    """The URLs and hosts that a spec names, each with its field."""
    urls: list[tuple[str, str]] = []
    if spec.code_artifact and spec.code_artifact.endpoint:
        urls.append(("spec.codeArtifact.endpoint", spec.code_artifact.endpoint))
    if spec.google_artifact_registry and spec.google_artifact_registry.host:
        urls.append((GAR_HOST, spec.google_artifact_registry.host))
    if spec.basic_auth:
        urls.append(("spec.basicAuth.url", spec.basic_auth.url))
    if spec.basic_auth and spec.basic_auth.publish_url:
        urls.append(("spec.basicAuth.publishURL", spec.basic_auth.publish_url))
    if spec.anonymous:
        urls.append(("spec.anonymous.url", spec.anonymous.url))
    return urls


GAR_HOST = "spec.googleArtifactRegistry.host"


def matches(name: str, globs: Iterable[str]) -> bool:
    """Whether any of the globs fits the whole name: `*` is any text, `?` one character."""
    return any(_compiled(glob).fullmatch(name) is not None for glob in globs)


def _compiled(glob: str) -> re.Pattern[str]:
    return re.compile(re.escape(glob).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)
