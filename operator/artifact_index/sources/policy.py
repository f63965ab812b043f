"""What the administrator allows, and the problems that say what is not. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from artifact_index.api.reasons import Reason


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an object is not ready.

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


def host_problem(field: str, url: str, policy: Policy) -> Problem | None:
    """Why a URL or host must not be used; None if the administrator allows it or set no list."""
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


def matches(name: str, globs: Iterable[str]) -> bool:
    """Whether a glob fits the whole name: `*` is any text, `?` one character."""
    patterns = (re.escape(glob).replace(r"\*", ".*").replace(r"\?", ".") for glob in globs)
    return any(re.fullmatch(pattern, name, re.DOTALL) for pattern in patterns)
