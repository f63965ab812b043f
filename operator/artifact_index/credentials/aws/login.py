"""The steps of an AWS login, up to the keys that sign the last call."""

import re
import time
from collections.abc import Mapping
from typing import Any, Final

from artifact_index.api.reasons import Reason
from artifact_index.credentials.aws.call import ASSUME_ROLE, ASSUME_ROLE_WITH_WEB_IDENTITY, AwsCall
from artifact_index.credentials.aws.errors import unusable_answer
from artifact_index.credentials.aws.requests import CodeArtifactRequest
from artifact_index.credentials.aws.session import AwsSession
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import (
    SUBJECT_TOKEN,
    KeyMaterial,
    OperatorIdentity,
    SecretIdentity,
    ServiceAccountIdentity,
)

SHORT_SESSION: Final = 900
"""Seconds, the minimum of STS. A CodeArtifact token outlives the session that requested it
(AWS: "Tokens created with the GetAuthorizationToken API")."""

LONG_SESSION: Final = 3600
"""Seconds, for a token that ends with the session. The maximum for chained roles (IAM: "Role
chaining"); every role allows it."""

_KEYS: Final = ("access_key_id", "secret_access_key")
_TOKEN_KEY: Final = "session_token"  # noqa: S105 - the name of a key, not a value

_TRIES: Final = 3
_PAUSE: Final = 0.3


def signing_keys(
    session: AwsSession, call: AwsCall, key_material: KeyMaterial
) -> Mapping[str, str] | None:
    """Arguments of `Session.client` for the login's last call; None: the operator's own identity.

    Raises LoginError and what boto3 raises; `call` then says which operation failed.
    """
    operation, role = call.operation, call.request.role
    keys = _first_keys(session, call, key_material)
    if role is None:
        call.operation = operation
        return keys
    call.operation = ASSUME_ROLE
    parameters: dict[str, Any] = {
        "RoleArn": role.role_arn,
        "RoleSessionName": role.session_name,
        "DurationSeconds": _session_seconds(call.request),
    }
    if role.external_id is not None:
        parameters["ExternalId"] = role.external_id
    if role.tags:
        parameters["Tags"] = [{"Key": key, "Value": value} for key, value in role.tags]
    with session.client("sts", call.region, keys) as sts:
        keys = _session_keys(sts.assume_role(**parameters), call)
    call.operation = operation
    return keys


def _first_keys(
    session: AwsSession, call: AwsCall, key_material: KeyMaterial
) -> Mapping[str, str] | None:
    match call.request.identity:
        case OperatorIdentity():
            return None
        case SecretIdentity():
            return _keys_of(key_material)
        case ServiceAccountIdentity() as identity:
            call.operation = ASSUME_ROLE_WITH_WEB_IDENTITY
            return _web_identity(session, call, identity, key_material)


def _web_identity(
    session: AwsSession, call: AwsCall, identity: ServiceAccountIdentity, key_material: KeyMaterial
) -> Mapping[str, str]:
    parameters = {
        "RoleArn": identity.exchange,
        "RoleSessionName": session_name(identity.namespace, identity.name),
        "WebIdentityToken": key_material[SUBJECT_TOKEN].get_secret_value(),
        "DurationSeconds": _session_seconds(call.request),
    }
    with session.client("sts", call.region, {}) as sts:
        for attempt in range(1, _TRIES + 1):
            try:
                return _session_keys(sts.assume_role_with_web_identity(**parameters), call)
            except sts.exceptions.InvalidIdentityTokenException:
                # STS sometimes rejects a token that it accepts a moment later (aws-cli#7194).
                if attempt == _TRIES:
                    raise
            time.sleep(_PAUSE * attempt)
    raise AssertionError("the last attempt returns or raises")


def session_name(namespace: str, name: str) -> str:
    """A session name that tells whose session it is and that no other namespace can get.

    A namespace contains no `@` and at most 63 characters, so it is never cut: a trust policy can
    match `sts:RoleSessionName` with `NAMESPACE@*`.
    """
    return f"{namespace}@{name}"[:64]


def _session_seconds(request: CodeArtifactRequest) -> int:
    return LONG_SESSION if request.duration == 0 else SHORT_SESSION


def _session_keys(answer: Mapping[str, Any], call: AwsCall) -> Mapping[str, str]:
    given = answer.get("Credentials") or {}
    keys = {
        "aws_access_key_id": given.get("AccessKeyId"),
        "aws_secret_access_key": given.get("SecretAccessKey"),
        "aws_session_token": given.get("SessionToken"),
    }
    found = {name: value for name, value in keys.items() if isinstance(value, str) and value}
    if len(found) < len(keys):
        raise unusable_answer(call)
    return found


def is_key(value: str) -> bool:
    """Whether this can be a key or token of AWS: visible ASCII, without quotes around it."""
    return re.fullmatch("[!-~]+", value) is not None and value[0] not in "\"'"


def is_temporary(key_material: KeyMaterial) -> bool:
    """Whether AWS STS issued the access key, which then needs its session token.

    IAM, "Unique identifiers": AKIA begins long-term access keys, and ASIA temporary ones.
    """
    return key_material["access_key_id"].get_secret_value().lstrip().startswith("ASIA")


def _keys_of(key_material: KeyMaterial) -> Mapping[str, str]:
    """The keys of a Secret. Raises LoginError if the pair is incomplete.

    boto3 would fall back to the operator's own identity.
    """
    # `echo … | base64` leaves a line break at the end of the value of many a Secret.
    values = {name: value.get_secret_value().strip() for name, value in key_material.items()}
    wanted = (*_KEYS, _TOKEN_KEY) if _TOKEN_KEY in values else _KEYS
    for name in wanted:
        if not is_key(values.get(name, "")):
            raise LoginError(
                Reason.INVALID_CREDENTIAL,
                f"the {name.replace('_', ' ')} in the Secret is empty or holds "
                "characters that no AWS key has: store the value as AWS shows it",
            )
    return {f"aws_{name}": values[name] for name in wanted}
