"""What is asked of a token exchange, for which audience, and where it must not be asked."""

from dataclasses import replace
from typing import Any

import pytest

from artifact_index.credentials.exchange.requests import Answer, ExchangeTokenRequest
from artifact_index.credentials.requests import ServiceAccountIdentity
from artifact_index.sources.base import ResolvedSource
from artifact_index.sources.token_exchange import TokenExchange
from support.reconcile_builders import (
    ACCOUNT,
    POLICY,
    destination,
    first_problem,
    index,
    inputs_of,
    source,
)
from support.sources import resolve, source_of

pytestmark = pytest.mark.unit

JFROG = {"url": "https://acme.jfrog.example", "provider": "kubernetes"}
CLOUDSMITH = {"workspace": "acme", "service": "builders"}
RFC8693 = {"endpoint": "https://sso.acme.example/token"}
LISTED = replace(POLICY, allowed_hosts=("*.example", "api.cloudsmith.io"))


def exchange(audience: Any = None, **preset: Any) -> dict[str, Any]:
    reference = {"name": "builder", **({"audience": audience} if audience else {})}
    return source("tokenExchange", exchange=preset, auth={"serviceAccountRef": reference})


def request_of(found: ResolvedSource) -> ExchangeTokenRequest:
    assert isinstance(found.token, ExchangeTokenRequest)
    return found.token


