"""`render --mint`: the file that a pod gets, with tokens of whoever runs the command."""

import re
from pathlib import Path

import pytest
import yaml

from artifact_index.api.constants import API_VERSION
from artifact_index.cli import main
from support.clouds import AwsStandIn, GoogleStandIn
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
    kinds = {name: ("ArtifactIndex", {"name": name, **spec}) for name, spec in SOURCES.items()}
    objects = [
        {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
        for name, (kind, spec) in {**kinds, "uv-config": ("IndexOptions", {})}.items()
    ]
    file = tmp_path / "all.yaml"
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
