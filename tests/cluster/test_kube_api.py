"""The port to the API server against the real one: what the emulator has to answer like."""

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from kubernetes.aio.config import incluster_config

from artifact_index.kube.client import KubeApi
from artifact_index.kube.connect import load_configuration
from artifact_index.kube.errors import ApiError
from artifact_index.kube.resources import ARTIFACT_INDEXES, SECRETS
from support.control_plane import ControlPlane
from support.port_contract import CHECKS, Check
from support.watch_contract import WATCH_CHECKS, WatchCheck

pytestmark = pytest.mark.cluster

CRD_FOLDER = Path(__file__).parents[2] / "crds"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def plane_with_crds(control_plane: ControlPlane) -> ControlPlane:
    control_plane.apply_crds(CRD_FOLDER)
    return control_plane


@pytest.fixture
async def api(plane_with_crds: ControlPlane) -> AsyncIterator[KubeApi]:
    kubeconfig = Path(plane_with_crds.kubeconfig_admin)
    port = KubeApi(await load_configuration(kubeconfig=kubeconfig))
    yield port
    await port.close()


@pytest.fixture
def namespace(plane_with_crds: ControlPlane) -> Iterator[str]:
    name = f"port-{next(_numbers)}"
    plane_with_crds.write("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    plane_with_crds.write("DELETE", f"/api/v1/namespaces/{name}")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_contract(check: Check, api: KubeApi, namespace: str) -> None:
    await check(api, namespace)


@pytest.mark.parametrize("check", WATCH_CHECKS, ids=lambda check: check.__name__)
async def test_watch_contract(
    check: WatchCheck, plane_with_crds: ControlPlane, api: KubeApi, namespace: str
) -> None:
    kubeconfig = Path(plane_with_crds.kubeconfig_admin)
    await check(await load_configuration(kubeconfig=kubeconfig), api, namespace)


async def test_a_pod_logs_in_with_its_service_account(
    plane_with_crds: ControlPlane, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane_with_crds.kubectl("create", "serviceaccount", "pod", "-n", namespace)
    token = plane_with_crds.kubectl("create", "token", "pod", "-n", namespace).stdout.strip()
    (tmp_path / "token").write_text(token)
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(plane_with_crds.ca_path))
    server = urlsplit(plane_with_crds.url)
    environ = {
        "KUBERNETES_SERVICE_HOST": str(server.hostname),
        "KUBERNETES_SERVICE_PORT": str(server.port),
    }
    port = KubeApi(await load_configuration(environ=environ))
    with pytest.raises(ApiError, match=f"system:serviceaccount:{namespace}:pod"):
        await port.get(SECRETS, namespace, "one")
    await port.close()


async def test_a_service_account_without_rights_is_forbidden(
    plane_with_crds: ControlPlane, namespace: str
) -> None:
    kubeconfig = plane_with_crds.kubeconfig_for(namespace, "stranger")
    port = KubeApi(await load_configuration(kubeconfig=Path(kubeconfig)))
    with pytest.raises(ApiError) as caught:
        [page async for page in port.list(ARTIFACT_INDEXES, namespace=namespace)]
    await port.close()
    assert caught.value.forbidden
    assert f"system:serviceaccount:{namespace}:stranger" in caught.value.message
