"""What must hold before an index can log in: a chain of pure checks, the first problem wins."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from artifact_index.api.base import SpecError
from artifact_index.api.constants import ROLE_LABEL, ROLE_SOURCE, SESSION_TAG_PREFIX
from artifact_index.api.index_options import OptionsSpec
from artifact_index.api.reasons import Reason
from artifact_index.api.timestamps import format_time, parse_time
from artifact_index.credentials.tokens.freshness import go_duration
from artifact_index.formats.urls import is_insecure, validate_index_url
from artifact_index.kube.permissions import account_permissions
from artifact_index.sources.base import (
    Inputs,
    RefusedServiceAccount,
    SecretUse,
    Source,
    SourceSecret,
    SourceServiceAccount,
    missing_key,
    unusable_values,
)
from artifact_index.sources.policy import ALLOW_HTTP, Policy, Problem, host_problem, matches

Check = Callable[[Inputs], Problem | None]


def first_violation(checks: tuple[Check, ...], inputs: Inputs) -> Problem | None:
    """The first check's problem, or None if all pass."""
    for check in checks:
        if (problem := check(inputs)) is not None:
            return problem
    return None


def invalid_spec(error: SpecError) -> Problem:
    """The problem of an object of either kind whose spec cannot be read."""
    return Problem(
        Reason.INVALID_SPEC,
        f"{error.field_path} {error.message}; correct the field, or apply the CRDs of this version "
        "of the operator",
    )


def public_index_problem(spec: OptionsSpec, policy: Policy) -> Problem | None:
    """The administrator's rules for URLs hold for the public index, too."""
    public = spec.public_index
    if not public.enabled or public.url is None:
        return None
    if (problem := host_problem("spec.publicIndex.url", public.url, policy)) is not None:
        return problem
    if policy.allow_http or not is_insecure(public.url):
        return None
    return Problem(
        Reason.INSECURE_URL,
        "spec.publicIndex.url is not https: packages would cross the network unprotected, and "
        "builds stop at a blocked entry instead; use an https URL, or ask the administrator for "
        f"{ALLOW_HTTP}",
    )


def secret_is_forbidden(use: SecretUse, answer: str) -> Problem:
    """The operator itself must not read the source Secret; `answer` is the API server's."""
    return Problem(
        Reason.PERMISSION_MISSING,
        f"Secret {use.name!r} in {use.field} may not be read by the operator: {answer}",
    )


def url_is_secure(inputs: Inputs) -> Problem | None:
    """Only https, unless the administrator allows http."""
    if inputs.policy.allow_http:
        return None
    for field, url in _urls_and_hosts(inputs):
        if is_insecure(url):
            return Problem(
                Reason.INSECURE_URL,
                f"{field} is not https: credentials would cross the network in clear text; use "
                f"an https URL, or ask the administrator for {ALLOW_HTTP}",
            )
    return None


def spec_url_is_usable(inputs: Inputs) -> Problem | None:
    """uv must read a URL of the spec as a URL."""
    for field, url in inputs.source.urls():
        if (problem := validate_index_url(url)) is not None:
            return Problem(Reason.INVALID_SPEC, f"{field} cannot be used: {problem}; correct it")
    return None


def hosts_are_allowed(inputs: Inputs) -> Problem | None:
    """A URL of the spec names a host that the administrator allows."""
    why = None if inputs.policy.allowed_hosts else inputs.source.needs_host_list()
    if why is not None:
        return Problem(
            Reason.HOST_NOT_ALLOWED,
            f"{why}ask the administrator to set --allowed-hosts (settings.allowedHosts of the "
            "chart), which then holds for every URL",
        )
    for field, url in _urls_and_hosts(inputs):
        if (problem := host_problem(field, url, inputs.policy)) is not None:
            return problem
    return None


