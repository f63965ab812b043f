"""The operator's own AWS identity, from each source that a pod can have."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from artifact_index.credentials.aws.client import CodeArtifact
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import NO_KEY_MATERIAL
from support.clouds import AwsStandIn, Fault
from support.clouds.logins import OPERATOR, grant_in_new_process, token_request

pytestmark = pytest.mark.cloud

ROLE = "arn:aws:iam::111122223333:role/operator"


def env_keys(aws: AwsStandIn, folder: Path) -> tuple[dict[str, str], str]:
    key = aws.add_access_key("arn:aws:iam::111122223333:user/operator")
    return aws.env(key), key.principal


def session_keys(aws: AwsStandIn, folder: Path) -> tuple[dict[str, str], str]:
    key = aws.add_access_key("arn:aws:sts::111122223333:assumed-role/dev/me", session=True)
    return aws.env(key), key.principal


def node_role(aws: AwsStandIn, folder: Path) -> tuple[dict[str, str], str]:
    return aws.imds_env(), "arn:aws:sts::111122223333:assumed-role/node-role/i-0123456789abcdef0"


def pod_identity(aws: AwsStandIn, folder: Path) -> tuple[dict[str, str], str]:
    env = aws.container_env(folder / "container-token")
    return env, "arn:aws:sts::111122223333:assumed-role/pod-role/i-0123456789abcdef0"


def web_identity(aws: AwsStandIn, folder: Path) -> tuple[dict[str, str], str]:
    token = folder / "web-identity-token"
    token.write_text("projected-token")
    aws.trust_web_identity(ROLE, lambda shown: "sa" if shown == "projected-token" else None)
    env = aws.web_identity_env(ROLE, token) | {"AWS_ROLE_SESSION_NAME": "operator"}
    return env, "arn:aws:sts::111122223333:assumed-role/operator/operator"


@pytest.mark.parametrize("source", [env_keys, session_keys, node_role, pod_identity, web_identity])
def test_each_source_of_identity_gets_a_token_in_a_process_of_its_own(
    tmp_path: Path, source: Callable[[AwsStandIn, Path], tuple[dict[str, str], str]]
) -> None:
    with AwsStandIn() as aws:
        env, principal = source(aws, tmp_path)
        answer = grant_in_new_process("aws", env)
        assert aws.is_valid("aws", answer.get("value", "")), answer
        assert aws.mints("GetAuthorizationToken", principal) == 1


def test_one_session_serves_many_tokens_with_one_assumed_role(
    aws: AwsStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in web_identity(aws, tmp_path)[0].items():
        monkeypatch.setenv(name, value)
    client = CodeArtifact()
    for number in range(3):
        client.issue(token_request(OPERATOR, domain=f"domain-{number}"), NO_KEY_MATERIAL)
    assert (aws.mints("AssumeRoleWithWebIdentity"), aws.mints("GetAuthorizationToken")) == (1, 3)


@pytest.mark.parametrize(
    ("fault", "reason", "permanent"),
    [
        (Fault(403, "AccessDenied"), "AccessDenied", True),
        (Fault(400, "InvalidIdentityToken"), "InvalidCredential", True),
        (Fault(400, "ExpiredTokenException"), "InvalidCredential", True),
        (Fault(403, "IDPRejectedClaim"), "InvalidCredential", True),
        (Fault(403, "RegionDisabledException"), "InvalidRequest", True),
        (Fault(400, "IDPCommunicationError"), "CloudUnavailable", False),
        (Fault(400, "Throttling"), "CloudThrottled", False),
        (Fault(503, "ServiceUnavailable"), "CloudUnavailable", False),
        (Fault(reset=True), "CloudUnavailable", False),
    ],
)
def test_a_role_that_cannot_be_assumed_is_classified(
    aws: AwsStandIn,
    code_artifact: CodeArtifact,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    reason: str,
    permanent: bool,
) -> None:
    for name, value in web_identity(aws, tmp_path)[0].items():
        monkeypatch.setenv(name, value)
    aws.inject("AssumeRoleWithWebIdentity", fault)
    with pytest.raises(LoginError) as caught:
        code_artifact.issue(token_request(OPERATOR), NO_KEY_MATERIAL)
    assert (caught.value.reason, caught.value.permanent) == (reason, permanent)
    assert "projected-token" not in str(caught.value)
    aws.clear()
    code_artifact.issue(token_request(OPERATOR), NO_KEY_MATERIAL)


def test_a_hanging_sts_ends_within_the_time_limits(
    aws: AwsStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in web_identity(aws, tmp_path)[0].items():
        monkeypatch.setenv(name, value)
    aws.inject("AssumeRoleWithWebIdentity", Fault(hang_seconds=60))
    client = CodeArtifact(connect_timeout=0.3, read_timeout=0.3, attempts=1)
    started = time.monotonic()
    with pytest.raises(LoginError) as caught:
        client.issue(token_request(OPERATOR), NO_KEY_MATERIAL)
    assert caught.value.reason == "CloudUnavailable"
    assert time.monotonic() - started < 30


def test_half_of_the_variables_is_no_identity(
    aws: AwsStandIn, code_artifact: CodeArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    with pytest.raises(LoginError) as caught:
        code_artifact.issue(token_request(OPERATOR), NO_KEY_MATERIAL)
    assert (caught.value.reason, caught.value.permanent) == ("NoOperatorIdentity", True)


def test_a_broken_pod_identity_agent_is_retried(
    aws: AwsStandIn,
    code_artifact: CodeArtifact,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in pod_identity(aws, tmp_path)[0].items():
        monkeypatch.setenv(name, value)
    aws.inject("ContainerCredentials", Fault(status=500, code="Internal"))
    with pytest.raises(LoginError) as caught:
        code_artifact.issue(token_request(OPERATOR), NO_KEY_MATERIAL)
    assert (caught.value.reason, caught.value.permanent) == ("CloudUnavailable", False)
    aws.clear()
    code_artifact.issue(token_request(OPERATOR), NO_KEY_MATERIAL)