REQUESTS: dict[str, tuple[Any, ...]] = {
    "jfrog": (
        {"jfrog": JFROG},
        "https://acme.jfrog.example/access/api/v1/oidc/token",
        "https://acme.jfrog.example",
        {"provider_name": "kubernetes"},
        Answer("access_token", "expires_in", "username"),
        None,
    ),
    "jfrog with a path, and all of its fields": (
        {
            "jfrog": {
                **JFROG, "url": "https://acme.example/jfrog/", "identityMapping": "m",
                "project": "p", "audience": "*@*", "username": "ci",
            }
        },
        "https://acme.example/jfrog/access/api/v1/oidc/token",
        "https://acme.example/jfrog",
        {
            "provider_name": "kubernetes", "identity_mapping_name": "m", "project_key": "p",
            "audience": "*@*",
        },
        Answer("access_token", "expires_in", "username"),
        "ci",
    ),
    "cloudsmith": (
        {"cloudsmith": CLOUDSMITH},
        "https://api.cloudsmith.io/openid/acme/",
        "https://api.cloudsmith.io/openid/acme",
        {"service_slug": "builders"},
        Answer("token"),
        "token",
    ),
    "rfc8693": (
        {"rfc8693": {**RFC8693, "audience": "pypi", "scope": "read write"}},
        "https://sso.acme.example/token",
        "https://sso.acme.example/token",
        {
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "audience": "pypi",
            "scope": "read write",
        },
        Answer("access_token", "expires_in"),
        "",
    ),
    "rfc8693 with another answer": (
        {
            "rfc8693": {
                **RFC8693, "subjectTokenType": "id_token",
                "answer": {"token": "id_token", "expiresIn": "expiration", "username": "login"},
            }
        },
        "https://sso.acme.example/token",
        "https://sso.acme.example/token",
        {"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"},
        Answer("id_token", "expiration", "login"),
        None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REQUESTS)
def test_a_preset_says_what_is_asked_where_and_for_which_audience(case: str) -> None:
    preset, endpoint, audience, parameters, answer, username = REQUESTS[case]
    found = resolve(exchange(**preset))
    identity = ServiceAccountIdentity("builders", "builder", ACCOUNT.uid, (audience,), endpoint)
    name = next(iter(preset))
    wanted = ExchangeTokenRequest(identity, name, tuple(sorted(parameters.items())), answer)
    assert request_of(found) == wanted
    assert found.username == username
    assert found.url == "https://acme.jfrog.example/artifactory/api/pypi/python/simple/"


def test_a_request_names_its_host_for_metrics_and_for_the_share_of_calls() -> None:
    asked = request_of(resolve(exchange(jfrog={**JFROG, "url": "https://acme.example:8443/x"})))
    assert (asked.target, asked.service) == ("acme.example:8443", "exchange/acme.example:8443")


def test_an_audience_of_ones_own_is_the_only_one() -> None:
    asked = request_of(resolve(exchange("https://acme.jfrog.example/x", jfrog=JFROG)))
    assert asked.identity.audiences == ("https://acme.jfrog.example/x",)


def test_uploads_go_where_the_spec_says_and_are_part_of_the_destination() -> None:
    spec = source("tokenExchange", publishURL="https://acme.jfrog.example/up")
    assert source_of(spec).publish_url("x") == "https://acme.jfrog.example/up"
    with_it, without = (index(spec=each).spec for each in (spec, source("tokenExchange")))
    assert with_it and without and destination(with_it) != destination(without)


# -- where a token must not go


def problem_of(spec: dict[str, Any], **policy: Any) -> Any:
    record = index(spec=spec)
    return first_problem(record, inputs_of(record, policy=replace(POLICY, **policy)))


@pytest.mark.parametrize(("name", "preset"), [("jfrog", JFROG), ("cloudsmith", CLOUDSMITH)])
def test_a_vendors_preset_needs_nobodys_consent(name: str, preset: dict[str, str]) -> None:
    assert problem_of(exchange(**{name: preset})) is None


def test_any_endpoint_needs_the_administrators_list_and_obeys_it() -> None:
    found = problem_of(exchange(rfc8693=RFC8693))
    assert found.reason == "HostNotAllowed"
    assert "spec.tokenExchange.exchange.rfc8693.endpoint" in found.message
    assert "--allowed-hosts" in found.message
    assert problem_of(exchange(rfc8693=RFC8693), allowed_hosts=("*.acme.example",)) is not None
    assert problem_of(exchange(rfc8693=RFC8693), allowed_hosts=LISTED.allowed_hosts) is None


@pytest.mark.parametrize(
    ("preset", "field"),
    [
        ({"jfrog": {**JFROG, "url": "https://acme.elsewhere.test"}}, "jfrog.url"),
        ({"cloudsmith": {**CLOUDSMITH, "url": "https://api.elsewhere.test"}}, "cloudsmith.url"),
        ({"rfc8693": {"endpoint": "https://sso.elsewhere.test"}}, "rfc8693.endpoint"),
    ],
)
def test_the_list_of_hosts_and_tls_hold_for_every_exchange(
    preset: dict[str, Any], field: str
) -> None:
    found = problem_of(exchange(**preset), allowed_hosts=LISTED.allowed_hosts)
    assert found.reason == "HostNotAllowed"
    assert f"spec.tokenExchange.exchange.{field}" in found.message
    (name, values) = next(iter(preset.items()))
    url = field.partition(".")[2]
    insecure = {name: {**values, url: values[url].replace("https:", "http:")}}
    assert problem_of(exchange(**insecure), allowed_hosts=("*",)).reason == "InsecureURL"


def test_an_audience_that_could_be_good_elsewhere_needs_the_list() -> None:
    for audience in ("vault", "https://vault.acme.example", "https://acme.jfrog.example.evil.test"):
        spec = exchange(audience, jfrog=JFROG)
        found = problem_of(spec)
        assert found.reason == "HostNotAllowed" and "--allowed-hosts" in found.message
        assert found.message.startswith("spec.tokenExchange.auth.serviceAccountRef.audience does ")
        assert "spec.tokenExchange.exchange.jfrog.url" in found.message
        assert "remove the field, or ask" in found.message
        assert problem_of(spec, allowed_hosts=LISTED.allowed_hosts) is None


@pytest.mark.parametrize(
    "audience",
    [
        "https://kubernetes.default.svc",
        "https://kubernetes.default.svc.cluster.local",
        "HTTPS://Kubernetes.Default",
        "kubernetes.default.svc:443",
        "https://api.prod.cluster.local/",
        "sts.amazonaws.com",
        "https://sts.eu-west-1.amazonaws.com/",
        "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC",
        "pods.eks.amazonaws.com",
        "api://AzureADTokenExchange",
        "api://azureadtokenexchangeusgov",
        "k3s",
        "rke2",
        "https://acme-dns-1.hcp.westeurope.azmk8s.io",
        "https://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k",
        "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k",
        "https://container.googleapis.com/v1/projects/p/locations/l/clusters/c",
        "acme-build.svc.id.goog",
    ],
)
def test_an_audience_of_an_api_server_or_another_cloud_is_refused(audience: str) -> None:
    found = problem_of(exchange(audience, jfrog=JFROG), allowed_hosts=LISTED.allowed_hosts)
    assert (found.reason, found.stalled) == ("InvalidSpec", True)
    assert "auth.serviceAccountRef.audience" in found.message
    # A list of hosts would not help.
    assert problem_of(exchange(audience, jfrog=JFROG)) == found


def test_the_usual_audience_of_a_hostile_url_is_refused_as_well() -> None:
    found = problem_of(exchange(jfrog={**JFROG, "url": "https://kubernetes.default.svc"}))
    assert found.reason == "InvalidSpec"


def test_preflight_asks_the_host_that_exchanges() -> None:
    spec = exchange(jfrog={**JFROG, "url": "https://acme.example:8443/jfrog"})
    assert source_of(spec).services() == ["https://acme.example:8443/"]  # type: ignore[attr-defined]
    assert TokenExchange.endpoints("acme.jfrog.io") == {"exchange": "https://acme.jfrog.io/"}
    for wrong in ("", "a b", "x/y?z"):
        with pytest.raises(ValueError, match="exchange:acme"):
            TokenExchange.endpoints(wrong)
