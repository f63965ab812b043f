"""What the chart's proxy and caBundle values set is what the SDKs go by."""

import re
from pathlib import Path

import pytest
import requests
from botocore.utils import get_environ_proxies

from artifact_index.kube.proxies import proxy_for
from support.chart import render
from support.clouds import AwsStandIn, GoogleStandIn
from support.clouds.logins import grant_in_new_process
from support.tls_proxy import TlsProxy

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("helm")]

CODE_ARTIFACT = "codeartifact.eu-west-1.amazonaws.test"
GOOGLE = "oauth2.googleapis.test"
API_SERVER = "10.96.0.1"


def pod_environment(proxy: str, ca: Path | None = None, no_proxy: str = "") -> dict[str, str]:
    """The container's variables as the kubelet hands them over, the bundle at its place here."""
    bundle = {"configMap": "corporate-ca"} if ca else {}
    values = {"proxy": {"https": proxy, "noProxy": no_proxy}, "caBundle": bundle}
    (deployment,) = [manifest for manifest in render(values) if manifest["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    variables = {manifest["name"]: manifest["value"] for manifest in container.get("env", [])}
    if ca:
        (mount,) = [
            manifest for manifest in container["volumeMounts"] if manifest["name"] == "ca-bundle"
        ]
        (volume,) = [manifest for manifest in pod["volumes"] if manifest["name"] == "ca-bundle"]
        (item,) = volume["configMap"]["items"]
        mounted = f"{mount['mountPath']}/{item['path']}"
        variables = {name: text.replace(mounted, str(ca)) for name, text in variables.items()}
    return {
        name: text.replace("$(KUBERNETES_SERVICE_HOST)", API_SERVER)
        for name, text in variables.items()
    }


@pytest.mark.parametrize("trusted", [True, False])
def test_aws_is_reached_through_the_proxy_by_its_own_authority(
    aws: AwsStandIn, tmp_path: Path, trusted: bool
) -> None:
    key = aws.add_access_key()
    with TlsProxy(tmp_path, [CODE_ARTIFACT], port_of(aws.url)) as proxy:
        env = aws.env(key) | pod_environment(proxy.url, proxy.ca if trusted else None)
        env["AWS_ENDPOINT_URL_CODEARTIFACT"] = f"https://{CODE_ARTIFACT}"
        answer = grant_in_new_process("aws", env)
    assert proxy.asked == [CODE_ARTIFACT]
    if trusted:
        assert aws.is_valid("aws", answer["value"])
    else:
        assert "is not trusted: check the proxy" in answer["message"]


@pytest.mark.parametrize("trusted", [True, False])
def test_google_is_reached_through_the_proxy_by_its_own_authority(
    google: GoogleStandIn, tmp_path: Path, trusted: bool
) -> None:
    key = tmp_path / "key.json"
    key.write_text(google.make_key_json("ci@acme-prod.iam.gserviceaccount.com"))
    with TlsProxy(tmp_path, [GOOGLE], port_of(google.settings()["google_token_url"])) as proxy:
        env = google.env() | pod_environment(proxy.url, proxy.ca if trusted else None)
        env["GOOGLE_APPLICATION_CREDENTIALS"] = str(key)
        token_url = google.settings()["google_token_url"]
        path = re.sub(r"^http://[^/]+", f"https://{GOOGLE}", token_url)
        answer = grant_in_new_process("google", env, {"token_url": path})
    assert set(proxy.asked) == {GOOGLE}
    assert ("value" in answer) is trusted, answer


@pytest.mark.parametrize("no_proxy", ["", ".cluster.local,10.0.0.0/8"])
def test_the_api_server_and_cloud_metadata_are_reached_without_the_proxy(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str
) -> None:
    variables = pod_environment("http://proxy.example.com:3128", no_proxy=no_proxy)
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example.com:3128")
    assert proxy_for(f"https://{API_SERVER}:443", variables) is None
    assert get_environ_proxies("http://169.254.169.254/latest/api/token") == {}
    assert get_environ_proxies("http://169.254.170.23/v1/credentials") == {}
    for host in ("169.254.169.254", "metadata.google.internal"):
        assert requests.utils.get_environ_proxies(f"http://{host}/computeMetadata/v1/") == {}
    assert get_environ_proxies("https://sts.amazonaws.com")["https"].startswith("http://proxy")


def port_of(url: str) -> int:
    found = re.match(r"http://127\.0\.0\.1:(\d+)", url)
    assert found, url
    return int(found[1])
