"""One call to AWS, and the message to the user if AWS refuses it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from artifact_index.api.reasons import Reason
from artifact_index.credentials.aws.requests import CodeArtifactRequest
from artifact_index.credentials.requests import (
    OperatorIdentity,
    SecretIdentity,
    ServiceAccountIdentity,
)

_DENIED_ACTION: Final = re.compile(r"not authorized to perform: ([a-z0-9-]{2,32}:[A-Za-z]{2,64})\b")
_PRINCIPAL: Final = re.compile(r"User: (arn:aws[a-z-]*:(?:iam|sts)::\d{12}:[\w+=,.@/-]{1,512})")
_SESSION: Final = re.compile(r"(:assumed-role/.*)/[^/]*$")
ASSUME_ROLE: Final = "AssumeRole"
ASSUME_ROLE_WITH_WEB_IDENTITY: Final = "AssumeRoleWithWebIdentity"
_STS_OPERATIONS: Final = (ASSUME_ROLE, ASSUME_ROLE_WITH_WEB_IDENTITY)


# As in botocore's partitions.json. To ask boto3 itself would load it at the start of the operator.
_PARTITIONS: Final = {
    "aws": r"(us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+",
    "aws-cn": r"cn-\w+-\d+",
    "aws-eusc": r"eusc-(de)-\w+-\d+",
    "aws-iso": r"us-iso-\w+-\d+",
    "aws-iso-b": r"us-isob-\w+-\d+",
    "aws-iso-e": r"eu-isoe-\w+-\d+",
    "aws-iso-f": r"us-isof-\w+-\d+",
    "aws-us-gov": r"us-gov-\w+-\d+",
}
"""What the SDK knows: the regions of each partition."""


_REGIONS: Final = (
    "ap-northeast-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "eu-central-1",
    "eu-north-1", "eu-south-1", "eu-west-1", "eu-west-2", "eu-west-3", "us-east-1", "us-east-2",
    "us-west-2",
)  # fmt: skip
"""The regions with CodeArtifact that the SDK knows."""


def unknown_region(region: str) -> str:
    """What to say of a region without CodeArtifact, with the one that may be meant; else empty."""
    if region in _REGIONS:
        return ""
    meant = get_close_matches(region, _REGIONS, n=1, cutoff=0.8)
    guess = f"; did you mean {meant[0]!r}?" if meant else "."
    return f"spec.codeArtifact.region {region!r} has no CodeArtifact known to this version{guess} "


def partition_of(region: str) -> str:
    """The partition of a region, as ARNs name it; `aws` for a region that the SDK does not know."""
    known = (name for name, regions in _PARTITIONS.items() if re.fullmatch(regions, region))
    return next(known, "aws")


@dataclass(slots=True)
class AwsCall:
    """The call of a login that is in progress, as error messages describe it."""

    operation: str
    request: CodeArtifactRequest

    @property
    def region(self) -> str:
        """The region that answers."""
        return self.request.region

    @property
    def service(self) -> str:
        """The service that answers, in words."""
        return "AWS STS" if self.operation in _STS_OPERATIONS else "CodeArtifact"

    @property
    def resource(self) -> str:
        """ARN of the domain or repository that the login is for."""
        request = self.request
        partition = partition_of(request.region)
        prefix = f"arn:{partition}:codeartifact:{request.region}:{request.domain_owner}"
        if request.repository is None:
            return f"{prefix}:domain/{request.domain}"
        return f"{prefix}:repository/{request.domain}/{request.repository}"

    @property
    def who(self) -> str:
        """The identity that makes the call, in words."""
        role = self.request.role
        if role is not None and self.operation not in _STS_OPERATIONS:
            return f"the role {role.role_arn}"
        match self.request.identity:
            case OperatorIdentity():
                return "the operator's own AWS identity"
            case SecretIdentity():
                return "the AWS access key of the Secret"
            case ServiceAccountIdentity(namespace=namespace, name=name, exchange=role_arn):
                if self.operation == ASSUME_ROLE_WITH_WEB_IDENTITY:
                    return f"ServiceAccount {namespace}/{name}"
                return f"the role {role_arn}"


def must_act(
    reason: Reason, code: str, operation: str, response: Mapping[str, Any], call: AwsCall
) -> str:
    """The message that says what the user must do; `code` is AWS's error code."""
    text = str(response.get("Error", {}).get("Message") or "")
    if operation in _STS_OPERATIONS:
        return _sts_refused(reason, code, operation, text, call)
    if reason is Reason.ACCESS_DENIED:
        return _denied(text, call)
    if reason is Reason.CLOUD_RESOURCE_NOT_FOUND:
        what = "repository or domain" if call.request.repository else "domain"
        return (
            f"{call.resource} does not exist: correct the {what}, domainOwner or region of "
            "codeArtifact"
        )
    if reason is Reason.INVALID_CREDENTIAL:
        return _credential_refused(code, call)
    why = str(response.get("reason") or "")
    what = named(f"{code}, {why}" if re.fullmatch(r"[A-Z_]{1,64}", why) else code)
    seconds = call.request.duration
    duration = "" if seconds is None else f", tokenDuration {seconds}s"
    return (
        f"CodeArtifact does not take this {call.operation} ({what}): correct the fields of "
        f"codeArtifact (asked for {call.resource}{duration})"
    )


