"""The entry of the API server in a kubeconfig that `artifact-index kubeconfig` writes."""

from pathlib import Path

import pytest

from artifact_index.cli.cluster.caller_api import CallerApi
from artifact_index.kube.connect import load_configuration

pytestmark = pytest.mark.unit

KUBECONFIG = """
apiVersion: v1
kind: Config
clusters:
- {{name: one, cluster: {{server: "http://one.example"{more}}}}}
contexts:
- {{name: one, context: {{cluster: one, user: someone}}}}
current-context: one
users:
- {{name: someone, user: {{token: canary}}}}
"""


@pytest.mark.parametrize(
    ("more", "proxy"),
    [
        ("", None),
        (', proxy-url: "http://proxy:3128"', "http://proxy:3128"),
        (', proxy-url: "http://me:canary@proxy:3128/x"', "http://proxy:3128/x"),
    ],
)
async def test_the_proxy_of_the_context_is_kept_without_its_login(
    more: str, proxy: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG.format(more=more))
    environ = {"HTTP_PROXY": "http://of-this-shell:3128"}
    api = CallerApi(await load_configuration(kubeconfig=path, environ=environ))
    try:
        entry = api.cluster_entry()
    finally:
        await api.close()

    assert entry.pop("proxy-url", None) == proxy
    assert entry == {"server": "http://one.example"}
