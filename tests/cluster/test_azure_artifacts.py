"""Azure Artifacts on a real API server, whose own keys verify what Entra gets, for real clients."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from artifact_index.api.timestamps import parse_time
from support.accounts import allow_tokens, issuer_of, service_account
from support.canaries import Dump
from support.client_runs import Clients
from support.clouds import ClusterIssuer, EntraStandIn
from support.clouds.entra import AUDIENCE, TENANT, App, Trust, client_of
from support.control_plane import wait_until
from support.index_server import Repository
from support.operator_process import OPERATOR_NAMESPACE, OperatorProcess
from support.python_clients import PDM, PIP_NEWEST, POETRY, POETRY_VENV, TWINE
from support.uv_clients import NEWEST
from support.wheels import make_wheel
from support.world import OPERATOR_ACCOUNT, PATIENCE, World, artifact_index, index_options, secret

pytestmark = pytest.mark.cluster

NAMESPACES = ("azure-clients", "azure-other", "azure-secrets", "azure-own", "azure-short")
CLIENTS, OTHER, SECRETS, OWN, SHORT = NAMESPACES
FEED = "_packaging/python/pypi"
FILES = "acme/_packaging/0f3e0d1c-guid/pypi/download"
"""Where the links of a feed's pages lead: below no index URL."""
PROJECT = (
    '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["mine"]\n'
)
POETRY_SOURCE = (
    "[tool.poetry]\npackage-mode = false\n"
    '[[tool.poetry.source]]\nname = "azure"\npriority = "primary"\nurl = "{url}"\n'
)
OUTPUTS = [
    {"kind": "Secret", "name": "uv-config", "formats": ["UvToml", "PipConf", "Pypirc", "PdmToml"]},
    {"kind": "Secret", "name": "variables", "formats": ["Environment"]},
]


@pytest.fixture(scope="module")
def entra() -> Iterator[EntraStandIn]:
    with EntraStandIn() as running:
        yield running


@pytest.fixture(scope="module")
def issuer(world: World) -> ClusterIssuer:
    return issuer_of(world)


@pytest.fixture(scope="module")
def operator(
    world: World, entra: EntraStandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """With an identity of its own, consent for one feed, and margins of a second."""
    file = tmp_path_factory.mktemp("azure") / "token"
    account = ("create", "token", OPERATOR_ACCOUNT, "-n", OPERATOR_NAMESPACE)
    file.write_text(world.plane.kubectl(*account, f"--audience={AUDIENCE}").stdout)
    margins = ("--outage-budget", "0s", "--write-time", "0s", "--propagation-time", "1s",
               "--pod-start-time", "0s", "--clock-skew", "0s",
               "--min-refresh-interval", "1s")  # fmt: skip
    env = {
        **entra.env(),
        "AZURE_FEDERATED_TOKEN_FILE": str(file),
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": client_of(9),
        "AZURE_AUTHORITY_HOST": entra.url,
    }
    with world.operator(
        "--azure-authority-url", entra.url, "--log-level", "debug", *margins,
        "--operator-identity-namespaces", f"{OWN}=dev.azure.com/acme/Build Tools/*",
        *(flag for name in NAMESPACES for flag in ("--namespace", name)), **env,
    ) as running:  # fmt: skip
        for name in NAMESPACES:
            world.namespace(name)
        yield running


def app_of(
    world: World, entra: EntraStandIn, issuer: ClusterIssuer, number: int, *accounts: str
) -> App:
    """An app that trusts ServiceAccounts, each as `NAMESPACE:NAME`."""
    found = world.plane.kubectl("get", "--raw", "/.well-known/openid-configuration").stdout
    url = json.loads(found)["issuer"]
    trusts = [Trust(issuer, url, f"system:serviceaccount:{account}") for account in accounts]
    return entra.add_app(client_of(number), trusts=trusts)


def builder(app: App) -> dict[str, Any]:
    """The ServiceAccount, annotated as for Azure Workload Identity."""
    identity = {
        "azure.workload.identity/client-id": app.client,
        "azure.workload.identity/tenant-id": TENANT,
    }
    return service_account("builder", **identity)


def feed(world: World, auth: dict[str, Any], project: str | None = "Build Tools") -> dict[str, Any]:
    """The `azureArtifacts` source with this `auth`, at the index server."""
    named = {"project": project} if project else {}
    place = {"organization": "acme", "feed": "python", "host": f"http://{world.index.netloc}"}
    return {**place, **named, "auth": auth}


def data_of(world: World, namespace: str, name: str) -> dict[str, str]:
    found = world.get("secret", namespace, name) or {}
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}


def token_in(world: World, namespace: str) -> str:
    """The password of the index; that of its uploads is beside it."""
    return unquote(urlsplit(world.indexes(namespace, "uv-config")["azure"]["url"]).password or "")


@pytest.fixture(scope="module")
def repository(world: World, entra: EntraStandIn) -> Repository:
    """The feed, whose files are elsewhere on the host and ask for a login as well."""
    made = world.index.add_repository(
        f"acme/Build Tools/{FEED}", make_wheel("mine", "1.0"), accepts=entra.is_valid
    )
    made.files_at = FILES
    world.index.add_repository(FILES, accepts=entra.is_valid).wheels = made.wheels
    return made


