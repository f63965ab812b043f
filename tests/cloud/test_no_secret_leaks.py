"""No secret stands in a log line at DEBUG, an error's text or a representation."""

import json
import logging
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from artifact_index.credentials.aws.client import CodeArtifact
from artifact_index.credentials.aws.session import LOGGERS as AWS_LOGGERS
from artifact_index.credentials.azure.client import EntraTokens
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.google.client import LOGGERS as GOOGLE_LOGGERS
from artifact_index.credentials.providers import Providers
from artifact_index.credentials.requests import (
    NO_KEY_MATERIAL,
    SUBJECT_TOKEN,
    KeyMaterial,
    ServiceAccountIdentity,
    TokenRequest,
)
from artifact_index.credentials.sdk_logs import quiet
from support.canaries import Dump
from support.clouds import AwsStandIn, EntraStandIn, Fault, GoogleStandIn
from support.clouds.entra import AUDIENCE as ENTRA_AUDIENCE
from support.clouds.entra import Trust
from support.clouds.logins import (
    OPERATOR,
    endpoint_request,
    entra_request,
    google_client,
    google_request,
    sealed,
    token_request,
)
from support.clouds.signed_tokens import ISSUER, SUBJECT, SignedTokens

pytestmark = pytest.mark.cloud

SDK_LOGGERS = {*AWS_LOGGERS, *GOOGLE_LOGGERS}

EMAIL = "ci@my-project.iam.gserviceaccount.com"
AUDIENCE = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k"


ODD = "odd-canary-[x]-{}@:%5B%'\"\\\u2100"
"""Letters at which parsers stumble, and which a text may hold in another form than they came."""


class Outlet:
    """Everything that a user or a log reader could see."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog
        self._texts: list[str] = []

    def ask(self, clouds: Providers, request: TokenRequest, material: KeyMaterial) -> str | None:
        """Ask, note all texts of it, and give the plain value where there is one."""
        self._texts.append(repr(material))
        try:
            grant = clouds.issue(request, material)
        except LoginError as error:
            lines = traceback.format_exception(error)
            self._texts += [*lines, str(error), repr(error), error.message, repr(error.args)]
            logging.getLogger("test").exception("the login failed")
            return None
        self._texts += [repr(grant), str(grant)]
        return grant.value.get_secret_value()

    def found(self, canaries: Iterable[str]) -> dict[str, list[str]]:
        """Which of the values stand in what was seen, and in which form."""
        dump = Dump({"the outlet": self.text()})
        return {value: where for value in canaries if (where := dump.search(value))}

    def text(self) -> str:
        return "\n".join([*self._texts, self._caplog.text])


@pytest.fixture
def outlet(caplog: pytest.LogCaptureFixture) -> Outlet:
    caplog.set_level(logging.DEBUG)
    return Outlet(caplog)


@contextmanager
def sdk_level(level: int) -> Iterator[None]:
    """The SDKs' own loggers at a level, put back afterwards."""
    before = {name: logging.getLogger(name).level for name in SDK_LOGGERS}
    for name in SDK_LOGGERS:
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        for name, former in before.items():
            logging.getLogger(name).setLevel(former)


