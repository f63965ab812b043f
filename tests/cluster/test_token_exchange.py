"""Registries that trust the cluster, end to end: real tokens of ServiceAccounts, real clients."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from artifact_index.api.timestamps import parse_time
from support.accounts import allow_tokens, issuer_of, service_account
from support.canaries import Dump, strings
from support.client_runs import Clients
from support.clouds import Fault, IssuedToken
from support.clouds.exchanges import ExchangeStandIn, IdentityMapping, Workspace
from support.control_plane import wait_until
from support.failing_logins import FLAGS
from support.operator_process import OperatorProcess, health
from support.python_clients import (
    PDM_NEWEST,
    PIP_NEWEST,
    POETRY,
    POETRY_PROJECT,
    POETRY_VENV,
    TWINE,
)
from support.uv_clients import NEWEST
from support.wheels import make_wheel
from support.world import PATIENCE, World, artifact_index, index_options

pytestmark = pytest.mark.cluster

ISSUER = "https://kubernetes.default.svc.cluster.local"
OUTPUTS = [
    {"kind": "Secret", "name": "files", "formats": ["UvToml", "PipConf", "Pypirc", "PdmToml"]},
    {"kind": "Secret", "name": "variables", "formats": ["Environment"]},
]
PDM_PROJECT = """\
[project]
name = "p"
version = "1"
requires-python = ">=3.11"
dependencies = ["mine"]
[tool.pdm]
distribution = false
"""


@pytest.fixture(scope="module")
def registry(world: World) -> Iterator[ExchangeStandIn]:
    """All registries; they know the cluster by the keys that its API server publishes."""
    with ExchangeStandIn() as stand_in:
        stand_in.issuer = issuer_of(world)
        yield stand_in


@pytest.fixture(scope="module")
def operator(world: World, registry: ExchangeStandIn) -> Iterator[OperatorProcess]:
    """With small margins, and with the administrator's list of hosts."""
    flags = ("--allowed-hosts", "127.0.0.1", "--log-level", "debug")
    with world.operator(*FLAGS, *flags) as running:
        yield running


@pytest.fixture
def short_lives(registry: ExchangeStandIn) -> Iterator[int]:
    """Tokens live 18 s: replaced after 6."""
    registry.cap_seconds = 18
    yield 18
    registry.cap_seconds = None


def trusted(registry: ExchangeStandIn, namespace: str, preset: str) -> dict[str, Any]:
    """Let the registry trust `builder` of a namespace, and return the `exchange` of its spec."""
    audience = f"{registry.url}/{namespace}"
    claims = {"iss": ISSUER, "sub": f"system:serviceaccount:{namespace}:builder"}
    if preset == "jfrog":
        claims["aud"] = registry.url
        mapping = IdentityMapping(namespace, claims, expires_in=3600)
        registry.add_mapping("kubernetes", mapping)
        return {"jfrog": {"url": registry.url, "provider": "kubernetes"}}
    if preset == "cloudsmith":
        claims["aud"] = f"{registry.url}/openid/{namespace}"
        registry.workspaces[namespace] = Workspace(claims, {"builders"})
        place = {"workspace": namespace, "service": "builders"}
        return {"cloudsmith": {**place, "url": registry.url}}
    registry.audiences[namespace] = audience
    endpoint = {"endpoint": audience, "audience": namespace, "username": "exchanged"}
    return {"rfc8693": endpoint}


def apply(world: World, namespace: str, url: str, exchange: dict[str, Any], **spec: Any) -> None:
    """Two resources, and the ServiceAccount whose tokens the operator may request."""
    allow_tokens(world, namespace)
    auth = {"serviceAccountRef": {"name": "builder"}}
    source = {"url": url, "publishURL": url.removesuffix("simple/"), "exchange": exchange}
    options = {"publicIndex": {"enabled": False}, "outputs": OUTPUTS, **spec}
    world.apply(
        service_account("builder"),
        artifact_index("acme", name="acme", publish=True, tokenExchange={**source, "auth": auth}),
        index_options("uv-config", **options),
        namespace=namespace,
    )


def repository(world: World, registry: ExchangeStandIn, namespace: str) -> Any:
    return world.index.add_repository(
        f"exchange/{namespace}", make_wheel("mine", "1.0"), accepts=registry.is_valid
    )