@pytest.fixture(scope="module")
def served(
    world: World,
    operator: OperatorProcess,
    entra: EntraStandIn,
    issuer: ClusterIssuer,
    repository: Repository,
) -> str:
    """Two resources go in; the first token that came out."""
    app = app_of(world, entra, issuer, 1, f"{CLIENTS}:builder")
    for namespace in (CLIENTS, OTHER):
        allow_tokens(world, namespace)
    world.apply(
        builder(app),
        artifact_index(
            "azure",
            name="azure",
            publish=True,
            azureArtifacts=feed(world, {"serviceAccountRef": {"name": "builder"}}),
        ),
        index_options("all", publicIndex={"enabled": False}, outputs=OUTPUTS),
        namespace=CLIENTS,
    )
    world.wait_condition("indexoptions", CLIENTS, "all", reason="Available")
    return token_in(world, CLIENTS)


def test_every_client_installs_and_publishes_with_the_minted_token(
    world: World, entra: EntraStandIn, repository: Repository, served: str, tmp_path: Path
) -> None:
    assert entra.is_valid("bearer", served)
    assert entra.mints("Token", principal=client_of(1)) == 1
    (sign_in,) = (line for line in entra.sign_ins if line.client == client_of(1))
    assert sign_in.subject == f"system:serviceaccount:{CLIENTS}:builder"
    files, variables = (data_of(world, CLIENTS, name) for name in ("uv-config", "variables"))
    clients = Clients(tmp_path, proxy=f"http://{world.index.netloc}")
    paths = {key: str(clients.write(key, text)) for key, text in files.items()}

    def works(client: str, env: dict[str, str], *command: object) -> None:
        run = clients.uv if client == NEWEST else clients.python
        done = run(client, *command, env=env)
        assert done.returncode == 0, done.output

    world.index.clear()
    uv = {"UV_CONFIG_FILE": paths["uv.toml"]}
    works(NEWEST, uv, "pip", "install", "--target", "1", "mine")
    url = repository.url.replace(" ", "%20")
    works(NEWEST, variables, "pip", "install", "--target", "2", "mine",
          "--default-index", f"azure={url}")  # fmt: skip
    works(PIP_NEWEST, {"PIP_CONFIG_FILE": paths["pip.conf"]}, "install", "--target", "3", "mine")
    clients.write("pyproject.toml", PROJECT + "[tool.pdm]\ndistribution = false\n")
    works(PDM, {"PDM_CONFIG_FILE": paths["config.toml"]}, "install")
    assert list(tmp_path.glob("__pypackages__/*/lib/mine.py"))
    clients.write("pyproject.toml", PROJECT + POETRY_SOURCE.format(url=url))
    works(POETRY, {**variables, **POETRY_VENV}, "install")
    assert list(tmp_path.glob(".venv/lib/*/site-packages/mine.py"))
    wheel = make_wheel("fresh", "1.2")
    (tmp_path / wheel.filename).write_bytes(wheel.content)
    works(TWINE, {}, "upload", "--config-file", paths[".pypirc"], "-r", "azure", wheel.filename)
    assert "fresh" in repository.wheels
    del repository.wheels["fresh"]
    works(NEWEST, variables, "publish", wheel.filename)
    works(NEWEST, uv, "pip", "install", "--target", "4", "fresh")

    asked = world.index.requests("acme")
    assert {(request.username, request.password) for request in asked if request.status == 200} == {
        ("bearer", served)
    }
    assert {request.path for request in asked if request.method == "POST"} == {
        f"/acme/Build Tools/{FEED}/upload"
    }
    assert any(request.path.startswith(f"/{FILES}/") for request in asked)
    assert world.index.tunnels() == []


def test_a_token_is_replaced_before_it_dies_and_the_dead_one_opens_nothing(
    world: World, operator: OperatorProcess, entra: EntraStandIn
) -> None:
    app = entra.add_app(client_of(3), secrets={"short-secret"})
    named = {"tenantID": TENANT, "clientID": app.client, "clientSecretKey": "secret"}
    source = feed(world, {"secretRef": {"name": "app", **named}})
    entra.cap_seconds = 20
    try:
        world.apply(
            secret("app", {"secret": "short-secret"}),
            artifact_index("azure", name="azure", azureArtifacts=source),
            index_options("uv-config"),
            namespace=SHORT,
        )
        world.wait_condition("artifactindex", SHORT, "azure", reason="Available")
        short = token_in(world, SHORT)
    finally:
        entra.cap_seconds = None
    issued = entra.tokens.issued(short)
    assert issued is not None and issued.expires_at - issued.issued_at <= 20
    wait_until(lambda: token_in(world, SHORT) != short, "its successor", PATIENCE)
    assert time.time() < issued.expires_at

    def left() -> float:
        found = (world.get("artifactindex", SHORT, "azure") or {})["status"]
        return parse_time(found["credential"]["expiresAt"]) - time.time()

    wait_until(lambda: entra.lifetime - 300 < left() <= entra.lifetime, "its status", PATIENCE)
    wait_until(lambda: not entra.is_valid("bearer", short), "its end", PATIENCE)
    assert entra.is_valid("bearer", token_in(world, SHORT))