def test_aws_logins_that_succeed_and_fail_leak_nothing(
    aws: AwsStandIn, google: GoogleStandIn, outlet: Outlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = aws.add_access_key(session=True)
    operator = aws.add_access_key("arn:operator", session=True)
    for name, setting in aws.env(operator).items():
        monkeypatch.setenv(name, setting)
    wrong = key.material() | {"secret_access_key": "wrong-secret-" + "x" * 9 + ODD[:-1]}
    odd = {"access_key_id": f"id-{ODD}", "secret_access_key": f"secret-{ODD}"}
    assert key.session_token and operator.session_token
    canaries = [
        key.secret_access_key,
        key.session_token,
        operator.secret_access_key,
        operator.session_token,
        wrong["secret_access_key"],
        *odd.values(),
    ]
    echo = " ".join(canaries)
    with sdk_level(logging.NOTSET):
        clouds = Providers(CodeArtifact(attempts=2), google_client(google))
        for request, material in [
            (token_request(), sealed(key.material())),
            (token_request(OPERATOR), NO_KEY_MATERIAL),
        ]:
            value = outlet.ask(clouds, request, material)
            assert value is not None
            canaries.append(value)
        outlet.ask(clouds, endpoint_request(), sealed(key.material()))
        # Another Secret object, or the client of the right key would be used again.
        bad = Providers(CodeArtifact(attempts=1), google_client(google))
        outlet.ask(bad, token_request(), sealed(wrong))
        outlet.ask(bad, token_request(), sealed(odd))
        for fault in [
            Fault(403, "AccessDeniedException", echo),
            Fault(400, "ValidationException", echo, extra={"reason": echo}),
            Fault(403, echo, echo),
            Fault(500, body=echo),
            Fault(200, body=echo),
            Fault(200, body=json.dumps({"authorizationToken": echo})),
            Fault(429, "ThrottlingException", echo, headers={"x-amzn-RequestId": echo}),
            Fault(reset=True),
        ]:
            aws.inject("GetAuthorizationToken", fault, times=1)
            outlet.ask(bad, token_request(), sealed(key.material()))
    seen = outlet.text()
    assert "AccessDenied" in seen, "the outlet sees nothing at all"
    assert outlet.found(canaries) == {}


def test_entra_logins_that_succeed_and_fail_leak_nothing(
    entra: EntraStandIn, outlet: Outlet
) -> None:
    cluster = SignedTokens()
    app = entra.add_app(secrets={"client-secret-canary"})
    app.trusts.append(Trust(cluster.issuer, ISSUER, SUBJECT))
    certificate, key = entra.make_certificate(app)
    account = ServiceAccountIdentity("builders", "builder", "u", (ENTRA_AUDIENCE,), "x")
    subjects = [cluster.token(ENTRA_AUDIENCE) for _ in range(2)]
    canaries = ["client-secret-canary", "wrong-secret-canary", ODD, *subjects]
    canaries += [line for line in key.splitlines() if len(line) >= 60]
    echo = " ".join(canaries)
    broken = f"{certificate}{key[:200]}-----END PRIVATE KEY-----"
    with sdk_level(logging.NOTSET):
        clouds = Providers(EntraTokens(entra.url))
        by_secret = sealed({"client_secret": "client-secret-canary"})
        for request, material in [
            (entra_request(), by_secret),
            (entra_request(), sealed({"certificate": certificate, "private_key": key})),
            (entra_request(account), sealed({SUBJECT_TOKEN: subjects[0]})),
        ]:
            value = outlet.ask(clouds, request, material)
            assert value is not None
            canaries.append(value)
        canaries += entra.assertions
        for secret in ("wrong-secret-canary", ODD):
            outlet.ask(clouds, entra_request(), sealed({"client_secret": secret}))
        outlet.ask(clouds, entra_request(), sealed({"certificate": broken}))
        outlet.ask(clouds, entra_request(account), sealed({SUBJECT_TOKEN: subjects[0]}))
        for fault in [
            Fault(401, "invalid_client", f"AADSTS700213: {echo}"),
            Fault(400, echo, echo),
            Fault(500, body=echo),
            Fault(200, body=echo),
            Fault(200, body=json.dumps({"access_token": echo})),
            Fault(302, body=echo, headers={"Location": f"{entra.url}/?{subjects[1]}"}),
            Fault(429, body=echo, headers={"Retry-After": subjects[1]}),
            Fault(reset=True),
        ]:
            entra.inject("Token", fault, times=1)
            outlet.ask(clouds, entra_request(account), sealed({SUBJECT_TOKEN: subjects[1]}))
    assert "AADSTS7000215" in outlet.text(), "the outlet sees nothing at all"
    assert outlet.found(canaries) == {}


def test_google_logins_that_succeed_and_fail_leak_nothing(
    aws: AwsStandIn,
    google: GoogleStandIn,
    outlet: Outlet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key_json = google.make_key_json(EMAIL)
    private_key = json.loads(key_json)["private_key"]
    subject = "subject-token-canary"
    (tmp_path / "token").write_text(subject)
    google.trust_provider(AUDIENCE, lambda token: "principal://sa" if token == subject else None)
    adc = {
        "type": "external_account",
        "audience": AUDIENCE,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "credential_source": {"file": str(tmp_path / "token")},
    }
    (tmp_path / "adc.json").write_text(json.dumps(adc))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "adc.json"))
    # Each line of the key by itself: a dump of the JSON escapes the line breaks between them.
    canaries = [
        subject,
        ODD,
        *[line for line in private_key.splitlines() if not line.startswith("-")],
    ]
    echo = subject + private_key + ODD
    with sdk_level(logging.NOTSET):
        clouds = Providers(CodeArtifact(), google_client(google))
        sound = sealed({"key_json": key_json})
        for request, material in [
            (google_request(), sound),
            (google_request(OPERATOR), NO_KEY_MATERIAL),
        ]:
            value = outlet.ask(clouds, request, material)
            assert value is not None
            canaries.append(value)
        cut = json.dumps(json.loads(key_json) | {"private_key": private_key[:-40]})
        named = json.dumps({"type": "service_account", "client_email": ODD, "private_key": ODD})
        quoted = key_json.replace('"', "'")
        for broken in [cut, key_json + "}", json.dumps([key_json]), quoted, named, ODD]:
            outlet.ask(clouds, google_request(), sealed({"key_json": broken}))
        for fault in [
            Fault(400, "invalid_grant", echo),
            Fault(400, echo, echo),
            Fault(400, body=echo),
            Fault(200, body=echo),
            Fault(200, body=json.dumps({"access_token": echo})),
            Fault(reset=True),
        ]:
            google.inject("Token", fault)
            outlet.ask(clouds, google_request(), sound)
            google.inject("Exchange", fault)
            outlet.ask(clouds, google_request(OPERATOR), NO_KEY_MATERIAL)
            google.clear()
    seen = outlet.text()
    assert "InvalidCredential" in seen, "the outlet sees nothing at all"
    assert outlet.found(canaries) == {}


def test_the_sdks_would_leak_at_debug_if_they_were_not_held_back(
    aws: AwsStandIn, google: GoogleStandIn, outlet: Outlet
) -> None:
    key = aws.add_access_key(session=True)
    client = CodeArtifact()
    clouds = Providers(client, google_client(google))
    outlet.ask(clouds, token_request(), sealed(key.material()))
    with sdk_level(logging.DEBUG):
        value = outlet.ask(clouds, token_request(), sealed(key.material()))
    assert key.session_token is not None and value is not None
    assert key.session_token in outlet.text()
    assert value in outlet.text()


def test_a_logger_that_was_set_to_warnings_only_stays_so() -> None:
    with sdk_level(logging.WARNING):
        quiet(SDK_LOGGERS)
        assert {logging.getLogger(name).level for name in SDK_LOGGERS} == {logging.WARNING}
