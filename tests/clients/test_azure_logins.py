"""Microsoft's own client and a keyring for feeds log in at the stand-in of Entra, unchanged.

What they accept and refuse there, the tests of the operator may rely on.
"""

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from support.client_runs import Clients
from support.clouds import EntraStandIn
from support.clouds.azure_cli import azure_cli, logged_in
from support.clouds.entra import AUDIENCE, CLIENT, TENANT, App, Trust
from support.clouds.signed_tokens import ISSUER, SUBJECT, SignedTokens
from support.python_clients import AZURE, client_python
from support.tls_proxy import TlsProxy

pytestmark = pytest.mark.clients

HOSTS = ["login.microsoftonline.com", "pkgs.dev.azure.com"]
FEED = "https://pkgs.dev.azure.com/acme/_packaging/python/pypi/simple/"
LATER = 4_102_444_800  # 2100
SCRIPT = """
import json, os, sys, time
import keyring
from azure.identity import (
    AzureCliCredential, CertificateCredential, ClientSecretCredential,
    ManagedIdentityCredential, WorkloadIdentityCredential,
)
tenant, client, feed = sys.argv[1:]
scope = "499b84ac-1321-427f-aa17-267ca6975798/.default"

def told(ask):
    try:
        return ask()
    except Exception as error:
        return f"{type(error).__name__}: {error}"

def token(credential):
    found = credential.get_token(scope)
    return [found.token, found.expires_on - time.time()]

made = {
    "secret": lambda: ClientSecretCredential(tenant, client, "right"),
    "wrong": lambda: ClientSecretCredential(tenant, client, "wrong"),
    "certificate": lambda: CertificateCredential(tenant, client, "certificate.pem"),
    "account": lambda: WorkloadIdentityCredential(
        tenant_id=tenant, client_id=client, token_file_path="account-1"
    ),
    "stranger": lambda: WorkloadIdentityCredential(
        tenant_id=tenant, client_id=client, token_file_path="stranger"
    ),
    "managed": lambda: ManagedIdentityCredential(client_id=client),
    "az": AzureCliCredential,
}
answers = {name: told(lambda: token(make())) for name, make in made.items()}
os.environ["AZURE_FEDERATED_TOKEN_FILE"] = "account-2"
found = keyring.get_credential(feed, None)
answers["keyring"] = [found.username, found.password] if found else None
open("answers.json", "w").write(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def entra() -> Iterator[EntraStandIn]:
    with EntraStandIn() as running:
        yield running


@pytest.fixture(scope="module")
def app(entra: EntraStandIn) -> App:
    entra.managed_identity = CLIENT
    return entra.add_app(secrets={"right"})


@pytest.fixture(scope="module")
def answers(
    entra: EntraStandIn, app: App, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What each login gets: a token with its life, or the name and text of an exception."""
    folder = tmp_path_factory.mktemp("azure")
    cluster = SignedTokens()
    app.trusts.append(Trust(cluster.issuer, ISSUER, SUBJECT))
    with TlsProxy(folder, HOSTS, entra.port) as proxy:
        clients = Clients(folder, proxy=proxy.url)
        clients.write("certificate.pem", "".join(entra.make_certificate(app)))
        for name, subject in (("account-1", SUBJECT), ("account-2", SUBJECT), ("stranger", "x")):
            clients.write(name, cluster.token(AUDIENCE, subject))
        env = {
            **entra.env(),
            "REQUESTS_CA_BUNDLE": str(proxy.ca),
            "AZURE_CLIENT_ID": CLIENT,
            "PATH": f"{azure_cli(folder, logged_in('of-a-person', LATER))}:{os.environ['PATH']}",
            "ARTIFACTS_KEYRING_NOFUSS_PROVIDER": "workload_identity",
            "PYTHON_KEYRING_BACKEND": "artifacts_keyring_nofuss.ArtifactsKeyringBackend",
        }
        arguments = (clients.write("login.py", SCRIPT), TENANT, CLIENT, FEED)
        run = clients.run(client_python(AZURE), *arguments, env=env)
    assert run.returncode == 0, run.output
    assert set(proxy.asked) == set(HOSTS)
    found: dict[str, Any] = json.loads((folder / "answers.json").read_text())
    return found


@pytest.mark.parametrize("login", ["secret", "certificate", "account", "managed"])
def test_azure_identity_gets_a_token_that_a_feed_takes(
    entra: EntraStandIn, answers: dict[str, Any], login: str
) -> None:
    assert isinstance(answers[login], list), answers[login]
    token, life = answers[login]
    assert entra.is_valid("anybody", token)
    assert entra.lifetime - 120 < life <= entra.lifetime


def test_azure_identity_reads_the_answer_of_the_stand_in_of_az(answers: dict[str, Any]) -> None:
    token, life = answers["az"]
    assert token == "of-a-person"
    assert life > LATER - time.time() - 1


@pytest.mark.parametrize(
    ("login", "code"), [("wrong", "AADSTS7000215"), ("stranger", "AADSTS700213")]
)
def test_azure_identity_reads_the_code_of_a_refusal(
    answers: dict[str, Any], login: str, code: str
) -> None:
    assert answers[login].startswith("ClientAuthenticationError")
    assert code in answers[login]


def test_the_keyring_finds_its_way_from_the_feed_to_the_login_that_the_operator_writes(
    entra: EntraStandIn, answers: dict[str, Any]
) -> None:
    username, password = answers["keyring"]
    # A token that it does not take for an app's would come back as that of a person.
    assert username == "bearer"
    assert entra.is_valid(username, password)