def data_of(world: World, namespace: str, name: str) -> dict[str, str]:
    found = world.get("secret", namespace, name) or {}
    return {key: base64.b64decode(text).decode() for key, text in found["data"].items()}


def served(world: World, registry: ExchangeStandIn, namespace: str) -> IssuedToken:
    """The token that the variables hold, as the registry knows it."""
    variables = data_of(world, namespace, "variables")
    token = registry.tokens.issued(variables["UV_INDEX_ACME_PASSWORD"])
    assert token is not None and variables["UV_INDEX_ACME_USERNAME"] == token.scope
    return token


@pytest.mark.parametrize("preset", ["jfrog", "cloudsmith", "rfc8693"])
def test_every_client_installs_and_publishes_through_an_exchanged_token(
    world: World, operator: OperatorProcess, registry: ExchangeStandIn, tmp_path: Path,
    preset: str,
) -> None:  # fmt: skip
    namespace = world.namespace(f"exchange-{preset}")
    held = repository(world, registry, namespace)
    apply(world, namespace, held.url, trusted(registry, namespace, preset))
    world.wait_condition("indexoptions", namespace, "uv-config", reason="Available")
    world.wait_condition("artifactindex", namespace, "acme", reason="Available")
    token = served(world, registry, namespace)
    assert token.principal == f"system:serviceaccount:{namespace}:builder"
    assert registry.mints(principal=token.principal) == 1
    status = (world.get("artifactindex", namespace, "acme") or {})["status"]
    # The life counts from the second before the request.
    assert token.expires_at - 4 <= parse_time(status["credential"]["expiresAt"])
    assert parse_time(status["credential"]["expiresAt"]) <= token.expires_at

    files, variables = data_of(world, namespace, "files"), data_of(world, namespace, "variables")
    clients = Clients(tmp_path, proxy=f"http://{world.index.netloc}")
    paths = {key: str(clients.write(key, text)) for key, text in files.items()}
    world.index.clear()

    def works(client: str, env: dict[str, str], *command: str) -> None:
        if client == "uv":
            run = clients.uv(NEWEST, *command, env=env)
        else:
            run = clients.python(client, *command, env=env)
        assert run.returncode == 0, run.output

    wheel = make_wheel("fresh", "1.2")
    (tmp_path / wheel.filename).write_bytes(wheel.content)
    works("uv", variables, "publish", wheel.filename)
    uv_toml = {"UV_CONFIG_FILE": paths["uv.toml"]}
    works("uv", uv_toml, "pip", "install", "--target", "1", "mine", "fresh")
    if preset == "jfrog":  # what the others write differs in the user name alone
        upload = ("upload", "--config-file", paths[".pypirc"], "--repository", "acme")
        del held.wheels["fresh"]
        works(TWINE, {}, *upload, wheel.filename)
        pip = ("install", "--target", "2", "mine", "fresh")
        works(PIP_NEWEST, {"PIP_CONFIG_FILE": paths["pip.conf"]}, *pip)
        clients.write("pyproject.toml", PDM_PROJECT)
        works(PDM_NEWEST, {"PDM_CONFIG_FILE": paths["config.toml"]}, "install")
        assert list(tmp_path.glob("__pypackages__/*/lib/mine.py"))
        clients.write("pyproject.toml", POETRY_PROJECT.format(url=held.url))
        works(POETRY, {**variables, **POETRY_VENV}, "install")
        assert list(tmp_path.glob(".venv/lib/*/site-packages/mine.py"))
    asked = world.index.requests(f"exchange/{namespace}")
    logins = {(item.username, item.password) for item in asked if item.status == 200}
    assert logins == {(token.scope, token.value)}
    assert world.index.tunnels() == []


