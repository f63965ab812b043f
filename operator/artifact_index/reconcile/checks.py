"""What must hold before an index can log in: a chain of pure checks, the first violation wins."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from artifact_index.api import reason_names as reasons
from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.base import SpecError
from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.reconcile.records import IndexRecord, SourceRecord
from artifact_index.reconcile.references import SecretUse, secret_use, uses_operator_identity
from artifact_index.rendering.urls import is_insecure, validate_index_url


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something is not ready: a reason of the API's table, a message, and who must act."""

    reason: str
    message: str
    stalled: bool


@dataclass(frozen=True, slots=True)
class Policy:
    """What the administrator allows, for one namespace."""

    allow_http: bool
    operator_identity: bool
    missing_secret_grace: float


@dataclass(frozen=True, slots=True)
class IndexFacts:
    """What was gathered for one index.

    `secret` is None where the source needs none or it does not exist. `missing_for` is how many
    seconds ago the Secret or its key was first missed, 0 where it is there.
    """

    record: IndexRecord
    policy: Policy
    secret: SourceRecord | None = None
    secret_is_output: bool = False
    missing_for: float = 0.0

    @property
    def spec(self) -> ArtifactIndexSpec:
        """The spec; only after `spec_is_usable` has passed."""
        if self.record.spec is None:
            raise ValueError("the spec is not usable")
        return self.record.spec

    @property
    def use(self) -> SecretUse | None:
        """Which Secret the source reads."""
        return secret_use(self.spec)


Check = Callable[[IndexFacts], Problem | None]


def first_violation(checks: tuple[Check, ...], facts: IndexFacts) -> Problem | None:
    """The first check's problem, or None where all pass."""
    return next((problem for check in checks if (problem := check(facts)) is not None), None)


def invalid_spec(error: SpecError) -> Problem:
    """The problem of an object of either kind whose spec cannot be read."""
    return Problem(
        reasons.INVALID_SPEC,
        f"{error.field_path} {error.message}; correct the field, or apply the CRDs of this version "
        "of the operator",
        stalled=True,
    )


def public_index_problem(spec: IndexOptionsSpec, policy: Policy) -> Problem | None:
    """https only for the public index, too, unless the administrator allows http."""
    url = spec.public_index.url
    if policy.allow_http or not spec.public_index.enabled or url is None or not is_insecure(url):
        return None
    return Problem(
        reasons.INSECURE_URL,
        "spec.publicIndex.url is not https: packages would cross the network unprotected, and "
        "builds stop at a blocked entry instead; use an https URL, or ask the administrator for "
        "--allow-http",
        stalled=True,
    )


def spec_is_usable(facts: IndexFacts) -> Problem | None:
    """The API server refuses most bad specs; what an older CRD let through ends here."""
    return invalid_spec(facts.record.problem) if facts.record.problem else None


def url_is_secure(facts: IndexFacts) -> Problem | None:
    """https only, unless the administrator allows http."""
    if facts.policy.allow_http:
        return None
    for field, url in _spec_urls(facts.spec):
        if is_insecure(url):
            return Problem(
                reasons.INSECURE_URL,
                f"{field} is not https: credentials would cross the network in clear text; use "
                "an https URL, or ask the administrator for --allow-http",
                stalled=True,
            )
    return None


def spec_url_is_usable(facts: IndexFacts) -> Problem | None:
    """A URL in the spec is one that uv reads as a URL."""
    for field, url in _spec_urls(facts.spec):
        if field != _GAR_HOST and (problem := validate_index_url(url)) is not None:
            return Problem(
                reasons.INVALID_SPEC, f"{field} cannot be used: {problem}; correct it", stalled=True
            )
    return None


def identity_is_allowed(facts: IndexFacts) -> Problem | None:
    """The operator's own cloud identity serves only namespaces with the administrator's consent."""
    if not uses_operator_identity(facts.spec) or facts.policy.operator_identity:
        return None
    source = "codeArtifact" if facts.spec.code_artifact else "googleArtifactRegistry"
    return Problem(
        reasons.OPERATOR_IDENTITY_NOT_ALLOWED,
        f"spec.{source} logs in with the operator's own cloud identity, which namespace "
        f"{facts.record.ref.namespace!r} may not use; set spec.{source}.auth.secretRef, or ask "
        "the administrator to add the namespace to --operator-identity-namespaces",
        stalled=True,
    )


def secret_is_forbidden(use: SecretUse, answer: str) -> Problem:
    """The operator itself must not read the source Secret."""
    return Problem(
        reasons.INTERNAL_ERROR,
        f"the operator may not read Secret {use.name!r} in {use.field}: {answer}; let its "
        "ServiceAccount get that Secret",
        stalled=False,
    )


