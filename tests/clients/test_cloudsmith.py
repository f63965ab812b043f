"""Cloudsmith's own command line logs in to the stand-in of Cloudsmith, unchanged."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.client_runs import Clients, Run
from support.clouds.exchanges import ExchangeStandIn, Workspace
from support.clouds.signed_tokens import ISSUER, SUBJECT, SignedTokens
from support.python_clients import CLOUDSMITH, client_python

pytestmark = pytest.mark.clients

AUDIENCE = "https://api.cloudsmith.io/openid/acme"


@pytest.fixture(scope="module")
def cluster() -> SignedTokens:
    return SignedTokens()


@pytest.fixture
def registry(cluster: SignedTokens) -> Iterator[ExchangeStandIn]:
    with ExchangeStandIn() as stand_in:
        stand_in.issuer = cluster.issuer
        claims = {"iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE}
        stand_in.workspaces["acme"] = Workspace(claims, {"builders"})
        yield stand_in


def log_in(registry: ExchangeStandIn, directory: Path, token: str, **env: str) -> Run:
    clients = Clients(directory, proxy="http://127.0.0.1:1")
    settings = {
        "CLOUDSMITH_API_HOST": registry.url,
        "CLOUDSMITH_WORKSPACE": "acme",
        "CLOUDSMITH_SERVICE_SLUG": "builders",
        "CLOUDSMITH_OIDC_TOKEN": token,
        # The others ask metadata servers.
        "CLOUDSMITH_OIDC_DETECTOR_ORDER": "generic",
        "CLOUDSMITH_NO_KEYRING": "1",
        "DO_NOT_TRACK": "1",
    }
    command = (client_python(CLOUDSMITH), "-m", "cloudsmith_cli", "credential-helper", "generic")
    return clients.run(*command, env={**settings, **env})


def test_it_logs_in_and_asks_as_the_operator_does(
    registry: ExchangeStandIn, cluster: SignedTokens, tmp_path: Path
) -> None:
    token = cluster.token(AUDIENCE)
    run = log_in(registry, tmp_path, token)
    assert run.returncode == 0, run.output
    answer: dict[str, Any] = json.loads(run.output[run.output.index("{") :])
    assert (answer["version"], answer["username"]) == (1, "token")
    assert registry.is_valid("token", answer["password"])
    assert registry.bodies == [{"oidc_token": token, "service_slug": "builders"}]


@pytest.mark.parametrize(
    ("wrong", "env"),
    [
        ("audience", {}),
        ("service", {"CLOUDSMITH_SERVICE_SLUG": "others"}),
        ("workspace", {"CLOUDSMITH_WORKSPACE": "others"}),
    ],
)
def test_it_is_refused_where_the_operator_is(
    registry: ExchangeStandIn,
    cluster: SignedTokens,
    tmp_path: Path,
    wrong: str,
    env: dict[str, str],
) -> None:
    token = cluster.token("elsewhere" if wrong == "audience" else AUDIENCE)
    run = log_in(registry, tmp_path, token, **env)
    assert run.returncode == 1, run.output
    assert registry.mints() == 0 and registry.calls("Cloudsmith") >= 1
