"""What the administrator allows, and the problems that say what is not. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from artifact_index.api.reasons import Reason
from artifact_index.formats.urls import address_of, host_of

ALLOW_HTTP: Final = "--allow-http (settings.allowHttp of the chart)"
"""What an administrator sets to allow URLs without TLS."""


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
    source_reread: float = 300.0
    """Seconds within which a change of a Secret is seen that no watch reports."""
    operator_identity_limits: tuple[str, ...] = ("*",)
    """Globs of what the operator's identity may be used for: ARNs, projects, e-mail addresses."""
    session_tags: bool = False
    """Whether the operator tags the AWS sessions of its own identity with namespace and name."""
    tenant_tags: bool = False
    """Whether a spec may set session tags with the operator's own identity."""
    allowed_hosts: tuple[str, ...] = ()
    """Globs of hosts that a URL of a spec may name; empty: any."""


def internal_problem(incident: str) -> Problem:
    """The problem of an object at which the operator itself failed; the log names the incident."""
    return Problem(
        Reason.INTERNAL_ERROR,
        f"internal error {incident}; the operator's log has the details under this number",
    )


def host_problem(field: str, url: str, policy: Policy) -> Problem | None:
    """Why a URL or host must not be used; None if the administrator allows it or set no list.

    A URL that cannot be used has no host that could be allowed.
    """
    if not policy.allowed_hosts:
        return None
    url = url if "://" in url else f"https://{url}"
    host, address = host_of(url), address_of(url)
    # An entry may name an IPv6 address without its brackets.
    names = (host.strip("[]"), address) if host is not None and address is not None else ()
    if any(matches(name, policy.allowed_hosts) for name in names):
        return None
    return Problem(
        Reason.HOST_NOT_ALLOWED,
        f"the host of {field} is not among those that the administrator allows; use one that is, "
        "or ask the administrator to add it to --allowed-hosts (settings.allowedHosts of the "
        "chart)",
    )


def matches(name: str, globs: Iterable[str]) -> bool:
    """Whether a glob fits the whole name: `*` is any text, `?` one character."""
    patterns = (re.escape(glob).replace(r"\*", ".*").replace(r"\?", ".") for glob in globs)
    return any(re.fullmatch(pattern, name, re.DOTALL) for pattern in patterns)