def identity_is_allowed(inputs: Inputs) -> Problem | None:
    """The operator's own cloud identity serves only what the administrator has consented to."""
    source, policy, namespace = inputs.source, inputs.policy, inputs.namespace
    if not source.uses_operator_identity():
        return None
    instead = (
        f"set {source.field}.auth.secretRef or serviceAccountRef, or ask the administrator to add"
    )
    setting = "--operator-identity-namespaces (settings.operatorIdentityNamespaces of the chart)"
    if not policy.operator_identity:
        absent = ", since auth is absent" if source.model.auth is None else ""
        return Problem(
            Reason.OPERATOR_IDENTITY_NOT_ALLOWED,
            f"{source.field} logs in with the operator's own cloud identity{absent}, which "
            f"namespace {namespace!r} may not use; {instead} {namespace!r} to {setting}",
        )
    for field, name in source.cloud_names():
        if not matches(name, policy.operator_identity_limits):
            return Problem(
                Reason.OPERATOR_IDENTITY_NOT_ALLOWED,
                f"{field} is beyond what namespace {namespace!r} may use the operator's own cloud "
                f"identity for; {instead} {f'{namespace}={name}'!r} to {setting}",
            )
    return None


def session_tags_are_allowed(inputs: Inputs) -> Problem | None:
    """A spec tags no session of the operator's own identity, unless the administrator lets it.

    It never sets the tags by which a trust policy tells the tenants apart.
    """
    source, keys = inputs.source, inputs.source.session_tags()
    if not keys or not source.uses_operator_identity():
        return None
    field = f"{source.field}.assumeRole.tags"
    instead = f"remove them, or set {source.field}.auth.secretRef or serviceAccountRef"
    if not inputs.policy.tenant_tags:
        return Problem(
            Reason.OPERATOR_IDENTITY_NOT_ALLOWED,
            f"{field} would tag a session of the operator's own cloud identity, which only the "
            f"administrator may; {instead}, or ask for --operator-identity-tenant-tags",
        )
    if any(key.lower().startswith(SESSION_TAG_PREFIX) for key in keys):
        return Problem(
            Reason.OPERATOR_IDENTITY_NOT_ALLOWED,
            f"{field} has keys that begin with {SESSION_TAG_PREFIX!r}, which only the operator "
            f"sets on sessions of its own cloud identity; {instead}",
        )
    return None


def source_is_no_output(inputs: Inputs) -> Problem | None:
    """Reading credentials from a Secret that the operator writes would be a feedback loop."""
    is_output = inputs.secret_is_output or (inputs.secret is not None and inputs.secret.is_output)
    if inputs.use is None or not is_output:
        return None
    return Problem(
        Reason.SOURCE_IS_OUTPUT,
        f"Secret {inputs.use.name!r} in {inputs.use.field} is an output of an IndexOptions in this "
        "namespace; name the Secret that holds the original credential",
    )


def secret_exists(inputs: Inputs) -> Problem | None:
    """The source Secret exists."""
    if inputs.use is None or inputs.secret is not None:
        return None
    return _missing(
        inputs,
        Reason.SECRET_NOT_FOUND,
        f"Secret {inputs.use.name!r} in {inputs.use.field} does not exist in namespace "
        f"{inputs.namespace!r}; create it or correct the name",
    )


def keys_exist(inputs: Inputs) -> Problem | None:
    """The source Secret has the keys that the spec names; an empty value revokes its key."""
    if inputs.use is None or inputs.secret is None:
        return None
    missing = {}
    for key in inputs.use.keys:
        value = inputs.secret.values.get(key)
        if not value and key not in inputs.secret.binary:
            what = f"has no key {key!r}" if value is None else f"has an empty key {key!r}"
            missing[what] = _field_of(key, inputs.source, inputs.use)
    if not missing:
        return None
    fields = f"set {inputs.use.field}.{' and '.join(missing.values())} to the"
    remedy = f"add it, or {fields} key that holds the value"
    if len(missing) > 1:
        remedy = f"add them, or {fields} keys that hold the values"
    problem = missing_key(inputs.use, inputs.secret, " and ".join(missing), remedy)
    return _missing(inputs, problem.reason, problem.message)