def test_a_token_is_replaced_ahead_and_a_refusal_stops_uv(
    world: World, operator: OperatorProcess, registry: ExchangeStandIn, tmp_path: Path,
    short_lives: int,
) -> None:  # fmt: skip
    namespace = world.namespace("exchange-dies")
    held = repository(world, registry, namespace)
    public = world.index.add_repository("exchange-public", make_wheel("mine", "99.0"))
    exchange = trusted(registry, namespace, "cloudsmith")
    public_index = {"publicIndex": {"url": public.url}}
    apply(world, namespace, held.url, exchange, **public_index)
    world.wait_condition("indexoptions", namespace, "uv-config", reason="Available")
    first = served(world, registry, namespace)
    wait_until(lambda: served(world, registry, namespace) != first, "the next token", PATIENCE)
    assert time.time() < first.expires_at

    registry.workspaces[namespace].services.clear()  # disabled
    failing = world.wait_condition(
        "artifactindex", namespace, "acme", reason="InvalidCredential", what="RefreshFailing"
    )
    for part in ("'builders'", f"sub system:serviceaccount:{namespace}:builder", f"iss {ISSUER}"):
        assert part in failing["message"]
    found = world.wait_condition("artifactindex", namespace, "acme", reason="CredentialExpired")
    assert "'builders'" in found["message"]
    world.wait_condition("indexoptions", namespace, "uv-config", reason="IndexesNotReady")
    files = data_of(world, namespace, "files")
    assert not any(token.value in files["uv.toml"] for token in registry.tokens.all())
    clients = Clients(tmp_path, proxy=f"http://{world.index.netloc}")
    config = {"UV_CONFIG_FILE": str(clients.write("uv.toml", files["uv.toml"]))}
    run = clients.uv(NEWEST, "pip", "install", "--target", "1", "mine", env=config)
    assert run.returncode != 0 and "unavailable.invalid" in run.output, run.output
    assert clients.installed("1") == set()


def test_a_token_never_crosses_a_namespace(
    world: World, operator: OperatorProcess, registry: ExchangeStandIn
) -> None:
    mine, other = world.namespace("exchange-mine"), world.namespace("exchange-other")
    exchange = trusted(registry, mine, "cloudsmith")
    url = repository(world, registry, mine).url
    for namespace in (mine, other):
        apply(world, namespace, url, exchange)
    world.wait_condition("artifactindex", mine, "acme", reason="Available")
    found = world.wait_condition("artifactindex", other, "acme", reason="InvalidCredential")
    assert f"sub system:serviceaccount:{other}:builder" in found["message"]
    token = served(world, registry, mine)
    for name in ("files", "variables"):
        assert token.value not in str(data_of(world, other, name))


def test_a_life_that_no_build_could_use_is_refused_with_its_field(
    world: World, operator: OperatorProcess, registry: ExchangeStandIn
) -> None:
    namespace = world.namespace("exchange-short")
    exchange = trusted(registry, namespace, "jfrog")
    registry.providers["kubernetes"][-1].expires_in = 5
    apply(world, namespace, repository(world, registry, namespace).url, exchange)
    found = world.wait_condition("artifactindex", namespace, "acme", reason="TokenLifeTooShort")
    # The margins of this operator: a pod sees a file within 5 s, and clocks differ by 1 s.
    assert "lives 5 s" in found["message"] and "less than 6 s" in found["message"]
    assert "token_spec.expires_in" in found["message"]


def test_no_token_is_found_outside_the_data_of_secrets(
    world: World, operator: OperatorProcess, registry: ExchangeStandIn
) -> None:
    namespace = world.namespace("exchange-quoted")
    exchange = trusted(registry, namespace, "rfc8693")
    canary = "canary-in-an-answer"
    body = json.dumps({"error": canary, "error_description": canary, canary: canary})
    registry.inject("RFC8693", Fault(400, body=body), audience=namespace)
    apply(world, namespace, repository(world, registry, namespace).url, exchange)
    world.wait_condition("artifactindex", namespace, "acme", reason="InvalidCredential")
    sent = {body.get("subject_token", body.get("oidc_token", "")) for body in registry.bodies}
    known = {canary, "r-canary", *sent, *(token.value for token in registry.tokens.all())}
    assert len(known) > 2  # more if the tests above have run
    places = {page: health(operator.health_port, page)[1] for page in ("metrics", "readyz")}
    places["log"] = operator.log
    kinds = "artifactindexes,indexoptions,events,secrets,configmaps,serviceaccounts"
    objects = json.loads(world.plane.kubectl("get", kinds, "-A", "-o", "json").stdout)
    for item in objects["items"]:
        if item["metadata"]["namespace"].startswith("exchange-"):
            item.pop("data", None)
            place = f"{item['kind']}/{item['metadata']['namespace']}/{item['metadata']['name']}"
            places[place] = "\n".join(strings(item))
    assert {place.partition("/")[0] for place in places} >= {"ArtifactIndex", "Event", "Secret"}
    dump = Dump(places)
    assert {value[:24]: found for value in known if (found := dump.search(value))} == {}