def test_a_namespace_gets_nothing_by_naming_the_identity_of_another(
    world: World, entra: EntraStandIn, served: str, tmp_path: Path
) -> None:
    mints = entra.mints("Token", principal=client_of(1))
    reference = {"serviceAccountRef": {"name": "builder"}}
    world.apply(
        builder(App(client_of(1))),
        artifact_index("azure", name="azure", azureArtifacts=feed(world, reference)),
        index_options("uv-config"),
        namespace=OTHER,
    )
    found = world.wait_condition("artifactindex", OTHER, "azure", reason="InvalidCredential")
    assert "AADSTS700213" in found["message"]
    assert f"subject system:serviceaccount:{OTHER}:builder" in found["message"]
    text = world.wait_served(OTHER, "uv-config", "azure")
    assert entra.mints("Token", principal=client_of(1)) == mints
    # Blocked: uv stops there, although the public index has a package of that name.
    clients = Clients(tmp_path, proxy=f"http://{world.index.netloc}")
    env = {"UV_CONFIG_FILE": str(clients.write("uv.toml", text))}
    run = clients.uv(NEWEST, "pip", "install", "--target", "t", "mine", env=env)
    assert run.returncode != 0 and "azure" in text
    assert not any("pypi.org" in each for each in world.index.tunnels())


def test_secrets_certificates_and_the_operators_own_identity_log_in(
    world: World, operator: OperatorProcess, entra: EntraStandIn, issuer: ClusterIssuer
) -> None:
    app = entra.add_app(client_of(2), secrets={"canary-client-secret"})
    certificate, key = entra.make_certificate(app)
    app_of(world, entra, issuer, 9, f"{OPERATOR_NAMESPACE}:{OPERATOR_ACCOUNT}")
    named = {"tenantID": TENANT, "clientID": app.client}
    by_secret = {"secretRef": {"name": "app", **named, "clientSecretKey": "secret"}}
    pair = {"certificateKey": "tls.crt", "privateKeyKey": "tls.key"}
    by_certificate = {"secretRef": {"name": "tls", **named, **pair}}
    wrong = {"secretRef": {"name": "wrong", **named, "clientSecretKey": "secret"}}
    world.apply(
        secret("app", {"secret": "canary-client-secret"}),
        secret("tls", {"tls.crt": certificate, "tls.key": key}),
        secret("wrong", {"secret": "canary-wrong-secret"}),
        artifact_index("by-secret", azureArtifacts=feed(world, by_secret, project=None)),
        artifact_index("by-certificate", azureArtifacts=feed(world, by_certificate)),
        artifact_index("wrong", azureArtifacts={**feed(world, wrong), "feed": "wrong"}),
        index_options("uv-config"),
        namespace=SECRETS,
    )
    own: dict[str, Any] = {"operatorIdentity": {}}
    world.apply(
        artifact_index("own", azureArtifacts=feed(world, own)),
        artifact_index("beyond", azureArtifacts=feed(world, own, project=None)),
        index_options("uv-config"),
        namespace=OWN,
    )
    for namespace, name, reason in (
        (SECRETS, "by-secret", "Available"),
        (SECRETS, "by-certificate", "Available"),
        (SECRETS, "wrong", "InvalidCredential"),
        (OWN, "own", "Available"),
        (OWN, "beyond", "OperatorIdentityNotAllowed"),
    ):
        world.wait_condition("artifactindex", namespace, name, reason=reason)
    assert {line.client for line in entra.sign_ins} >= {client_of(2), client_of(9)}
    assert entra.mints("Token", principal=client_of(9)) == 1


def test_no_secret_assertion_or_token_is_told(
    world: World, operator: OperatorProcess, entra: EntraStandIn, served: str
) -> None:
    canaries = {"canary-client-secret", "canary-wrong-secret", *entra.assertions}
    canaries |= {token.value for token in entra.tokens.all()}
    canaries |= set(data_of(world, SECRETS, "tls")["tls.key"].splitlines()[1:-1])
    places = {"the log": operator.log}
    for namespace in NAMESPACES:
        for kind in ("artifactindexes", "indexoptions", "configmaps", "events"):
            places[f"{kind} of {namespace}"] = json.dumps(world.items(kind, namespace))
        metadata = [each["metadata"] for each in world.items("secrets", namespace)]
        for each in metadata:
            (each.get("annotations") or {}).pop(
                "kubectl.kubernetes.io/last-applied-configuration", None
            )
        places[f"metadata of {namespace}"] = json.dumps(metadata)
    dump = Dump(places)
    assert len(canaries) > 12
    assert {value[:24]: where for value in canaries if (where := dump.search(value))} == {}
    # What Entra's log calls the sign-in, the operator's log calls the request.
    assert all(line.correlation_id in operator.log for line in entra.sign_ins)
