"""CodeArtifact tokens and URLs through real boto3."""

import time

import pytest

from artifact_index.credentials.aws.client import CodeArtifact
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import NO_KEY_MATERIAL, SecretIdentity
from support.clouds import AwsStandIn, Fault
from support.clouds.logins import (
    OPERATOR,
    SECRET,
    assert_lasts,
    endpoint_request,
    sealed,
    token_request,
)

pytestmark = pytest.mark.cloud


@pytest.mark.parametrize("session", [False, True])
def test_keys_of_a_secret_get_a_token_that_the_index_accepts(
    aws: AwsStandIn, code_artifact: CodeArtifact, session: bool
) -> None:
    key = aws.add_access_key(session=session)
    since = time.time()
    grant = code_artifact.issue(token_request(), sealed(key.material()))
    assert_lasts(grant, 43200, since=since)
    assert aws.is_valid("aws", grant.value.get_secret_value())
    assert aws.mints("GetAuthorizationToken", key.principal) == 1


def test_an_accepted_token_is_one_that_was_issued_for_this_domain_to_user_aws(
    aws: AwsStandIn, code_artifact: CodeArtifact
) -> None:
    key = aws.add_access_key()
    token = code_artifact.issue(token_request(), sealed(key.material())).value.get_secret_value()
    assert aws.is_valid("aws", token, domain="acme")
    assert not aws.is_valid("aws", token, domain="other")
    assert not aws.is_valid("somebody", token)
    assert not aws.is_valid("aws", token + "x")
    aws.expire_tokens()
    assert not aws.is_valid("aws", token)


@pytest.mark.parametrize("duration", [43200, 900, 0])
def test_the_duration_is_sent_as_it_stands(
    aws: AwsStandIn, code_artifact: CodeArtifact, duration: int
) -> None:
    since = time.time()
    key = aws.add_access_key(expires_in=1800)
    grant = code_artifact.issue(token_request(duration=duration), sealed(key.material()))
    assert aws.requests[-1]["duration"] == str(duration)
    assert_lasts(grant, 1800 if duration == 0 else duration, since=since)


def test_every_field_of_the_request_reaches_aws(
    aws: AwsStandIn, code_artifact: CodeArtifact
) -> None:
    material = sealed(aws.add_access_key().material())
    request = endpoint_request(
        region="us-east-2",
        domain="tools",
        domain_owner="444455556666",
        repository="py",
        endpoint_type="DualStack",
    )
    code_artifact.endpoint(request, material)
    assert aws.requests[-1] == {
        "operation": "GetRepositoryEndpoint",
        "region": "us-east-2",
        "domain": "tools",
        "domain-owner": "444455556666",
        "repository": "py",
        "format": "pypi",
        "endpointType": "dualstack",
    }


