"""What the checks decide on, and what they find: one index with its sources and its policy."""

from collections.abc import Callable
from dataclasses import dataclass

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.reasons import Reason
from artifact_index.reconcile.cache.objects import IndexObject, ServiceAccountResult, SourceSecret
from artifact_index.sources.references import AccountUse, SecretUse, account_use, secret_use


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something is not ready.

    `must_act` is given only where the reason alone does not say who must act: a missing Secret
    becomes the user's to create after a while.
    """

    reason: Reason
    message: str
    must_act: bool | None = None

    @property
    def stalled(self) -> bool:
        """Whether the user must act; otherwise the operator tries again."""
        return self.reason.must_act if self.must_act is None else self.must_act


@dataclass(frozen=True, slots=True)
class Policy:
    """What the administrator allows, for one namespace."""

    allow_http: bool
    operator_identity: bool
    missing_secret_grace: float
    operator_identity_limits: tuple[str, ...] = ("*",)
    """Globs of what the operator's identity may be used for: ARNs, projects, e-mail addresses."""
    allowed_hosts: tuple[str, ...] = ()
    """Globs of hosts that a URL of a spec may name; empty: any."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was gathered for one index.

    `secret` and `account` are None where the source needs none or it does not exist. `missing_for`
    is how many seconds ago the Secret, its key or the ServiceAccount was first missed, 0 where it
    is there.
    """

    record: IndexObject
    policy: Policy
    secret: SourceSecret | None = None
    secret_is_output: bool = False
    missing_for: float = 0.0
    account: ServiceAccountResult = None

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

    @property
    def account_use(self) -> AccountUse | None:
        """Which ServiceAccount the source logs in as."""
        return account_use(self.spec)


Check = Callable[[Inputs], Problem | None]


def first_violation(checks: tuple[Check, ...], facts: Inputs) -> Problem | None:
    """The first check's problem, or None where all pass."""
    return next((problem for check in checks if (problem := check(facts)) is not None), None)


def missing(facts: Inputs, reason: Reason, message: str) -> Problem:
    """The problem of something that may still be on its way from the same GitOps sync."""
    grace = facts.policy.missing_secret_grace
    if facts.missing_for >= grace:
        return Problem(reason, message, must_act=True)
    return Problem(
        reason,
        f"{message}; it is waited for up to {grace:.0f} s after it was missed",
    )
