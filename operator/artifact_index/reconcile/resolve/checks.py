"""What must hold before an index can log in: a chain of pure checks, the first violation wins."""

from typing import Final

from artifact_index.api.base import SpecError
from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.api.reasons import Reason
from artifact_index.formats.urls import is_insecure, validate_index_url
from artifact_index.reconcile.cache.objects import SourceSecret
from artifact_index.reconcile.resolve.identity_checks import (
    GAR_HOST,
    account_is_there,
    host_problem,
    hosts_are_allowed,
    identity_is_allowed,
    public_host_problem,
    role_is_known,
    spec_urls,
)
from artifact_index.reconcile.resolve.policy import (
    Check,
    Inputs,
    Policy,
    Problem,
    first_violation,
    missing,
)
from artifact_index.sources.references import SecretUse

__all__ = [
    "SOURCE_CHECKS",
    "SPEC_CHECKS",
    "Check",
    "Inputs",
    "Policy",
    "Problem",
    "first_violation",
    "identity_is_allowed",
    "invalid_spec",
    "public_index_problem",
    "secret_is_forbidden",
]


def invalid_spec(error: SpecError) -> Problem:
    """The problem of an object of either kind whose spec cannot be read."""
    return Problem(
        Reason.INVALID_SPEC,
        f"{error.field_path} {error.message}; correct the field, or apply the CRDs of this version "
        "of the operator",
    )


def public_index_problem(spec: IndexOptionsSpec, policy: Policy) -> Problem | None:
    """The administrator's rules for URLs hold for the public index, too."""
    if (problem := public_host_problem(spec, policy)) is not None:
        return problem
    url = spec.public_index.url
    if policy.allow_http or not spec.public_index.enabled or url is None or not is_insecure(url):
        return None
    return Problem(
        Reason.INSECURE_URL,
        "spec.publicIndex.url is not https: packages would cross the network unprotected, and "
        "builds stop at a blocked entry instead; use an https URL, or ask the administrator for "
        "--allow-http",
    )


def spec_is_usable(facts: Inputs) -> Problem | None:
    """The API server refuses most bad specs; what an older CRD let through ends here."""
    return invalid_spec(facts.record.problem) if facts.record.problem else None


def url_is_secure(facts: Inputs) -> Problem | None:
    """https only, unless the administrator allows http."""
    if facts.policy.allow_http:
        return None
    for field, url in spec_urls(facts.spec):
        if is_insecure(url):
            return Problem(
                Reason.INSECURE_URL,
                f"{field} is not https: credentials would cross the network in clear text; use "
                "an https URL, or ask the administrator for --allow-http",
            )
    return None


def spec_url_is_usable(facts: Inputs) -> Problem | None:
    """A URL in the spec is one that uv reads as a URL."""
    for field, url in spec_urls(facts.spec):
        if field != GAR_HOST and (problem := validate_index_url(url)) is not None:
            return Problem(Reason.INVALID_SPEC, f"{field} cannot be used: {problem}; correct it")
    return None


def secret_is_forbidden(use: SecretUse, answer: str) -> Problem:
    """The operator itself must not read the source Secret; `answer` is the API server's."""
    return Problem(
        Reason.PERMISSION_MISSING,
        f"the operator may not read Secret {use.name!r} in {use.field}: {answer}",
    )


def source_is_no_output(facts: Inputs) -> Problem | None:
    """An output as a source would feed a file with itself."""
    if facts.use is None or not facts.secret_is_output:
        return None
    return Problem(
        Reason.SOURCE_IS_OUTPUT,
        f"Secret {facts.use.name!r} in {facts.use.field} is an output of an IndexOptions in this "
        "namespace; name the Secret that holds the original credential",
    )


def secret_is_there(facts: Inputs) -> Problem | None:
    """The source Secret exists; it may still be on its way from the same GitOps sync."""
    if facts.use is None or facts.secret is not None:
        return None
    return missing(
        facts,
        Reason.SECRET_NOT_FOUND,
        f"Secret {facts.use.name!r} in {facts.use.field} does not exist in namespace "
        f"{facts.record.ref.namespace!r}; create it or correct the name",
    )


def keys_are_there(facts: Inputs) -> Problem | None:
    """The source Secret has the keys that the spec names; to empty a value is to take it away."""
    if facts.use is None or facts.secret is None:
        return None
    for key in facts.use.keys:
        value = facts.secret.values.get(key)
        if not value and key not in facts.secret.binary:
            what = "has no key" if value is None else "has nothing in key"
            return missing(
                facts,
                Reason.SECRET_KEY_MISSING,
                f"Secret {facts.use.name!r} in {facts.use.field} {what} {key!r}; add it, or "
                "name the key that holds the value",
            )
    return None


def values_are_usable(facts: Inputs) -> Problem | None:
    """The referenced values are text, on one line, and a URL where one is due."""
    use, secret = facts.use, facts.secret
    if use is None or secret is None:
        return None
    multiline = facts.spec.google_artifact_registry is not None
    for key in use.keys:
        if (why := _unusable_text(secret, key, multiline=multiline)) is not None:
            return _unusable(use, key, why)
    if facts.spec.preauthenticated:
        return _preauthenticated_url(facts, use, secret)
    if facts.spec.basic_auth and facts.spec.basic_auth.username is None:
        key = facts.spec.basic_auth.secret_ref.username_key
        if ":" in secret.values[key].get_secret_value():
            return _unusable(use, key, "a user name must not hold a colon (RFC 7617)")
    return None


SPEC_CHECKS: Final[tuple[Check, ...]] = (
    spec_is_usable,
    url_is_secure,
    spec_url_is_usable,
    hosts_are_allowed,
    identity_is_allowed,
    source_is_no_output,
)
"""What the spec alone decides; an index that nobody selects is checked no further."""

SOURCE_CHECKS: Final[tuple[Check, ...]] = (
    secret_is_there,
    keys_are_there,
    values_are_usable,
    account_is_there,
    role_is_known,
)
"""What the source Secret or ServiceAccount decides."""


def _unusable(use: SecretUse, key: str, why: str) -> Problem:
    return Problem(
        Reason.INVALID_SECRET_VALUE,
        f"the value of key {key!r} of Secret {use.name!r} in {use.field} cannot be used: {why}; "
        "correct the value",
    )


def _unusable_text(secret: SourceSecret, key: str, *, multiline: bool) -> str | None:
    if key in secret.binary:
        return "it is not UTF-8 text"
    value = secret.values[key].get_secret_value()
    return None if multiline or "\n" not in value else "it holds a line break, perhaps at its end"


def _preauthenticated_url(facts: Inputs, use: SecretUse, secret: SourceSecret) -> Problem | None:
    key = use.keys[0]
    url = secret.values[key].get_secret_value()
    if (problem := validate_index_url(url)) is not None:
        return _unusable(use, key, problem)
    where = f"the URL in key {key!r} of Secret {use.name!r} in {use.field}"
    if (forbidden := host_problem(where, url, facts.policy)) is not None:
        return forbidden
    if is_insecure(url) and not facts.policy.allow_http:
        return Problem(
            Reason.INSECURE_URL,
            f"{where} is not https; use an https URL, or ask the administrator for --allow-http",
        )
    return None