def test_the_repository_url_is_the_one_that_aws_answers(
    aws: AwsStandIn, code_artifact: CodeArtifact
) -> None:
    aws.endpoint_template = "http://127.0.0.1:9/pypi/{repository}/"
    grant = code_artifact.endpoint(endpoint_request(), sealed(aws.add_access_key().material()))
    assert grant.value.get_secret_value() == "http://127.0.0.1:9/pypi/python/"
    assert grant.expires_at is None


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/St_Johns", "UTC"])
def test_the_expiry_does_not_depend_on_the_local_time_zone(
    aws: AwsStandIn, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        material = sealed(aws.add_access_key().material())
        grant = CodeArtifact().issue(token_request(duration=900), material)
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()
    issued = aws.tokens.all()[-1]
    assert grant.expires_at == int(issued.expires_at)


def test_a_capped_token_tells_its_true_expiry_and_dies_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    later = 0.0
    with AwsStandIn(cap_seconds=60, now=lambda: time.time() + later) as aws:
        for name, value in aws.env().items():
            monkeypatch.setenv(name, value)
        since = time.time()
        grant = CodeArtifact().issue(token_request(), sealed(aws.add_access_key().material()))
        assert_lasts(grant, 60, since=since)
        token = grant.value.get_secret_value()
        assert aws.is_valid("aws", token)
        later = 60.0
        assert not aws.is_valid("aws", token)


@pytest.mark.parametrize(
    "material",
    [
        {},
        {"access_key_id": "AKIAEXAMPLE"},
        {"secret_access_key": "x" * 40},
        {"access_key_id": "AKIAEXAMPLE", "secret_access_key": ""},
        {"access_key_id": "AKIA EXAMPLE", "secret_access_key": "x" * 40},
        {"access_key_id": "AKIAEXAMPLE", "secret_access_key": "x\r\nInjected: y"},
        {"access_key_id": "AKIAEXAMPLE", "secret_access_key": "ключ"},
        {"access_key_id": "AKIAEXAMPLE", "secret_access_key": "x" * 40, "session_token": "\n"},
    ],
)
def test_unusable_keys_never_fall_back_to_the_operators_identity(
    aws: AwsStandIn, monkeypatch: pytest.MonkeyPatch, material: dict[str, str]
) -> None:
    for name, value in aws.env(aws.add_access_key()).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(LoginError) as caught:
        CodeArtifact().issue(token_request(), sealed(material))
    assert (caught.value.reason, caught.value.permanent) == ("InvalidCredential", True)
    assert aws.calls() == 0


def test_a_line_break_at_the_end_of_a_key_is_forgiven(
    aws: AwsStandIn, code_artifact: CodeArtifact
) -> None:
    key = aws.add_access_key(session=True)
    material = {name: f"{value}\n" for name, value in key.material().items()}
    code_artifact.issue(token_request(), sealed(material))
    assert aws.mints("GetAuthorizationToken", key.principal) == 1


def test_keys_of_two_secrets_are_never_mixed_up(
    aws: AwsStandIn, code_artifact: CodeArtifact
) -> None:
    keys = [aws.add_access_key(f"arn:aws:iam::111122223333:user/u{n}") for n in range(3)]
    for _ in range(2):
        for number, key in enumerate(keys):
            identity = SecretIdentity("builders", f"uid-{number}", "digest")
            code_artifact.issue(token_request(identity), sealed(key.material()))
    assert [aws.mints("GetAuthorizationToken", key.principal) for key in keys] == [2, 2, 2]


def test_changed_keys_are_used_at_once(aws: AwsStandIn, code_artifact: CodeArtifact) -> None:
    old, new = aws.add_access_key("arn:old"), aws.add_access_key("arn:new")
    code_artifact.issue(token_request(), sealed(old.material()))
    aws.remove_access_key(old.access_key_id)
    changed = SecretIdentity(SECRET.namespace, SECRET.secret_uid, "digest-2")
    code_artifact.issue(token_request(changed), sealed(new.material()))
    assert aws.mints("GetAuthorizationToken", "arn:new") == 1


def test_a_passing_fault_is_overcome_within_one_call(aws: AwsStandIn) -> None:
    fault = Fault(status=500, code="InternalServerException")
    aws.inject("GetAuthorizationToken", fault, times=2)
    CodeArtifact(attempts=3).issue(token_request(), sealed(aws.add_access_key().material()))
    assert (aws.calls("GetAuthorizationToken"), aws.mints("GetAuthorizationToken")) == (3, 1)


def test_the_operator_without_an_identity_is_told_so_and_recovers(
    aws: AwsStandIn, code_artifact: CodeArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LoginError) as caught:
        code_artifact.issue(token_request(OPERATOR), NO_KEY_MATERIAL)
    assert (caught.value.reason, caught.value.permanent) == ("NoOperatorIdentity", True)
    assert "secretRef" in caught.value.message
    for name, value in aws.env(aws.add_access_key()).items():
        monkeypatch.setenv(name, value)
    code_artifact.issue(token_request(OPERATOR), NO_KEY_MATERIAL)
    assert aws.mints("GetAuthorizationToken") == 1
