"""What logins leave behind: calls to the right hosts, no secret in a log, no memory."""

import gc
import logging
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from artifact_index.credentials.aws.client import CodeArtifact
from artifact_index.credentials.aws.session import LOGGERS as AWS_LOGGERS
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.google.client import LOGGERS as GOOGLE_LOGGERS
from artifact_index.credentials.providers import Providers
from artifact_index.credentials.requests import (
    NO_KEY_MATERIAL,
    SecretIdentity,
)
from support.clouds import AwsStandIn, Fault, GoogleStandIn
from support.clouds.logins import (
    OPERATOR,
    google_client,
    google_request,
    sealed,
    token_request,
)
from support.clouds.steps import (
    ASSUME,
    AWS_ACCOUNT,
    GOOGLE_ACCOUNT,
    PERSON,
    READER,
    STEP,
    SUBJECT,
    TOKEN,
    WEB,
    refused,
)
from support.control_plane import wait_until

pytestmark = pytest.mark.cloud

SDK_LOGGERS = {*AWS_LOGGERS, *GOOGLE_LOGGERS}


@contextmanager
def recording_proxy() -> Iterator[tuple[str, list[str]]]:
    """An HTTPS proxy that notes the host of each CONNECT and refuses it."""
    hosts: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    line = connection.recv(4096).decode().split(" ")
                    hosts.append(line[1].removesuffix(":443"))
                    connection.sendall(b"HTTP/1.1 502 Refused\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", hosts
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("region", "variables", "sts", "code_artifact_host"),
    [
        ("eu-west-1", {}, "sts.eu-west-1.amazonaws.com", "codeartifact.eu-west-1.amazonaws.com"),
        (
            "us-gov-west-1",
            {},
            "sts.us-gov-west-1.amazonaws.com",
            "codeartifact.us-gov-west-1.amazonaws.com",
        ),
        (
            "cn-north-1",
            {},
            "sts.cn-north-1.amazonaws.com.cn",
            "codeartifact.cn-north-1.amazonaws.com.cn",
        ),
        (
            "us-east-1",
            {"AWS_USE_FIPS_ENDPOINT": "true"},
            "sts-fips.us-east-1.amazonaws.com",
            "codeartifact-fips.us-east-1.amazonaws.com",
        ),
        (
            "eu-west-1",
            {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
            "sts.eu-west-1.api.aws",
            "codeartifact.eu-west-1.api.aws",
        ),
    ],
)
def test_partitions_fips_and_dual_stack_lead_to_their_own_regional_endpoints(
    monkeypatch: pytest.MonkeyPatch,
    region: str,
    variables: dict[str, str],
    sts: str,
    code_artifact_host: str,
) -> None:
    with recording_proxy() as (proxy, hosts):
        for name, value in {"HTTPS_PROXY": proxy, **variables}.items():
            monkeypatch.setenv(name, value)
        client = CodeArtifact(attempts=1)
        assert refused(client, token_request(AWS_ACCOUNT, region=region)).reason
        key = sealed({"access_key_id": "AKIAEXAMPLE", "secret_access_key": "x" * 40})
        assert refused(client, token_request(region=region), key).reason
    assert hosts == [sts, code_artifact_host]


def test_no_step_leaks_at_debug(
    trusting: AwsStandIn,
    federated: GoogleStandIn,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in SDK_LOGGERS:
        monkeypatch.setattr(logging.getLogger(name), "level", logging.NOTSET)
    caplog.set_level(logging.DEBUG)
    federated.allow_impersonation(READER)
    clouds = Providers(CodeArtifact(attempts=1), google_client(federated))
    canaries = [SUBJECT]
    for request in (
        token_request(AWS_ACCOUNT, role=STEP),
        google_request(GOOGLE_ACCOUNT, PERSON),
    ):
        canaries.append(clouds.issue(request, TOKEN).value.get_secret_value())
    canaries += [token.value for token in federated.tokens.all()]
    with trusting.lock:
        for key in trusting._keys.values():
            canaries += [key.secret_access_key, key.session_token or key.secret_access_key]
    echo = " ".join(canaries)
    texts = [repr(TOKEN)]
    for operation, stand_in in (
        (WEB, trusting),
        (ASSUME, trusting),
        ("Exchange", federated),
        ("GenerateAccessToken", federated),
    ):
        for fault in (Fault(403, "AccessDenied", echo), Fault(200, body=echo), Fault(400, echo)):
            stand_in.inject(operation, fault, times=1)
            request = token_request(AWS_ACCOUNT, role=STEP)
            asked = request if stand_in is trusting else google_request(GOOGLE_ACCOUNT, PERSON)
            with pytest.raises(LoginError) as caught:
                clouds.issue(asked, TOKEN)
            texts += [repr(caught.value), str(caught.value.__cause__), str(caught.value.args)]
    seen = "\n".join([*texts, caplog.text])
    assert "AccessDenied" in seen
    assert [canary for canary in canaries if canary in seen] == []


def _resident_kib() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


def test_a_hundred_logins_with_keys_of_their_own_leave_nothing_behind(aws: AwsStandIn) -> None:
    client = CodeArtifact()
    secrets = set[str]()

    def mint(number: int) -> None:
        key = aws.add_access_key(f"arn:user-{number}")
        secrets.add(key.secret_access_key)
        identity = SecretIdentity("builders", f"uid-{number}", f"digest-{number}")
        client.issue(token_request(identity), sealed(key.material()))

    for number in range(20):
        mint(number)
    gc.collect()
    before = _resident_kib()
    for number in range(100):
        mint(number)
    gc.collect()
    kept = _texts_within(client._session)
    assert "codeartifact" in kept
    assert kept & secrets == set()
    assert _resident_kib() - before < 8 * 1024


def _texts_within(root: object) -> set[str]:
    """Every text that an object leads to, other than by way of a module."""
    seen = {id(getattr(module, "__dict__", None)) for module in list(sys.modules.values())}
    texts, left = set[str](), [root]
    while left:
        one = left.pop()
        if id(one) in seen or isinstance(one, (type, ModuleType)):
            continue
        seen.add(id(one))
        if isinstance(one, str):
            texts.add(one)
        left += gc.get_referents(one)
    return texts


def test_logins_of_one_region_share_a_client_and_forty_regions_keep_no_forty(
    aws: AwsStandIn,
) -> None:
    client = CodeArtifact()
    regions = [f"eu-west-{number}" for number in range(40)]
    for number, region in enumerate(regions + regions[-3:]):
        key = aws.add_access_key(f"arn:user-{number}", session=number % 2 == 1)
        identity = SecretIdentity("builders", f"uid-{number}", "digest")
        client.issue(token_request(identity, region=region), sealed(key.material()))
        assert aws.mints("GetAuthorizationToken", f"arn:user-{number}") == 1
    kept = [key.region for key in client._session._clients]
    assert kept == regions[-32:]


def test_no_connection_is_kept_when_no_call_is_under_way(aws: AwsStandIn) -> None:
    before = set(threading.enumerate())
    client = CodeArtifact()
    for number in range(3):
        identity = SecretIdentity("builders", f"uid-{number}", "digest")
        client.issue(token_request(identity), sealed(aws.add_access_key().material()))

    def serving() -> list[str]:
        started = set(threading.enumerate()) - before
        return [item.name for item in started if "process_request_thread" in item.name]

    wait_until(lambda: not serving(), "the stand-in's connections to end", 15)


def test_the_operators_clients_are_kept_and_looked_up_anew_when_there_is_no_identity(
    aws: AwsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = CodeArtifact(attempts=1)
    assert refused(client, token_request(OPERATOR), NO_KEY_MATERIAL).reason == "NoOperatorIdentity"
    for name, value in aws.env(aws.add_access_key("arn:late")).items():
        monkeypatch.setenv(name, value)
    client.issue(token_request(OPERATOR), NO_KEY_MATERIAL)
    client.issue(token_request(OPERATOR, domain="other"), NO_KEY_MATERIAL)
    assert aws.mints("GetAuthorizationToken", "arn:late") == 2
    assert [key.signing for key in client._session._clients] == ["own"]
