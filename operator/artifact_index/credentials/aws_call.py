"""One call to CodeArtifact, and what to tell the user whose call AWS refused."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_DENIED_ACTION: Final = re.compile(r"not authorized to perform: ([a-z0-9-]{2,32}:[A-Za-z]{2,64})\b")
_PRINCIPAL: Final = re.compile(r"User: (arn:aws[a-z-]*:(?:iam|sts)::\d{12}:[\w+=,.@/-]{1,512})")
_SESSION: Final = re.compile(r"(:assumed-role/.*)/[^/]*$")
_ROLE: Final = r"\1"
_STS_OPERATIONS: Final = ("AssumeRole", "AssumeRoleWithWebIdentity")


@dataclass(frozen=True, slots=True)
class AwsCall:
    """One call to CodeArtifact, as its error messages describe it."""

    operation: str
    region: str
    domain: str
    domain_owner: str
    repository: str | None
    operator_identity: bool
    duration: int | None = None

    @property
    def resource(self) -> str:
        """ARN of what is asked for."""
        partition = "aws"
        if self.region.startswith("cn-"):
            partition = "aws-cn"
        elif self.region.startswith("us-gov-"):
            partition = "aws-us-gov"
        prefix = f"arn:{partition}:codeartifact:{self.region}:{self.domain_owner}"
        if self.repository is None:
            return f"{prefix}:domain/{self.domain}"
        return f"{prefix}:repository/{self.domain}/{self.repository}"

    @property
    def who(self) -> str:
        """The identity that asked, in words."""
        if self.operator_identity:
            return "the operator's own AWS identity"
        return "the AWS access key of the referenced Secret"


def must_act(
    reason: str, code: str, operation: str, response: Mapping[str, Any], call: AwsCall
) -> str:
    """What the user must do, by the reason; `code` is AWS's error code."""
    if operation in _STS_OPERATIONS:
        return (
            f"the operator's own AWS role could not be assumed ({named(code)}): check the role's "
            "trust policy, its OIDC provider, and the role named at the operator's ServiceAccount"
        )
    if reason == "AccessDenied":
        return _denied(str(response.get("Error", {}).get("Message") or ""), call)
    if reason == "CloudResourceNotFound":
        what = "repository or domain" if call.repository else "domain"
        return (
            f"{call.resource} does not exist: correct the {what}, domainOwner or region of "
            "codeArtifact"
        )
    if reason == "InvalidCredential":
        if call.operator_identity:
            return (
                f"AWS does not accept {call.who} ({named(code)}): check the operator's clock and "
                "where its credentials come from"
            )
        return (
            f"AWS does not accept {call.who} ({named(code)}): put a current access key id, "
            "secret access key and, for temporary keys, session token into the Secret"
        )
    why = str(response.get("reason") or "")
    what = named(f"{code}, {why}" if re.fullmatch(r"[A-Z_]{1,64}", why) else code)
    duration = "" if call.duration is None else f", tokenDuration {call.duration}s"
    return (
        f"CodeArtifact does not take this {operation} ({what}): correct the fields of "
        f"codeArtifact (asked for {call.resource}{duration})"
    )


def _denied(text: str, call: AwsCall) -> str:
    """Names the permission: the one AWS names, else all that the call needs."""
    principal = _PRINCIPAL.search(text)
    # A session's name is made anew by each process: without it, the message stays the same.
    who = f"{call.who} ({_SESSION.sub(_ROLE, principal[1])})" if principal else call.who
    action = _DENIED_ACTION.search(text)
    if call.operation == "GetRepositoryEndpoint":
        return (
            f"{who} may not ask for the repository's URL: allow codeartifact:GetRepositoryEndpoint "
            f"on {call.resource} in IAM and, across accounts, in the repository policy"
        )
    both = "codeartifact:GetAuthorizationToken on {0} and sts:GetServiceBearerToken on *"
    needed = both.format(call.resource)
    missing = f"{action[1]} is missing" if action else "a permission is missing"
    return (
        f"{who} may not get a token, {missing}: allow {needed} in IAM and, across accounts, in the "
        "domain policy. A policy with the condition sts:DurationSeconds also refuses a "
        f"tokenDuration beyond its bound (asked for {call.duration}s)"
    )


def named(code: str, status: int = 0) -> str:
    """The code, or the HTTP status where the code is none of AWS's form."""
    cleaned = ", ".join(part for part in code.split(", ") if re.fullmatch(r"[\w.]{1,64}", part))
    if cleaned and not cleaned.isdigit():
        return cleaned
    return f"HTTP {status}" if status else "unknown code"