def _sts_refused(reason: Reason, code: str, operation: str, text: str, call: AwsCall) -> str:
    if operation != call.operation:
        return (
            f"the operator's own AWS role could not be assumed ({named(code)}): check the role's "
            "trust policy, its OIDC provider, and the role named at the operator's ServiceAccount"
        )
    if operation == ASSUME_ROLE_WITH_WEB_IDENTITY:
        return _web_identity_refused(reason, code, call)
    return _role_refused(reason, code, text, call)


def _web_identity_refused(reason: Reason, code: str, call: AwsCall) -> str:
    identity = call.request.identity
    if not isinstance(identity, ServiceAccountIdentity):
        raise TypeError("only a ServiceAccount logs in by web identity")
    subject = f"system:serviceaccount:{identity.namespace}:{identity.name}"
    audiences = " or ".join(identity.audiences)
    if reason is Reason.ACCESS_DENIED:
        return (
            f"the role {identity.exchange} does not let {call.who} in: its trust policy has to "
            "allow sts:AssumeRoleWithWebIdentity to the cluster's OIDC provider, for the subject "
            f"{subject} and the audience {audiences}"
        )
    if reason is Reason.INVALID_CREDENTIAL:
        return (
            f"AWS does not accept the token of {call.who} ({named(code)}): the account of the role "
            f"{identity.exchange} needs an IAM OIDC provider with this cluster's issuer URL and "
            f"the audience {audiences}"
        )
    return (
        f"AWS STS does not take this {call.operation} ({named(code)}): check the role "
        f"{identity.exchange} and codeArtifact.region"
    )


def _role_refused(reason: Reason, code: str, text: str, call: AwsCall) -> str:
    role = call.request.role
    if role is None:
        raise TypeError("only a login with a role assumes one")
    who = _named_principal(text, call)
    if reason is Reason.ACCESS_DENIED:
        conditions = f"session name {role.session_name}"
        if role.external_id is not None:
            conditions += f", external ID {role.external_id}"
        tagged = " and sts:TagSession" if role.tags else ""
        return (
            f"{who} may not assume the role {role.role_arn}: allow sts:AssumeRole{tagged} on it to "
            f"the caller, and let the role's trust policy name the caller ({conditions})"
        )
    if reason is Reason.INVALID_CREDENTIAL:
        return _credential_refused(code, call)
    return (
        f"AWS STS does not take this AssumeRole ({named(code)}): correct "
        f"codeArtifact.assumeRole (asked for {role.role_arn})"
    )


def _credential_refused(code: str, call: AwsCall) -> str:
    remedy = "check the operator's clock"
    if not isinstance(call.request.identity, SecretIdentity):
        remedy += " and where its credentials come from"
    elif call.request.role is None or call.operation in _STS_OPERATIONS:
        remedy = (
            "put a current access key id, secret access key and, for temporary keys, session token "
            "into the Secret"
        )
    return f"AWS does not accept {call.who} ({named(code)}): {remedy}"


def _denied(text: str, call: AwsCall) -> str:
    """Name the missing permission if AWS does, and all that the call needs."""
    who = _named_principal(text, call)
    action = _DENIED_ACTION.search(text)
    if call.operation == "GetRepositoryEndpoint":
        return (
            f"{who} may not ask for the repository's URL: allow codeartifact:GetRepositoryEndpoint "
            f"on {call.resource} in IAM and, across accounts, in the repository policy"
        )
    missing = f"{action[1]} is missing" if action else "a permission is missing"
    return (
        f"{who} may not get a token, {missing}: allow codeartifact:GetAuthorizationToken on "
        f"{call.resource} and sts:GetServiceBearerToken on * in IAM and, across accounts, in the "
        "domain policy. A policy with the condition sts:DurationSeconds also refuses a "
        f"tokenDuration beyond its bound (asked for {call.request.duration}s)"
    )


def _named_principal(text: str, call: AwsCall) -> str:
    """Who made the call, with the ARN if AWS names it.

    Each process makes a new session name. It is left out, so that the message stays the same.
    """
    principal = _PRINCIPAL.search(text)
    if principal is None:
        return call.who
    arn = _SESSION.sub(r"\1", principal[1])
    return f"{call.who} ({arn})"


def named(code: str, status: int = 0) -> str:
    """The code, or the HTTP status if the code does not look like one of AWS."""
    cleaned = ", ".join(part for part in code.split(", ") if re.fullmatch(r"[\w.]{1,64}", part))
    if cleaned and not cleaned.isdigit():
        return cleaned
    return f"HTTP {status}" if status else "unknown code"
