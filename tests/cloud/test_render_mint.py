"""`render --mint`: the file that a pod gets, with tokens of whoever runs the command."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from artifact_index.api.constants import API_VERSION
from artifact_index.cli import main
from support.clouds import AwsStandIn, EntraStandIn, GoogleStandIn
from support.clouds.azure_cli import azure_cli, logged_in
from support.clouds.entra import AUDIENCE, CLIENT, TENANT, App, Trust
from support.clouds.signed_tokens import ISSUER, SUBJECT, SignedTokens
from support.clouds.steps import ROLE

pytestmark = pytest.mark.cloud

CALLER = "arn:aws:iam::111122223333:user/developer"
EMAIL = "developer@acme-build.iam.gserviceaccount.com"
PROVIDER = "projects/123/locations/global/workloadIdentityPools/pool/providers/k8s-1"
SOURCES = {
    # Neither the account nor the role is the caller's, and neither is needed.
    "aws": {
        "codeArtifact": {
            "domain": "acme", "domainOwner": "111122223333", "region": "eu-west-1",
            "repository": "python", "assumeRole": {"roleARN": ROLE},
            "auth": {"secretRef": {"name": "of-the-cluster"}},
        }
    },
    "google": {
        "googleArtifactRegistry": {
            "project": "acme-build", "location": "europe-west1", "repository": "python",
            "auth": {
                "serviceAccountRef": {"name": "builder", "workloadIdentityProvider": PROVIDER}
            },
        }
    },
}  # fmt: skip


@pytest.fixture
def caller(
    aws: AwsStandIn, google: GoogleStandIn, monkeypatch: pytest.MonkeyPatch
) -> tuple[AwsStandIn, GoogleStandIn]:
    """Both clouds know who runs the command."""
    for name, value in aws.env(aws.add_access_key(CALLER)).items():
        monkeypatch.setenv(name, value)
    google.metadata_email = EMAIL
    return aws, google


@pytest.fixture
def manifests(tmp_path: Path) -> str:
    return written(tmp_path, SOURCES)


def written(folder: Path, sources: dict[str, dict[str, Any]]) -> str:
    kinds = {name: ("ArtifactIndex", {"name": name, **spec}) for name, spec in sources.items()}
    objects = [
        {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
        for name, (kind, spec) in {**kinds, "uv-config": ("IndexOptions", {})}.items()
    ]
    file = folder / "all.yaml"
    file.write_text(yaml.safe_dump_all(objects))
    return str(file)


def printed(
    capsys: pytest.CaptureFixture[str], manifests: str, *flags: str, status: int = 0
) -> str:
    assert main(["render", "-f", manifests, "--key", "uv.toml", *flags]) == status
    return capsys.readouterr().out


def test_all_but_the_tokens_is_what_a_pod_gets(
    caller: tuple[AwsStandIn, GoogleStandIn],
    manifests: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    aws, google = caller

    shown = printed(capsys, manifests, "--mint", "--show-secrets")

    (own,), (other,) = aws.tokens.all(), google.tokens.all()
    assert (own.principal, other.principal) == (CALLER, EMAIL)
    assert own.value in shown and other.value in shown
    hidden = printed(capsys, manifests, "--mint")
    assert not any(each.value in hidden for each in (*aws.tokens.all(), *google.tokens.all()))
    assert re.findall(r"# (\w+): until 20", hidden) == ["aws", "google"]
    without_times = re.sub(r"until \S+", "until REDACTED", hidden)
    assert without_times == printed(capsys, manifests)


AZURE = {"azureArtifacts": {
    "organization": "acme", "feed": "python",
    "auth": {"serviceAccountRef": {"name": "builder", "clientID": CLIENT, "tenantID": TENANT}},
}}  # fmt: skip
JFROG = {"tokenExchange": {
    "url": "https://acme.jfrog.example/artifactory/api/pypi/python/simple",
    "exchange": {"jfrog": {"url": "https://acme.jfrog.example", "provider": "kubernetes"}},
    "auth": {"serviceAccountRef": {"name": "builder"}},
}}  # fmt: skip


def on_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_a_feed_gets_the_token_of_whoever_logged_in_with_az(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    token = "t0ken-of-a-person"
    on_path(azure_cli(tmp_path, logged_in(token, 4102444800)), monkeypatch)
    manifests = written(tmp_path, {"azure": AZURE})

    shown = printed(capsys, manifests, "--mint", "--show-secrets")

    assert f"https://bearer:{token}@pkgs.dev.azure.com/acme/" in shown
    assert "# azure: until 2100-01-01T00:00:00Z" in shown
    assert token not in printed(capsys, manifests, "--mint")


@pytest.mark.parametrize(
    "lines",
    [("echo 'Please run az login' >&2", "exit 1"), ("echo '{}'",), ("echo '[1]'",), ("echo x",)],
)
def test_who_has_not_logged_in_is_told_how_to(
    lines: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    on_path(azure_cli(tmp_path, *lines), monkeypatch)
    manifests = written(tmp_path, {"azure": AZURE})

    assert main(["render", "-f", manifests, "--mint"]) == 1
    assert "you have no Azure identity: run `az login`, or set AZURE_T" in capsys.readouterr().err


def test_a_ci_runner_has_a_federated_token_as_the_operator_has_it(
    entra: EntraStandIn,
    app: App,
    cluster: SignedTokens,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    app.trusts.append(Trust(cluster.issuer, ISSUER, SUBJECT))
    (tmp_path / "token").write_text(cluster.token(AUDIENCE, SUBJECT))
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AZURE_TENANT_ID", TENANT)
    monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT)
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", entra.url)
    manifests = written(tmp_path, {"azure": AZURE})

    assert "# azure: until 20" in printed(capsys, manifests, "--mint")
    assert [each.principal for each in entra.tokens.all()] == [CLIENT]


def test_what_only_the_operator_can_exchange_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", "-f", written(tmp_path, {"jfrog": JFROG}), "--mint"]) == 1

    told = capsys.readouterr()
    assert "# jfrog: unavailable" in told.out
    assert "ArtifactIndex jfrog: ServiceAccount 'builder' in spec.tokenExchange." in told.err
    assert "take the file from the output's Secret" in told.err and "unexpected" not in told.err


def test_a_login_that_fails_is_told(
    caller: tuple[AwsStandIn, GoogleStandIn],
    manifests: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caller[1].metadata_email = None

    assert main(["render", "-f", manifests, "--mint"]) == 1

    told = capsys.readouterr()
    assert "# google: unavailable" in told.out and "# aws: until" in told.out
    assert "ArtifactIndex google: " in told.err