def _field_of(key: str, source: Source[Any], use: SecretUse) -> str:
    """The field of a reference that names this key of its Secret, such as `passwordKey`."""
    reference: dict[str, Any] = source.model.model_dump(by_alias=True)
    for part in use.field.removeprefix(f"{source.field}.").split("."):
        reference = reference[part]
    return next(name for name, value in reference.items() if name != "name" and value == key)


def unwatched_note(inputs: Inputs) -> str:
    """Say that changes of the source Secret are seen late, and how they are seen at once."""
    if inputs.use is None or inputs.secret is None or inputs.secret.watched:
        return ""
    return (
        f"; a change of Secret {inputs.use.name!r} is seen within "
        f"{go_duration(inputs.policy.source_reread)}, and at once if it has the label: kubectl -n "
        f"{inputs.namespace} label secret {inputs.use.name} {ROLE_LABEL}={ROLE_SOURCE}"
    )


def values_are_text(inputs: Inputs) -> Problem | None:
    """The referenced values are text, of the form that this kind of source needs."""
    use, secret = inputs.use, inputs.secret
    if use is None or secret is None:
        return None
    why = {key: _unusable(inputs.source, secret, key) for key in use.keys}
    found = {key: each for key, each in why.items() if each is not None}
    return unusable_values(use, found) if found else None


def service_account_exists(inputs: Inputs) -> Problem | None:
    """The ServiceAccount exists and the operator may read it."""
    use = inputs.account_use
    if use is None or isinstance(inputs.account, SourceServiceAccount):
        return None
    if isinstance(inputs.account, RefusedServiceAccount):
        return Problem(
            Reason.TOKEN_REQUEST_DENIED,
            f"ServiceAccount {use.name!r} in {use.field} may not be read by the operator, which "
            f"needs {account_permissions(inputs.namespace, use.name)}",
        )
    return _missing(
        inputs,
        Reason.SERVICE_ACCOUNT_NOT_FOUND,
        f"ServiceAccount {use.name!r} in {use.field} does not exist in namespace "
        f"{inputs.namespace!r}; create it or correct the name",
    )


def kind_is_satisfied(inputs: Inputs) -> Problem | None:
    """What only this kind of source demands."""
    return inputs.source.problem(inputs)


SPEC_CHECKS: Final[tuple[Check, ...]] = (
    url_is_secure,
    spec_url_is_usable,
    hosts_are_allowed,
    identity_is_allowed,
    session_tags_are_allowed,
    source_is_no_output,
)
"""What the spec alone decides; an index that no IndexOptions selects is checked no further."""

SOURCE_CHECKS: Final[tuple[Check, ...]] = (
    source_is_no_output,
    secret_exists,
    keys_exist,
    values_are_text,
    service_account_exists,
    kind_is_satisfied,
)
"""What the source Secret or ServiceAccount decides."""


def _urls_and_hosts(inputs: Inputs) -> Iterator[tuple[str, str]]:
    yield from inputs.source.urls()
    yield from inputs.source.hosts()


_STALLED_AT: Final = ". Still retrying; Stalled if it is missing at "
_TIME_LENGTH: Final = len("2026-01-02T03:04:05Z")


def _missing(inputs: Inputs, reason: Reason, message: str) -> Problem:
    """The problem of an object that the same GitOps sync may be about to create."""
    grace = inputs.policy.missing_secret_grace
    if inputs.missing_for >= grace:
        return Problem(reason, message, must_act=True)
    stalled_at = format_time(inputs.missing_since + grace)
    return Problem(reason, f"{message}{_STALLED_AT}{stalled_at}")


def missing_since_in(message: str, grace: float) -> float | None:
    """When a source was first missed, by a message of before; None if it does not say."""
    _, _, rest = message.partition(_STALLED_AT)
    try:
        return parse_time(rest[:_TIME_LENGTH]) - grace
    except (ValueError, OverflowError):
        return None


def _unusable(source: Source[Any], secret: SourceSecret, key: str) -> str | None:
    if key in secret.binary:
        return "it is not UTF-8 text"
    return source.unusable(key, secret.values[key].get_secret_value())