def source_is_no_output(facts: IndexFacts) -> Problem | None:
    """An output as a source would feed a file with itself."""
    if facts.use is None or not facts.secret_is_output:
        return None
    return Problem(
        reasons.SOURCE_IS_OUTPUT,
        f"Secret {facts.use.name!r} in {facts.use.field} is an output of an IndexOptions in this "
        "namespace; name the Secret that holds the original credential",
        stalled=True,
    )


def secret_is_there(facts: IndexFacts) -> Problem | None:
    """The source Secret exists; it may still be on its way from the same GitOps sync."""
    if facts.use is None or facts.secret is not None:
        return None
    return _missing(
        facts,
        reasons.SECRET_NOT_FOUND,
        f"Secret {facts.use.name!r} in {facts.use.field} does not exist in namespace "
        f"{facts.record.ref.namespace!r}; create it or correct the name",
    )


def keys_are_there(facts: IndexFacts) -> Problem | None:
    """The source Secret has the keys that the spec names; to empty a value is to take it away."""
    if facts.use is None or facts.secret is None:
        return None
    for key in facts.use.keys:
        value = facts.secret.values.get(key)
        if not value and key not in facts.secret.binary:
            what = "has no key" if value is None else "has nothing in key"
            return _missing(
                facts,
                reasons.SECRET_KEY_MISSING,
                f"Secret {facts.use.name!r} in {facts.use.field} {what} {key!r}; add it, or "
                "name the key that holds the value",
            )
    return None


def values_are_usable(facts: IndexFacts) -> Problem | None:
    """The referenced values are text, not empty, on one line, and a URL where one is due."""
    use, secret = facts.use, facts.secret
    if use is None or secret is None:
        return None
    multiline = facts.spec.google_artifact_registry is not None
    for key in (*use.keys, *use.optional_keys):
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
    identity_is_allowed,
    source_is_no_output,
)
"""What the spec alone decides; an index that nobody selects is checked no further."""

SOURCE_CHECKS: Final[tuple[Check, ...]] = (secret_is_there, keys_are_there, values_are_usable)
"""What the source Secret decides."""

_GAR_HOST: Final = "spec.googleArtifactRegistry.host"


def _spec_urls(spec: ArtifactIndexSpec) -> list[tuple[str, str]]:
    urls: list[tuple[str, str]] = []
    if spec.code_artifact and spec.code_artifact.endpoint:
        urls.append(("spec.codeArtifact.endpoint", spec.code_artifact.endpoint))
    if spec.google_artifact_registry and spec.google_artifact_registry.host:
        urls.append((_GAR_HOST, spec.google_artifact_registry.host))
    if spec.basic_auth:
        urls.append(("spec.basicAuth.url", spec.basic_auth.url))
    if spec.basic_auth and spec.basic_auth.publish_url:
        urls.append(("spec.basicAuth.publishURL", spec.basic_auth.publish_url))
    if spec.anonymous:
        urls.append(("spec.anonymous.url", spec.anonymous.url))
    return urls


def _missing(facts: IndexFacts, reason: str, message: str) -> Problem:
    grace = facts.policy.missing_secret_grace
    if facts.missing_for >= grace:
        return Problem(reason, message, stalled=True)
    return Problem(
        reason,
        f"{message}; it is waited for up to {grace:.0f} s after it was missed",
        stalled=False,
    )


def _unusable(use: SecretUse, key: str, why: str) -> Problem:
    return Problem(
        reasons.INVALID_SECRET_VALUE,
        f"the value of key {key!r} of Secret {use.name!r} in {use.field} cannot be used: {why}; "
        "correct the value",
        stalled=True,
    )


def _unusable_text(secret: SourceRecord, key: str, *, multiline: bool) -> str | None:
    if key in secret.binary:
        return "it is not UTF-8 text"
    if key not in secret.values:
        return None
    value = secret.values[key].get_secret_value()
    if not value:
        return "it is empty"
    return None if multiline or "\n" not in value else "it holds a line break, perhaps at its end"


def _preauthenticated_url(
    facts: IndexFacts, use: SecretUse, secret: SourceRecord
) -> Problem | None:
    key = use.keys[0]
    url = secret.values[key].get_secret_value()
    if (problem := validate_index_url(url)) is not None:
        return _unusable(use, key, problem)
    if is_insecure(url) and not facts.policy.allow_http:
        return Problem(
            reasons.INSECURE_URL,
            f"the URL in key {key!r} of Secret {use.name!r} in {use.field} is not https; use an "
            "https URL, or ask the administrator for --allow-http",
            stalled=True,
        )
    return None
