"""What a cluster may show that no well-behaved one does: large Secrets, old states, missing kinds.

The module has a control plane of its own, whose state it puts back and whose kinds it removes.
"""

import asyncio
import base64
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from artifact_index.api.constants import ROLE_LABEL
from artifact_index.kube.client import KubeApi
from artifact_index.kube.connect import load_configuration
from artifact_index.kube.resources import CONFIG_MAPS, SECRETS
from support.control_plane import ControlPlane, wait_until
from support.operator_process import OPERATOR_NAMESPACE, REPOSITORY, OperatorProcess
from support.world import PATIENCE, artifact_index, index_options

pytestmark = pytest.mark.cluster

NAMESPACE = "hostile"
LARGE = 120
"""Secrets of 1 MB: kept as they are, they would be 120 MiB, and twice that in a listing."""


@pytest.fixture(scope="module")
def plane(own_control_plane: ControlPlane) -> ControlPlane:
    own_control_plane.apply_crds(REPOSITORY / "crds")
    for name in (OPERATOR_NAMESPACE, NAMESPACE):
        own_control_plane.kubectl("create", "namespace", name)
    return own_control_plane


def operator_of(plane: ControlPlane, *flags: str) -> OperatorProcess:
    served = ["--namespace", NAMESPACE]
    return OperatorProcess(plane.kubeconfig_admin, flags=[*served, *flags], forked=True)


def apply(plane: ControlPlane, *objects: dict[str, Any]) -> None:
    plane.kubectl("apply", "-n", NAMESPACE, "-f", "-", input=yaml.safe_dump_all(objects))


def serve(plane: ControlPlane, host: str) -> None:
    """Change the index's URL, and wait until the output has it."""
    url = f"https://{host}.example/simple/"
    open_index = artifact_index("open", name="open", anonymous={"url": url})
    apply(plane, open_index, index_options("uv-config"))
    wait_until(lambda: url in served(plane), f"{url} in the output", PATIENCE)


def served(plane: ControlPlane) -> str:
    found = plane.read(f"/api/v1/namespaces/{NAMESPACE}/secrets/uv-config")
    return base64.b64decode(found["data"]["uv.toml"]).decode() if found else ""


def wait_exit(operator: OperatorProcess) -> str:
    """Wait for the end of the process, and return its last error."""
    assert operator.process is not None
    process = operator.process
    wait_until(lambda: process.poll() is not None, "the operator's end", 2 * PATIENCE)
    assert process.returncode == 1, operator.log[-3000:]
    operator.stop()
    assert "Traceback" not in operator.log, operator.log[-6000:]
    return [line for line in operator.log.splitlines() if " ERROR " in line][-1]


async def create_large_secrets(kubeconfig: Path, role: str, count: int) -> None:
    api = KubeApi(await load_configuration(kubeconfig=kubeconfig))
    data = {"value": base64.b64encode(b"x" * 1_000_000).decode()}

    async def create(number: int) -> None:
        metadata = {"name": f"{role}-{number}", "labels": {ROLE_LABEL: role}}
        await api.create(SECRETS, NAMESPACE, {"metadata": metadata, "data": data})

    for first in range(0, count, 4):
        await asyncio.gather(*map(create, range(first, first + 4)))
    await api.close()


async def write_often(kubeconfig: Path, count: int) -> None:
    """Let the versions of the API server go up by `count` at least."""
    api = KubeApi(await load_configuration(kubeconfig=kubeconfig))
    for number in range(count):
        await api.create(CONFIG_MAPS, "default", {"metadata": {"name": f"other-{number}"}})
    await api.close()


def wait_listed_again(plane: ControlPlane) -> None:
    """Wait until the operator has listed everything that is there now, ConfigMaps last."""
    mark, begun = plane.audit_mark(), datetime.now(UTC)

    def listed() -> bool:
        events = plane.audit_events(verbs=["list"], since=mark)
        ours = [each for each in events if each.user_agent.startswith("artifact-index-operator")]
        secrets = [each for each in ours if each.resource == "secrets" and each.received_at > begun]
        return any(
            each.resource == "configmaps" and each.received_at > secrets[0].received_at
            for each in ours
            if secrets
        )

    wait_until(listed, "a listing with everything", PATIENCE)


def peak_memory(operator: OperatorProcess) -> float:
    """The largest resident set of the process, in MiB."""
    lines = Path(f"/proc/{operator.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def test_large_secrets_that_nobody_names_take_little_memory(plane: ControlPlane) -> None:
    with operator_of(plane, "--relist-interval=15s") as operator:
        serve(plane, "before")
        small = peak_memory(operator)
        for role in ("source", "output"):
            asyncio.run(create_large_secrets(plane.kubeconfig_admin, role, LARGE // 2))
        # A listing with all of them, and a change that comes after all of them.
        wait_listed_again(plane)
        serve(plane, "after")
        while_running = peak_memory(operator)
        operator.stop()
        operator.start()
        serve(plane, "restarted")
        after_start = peak_memory(operator)
    print(f"peak {small:.0f} MiB before, {while_running:.0f} after, {after_start:.0f} restarted")
    assert max(while_running, after_start) < small + 60
    # By name: kubectl would list them all first, and parse it.
    for role in ("source", "output"):
        for number in range(LARGE // 2):
            plane.write("DELETE", f"/api/v1/namespaces/{NAMESPACE}/secrets/{role}-{number}")


def test_after_a_restored_backup_the_operator_starts_anew_and_serves_what_is_there(
    plane: ControlPlane,
) -> None:
    with operator_of(plane) as operator:
        serve(plane, "first")
        backup = plane.back_up_etcd()
        # More writes than the API server itself makes until the operator asks it again.
        asyncio.run(write_often(plane.kubeconfig_admin, 500))
        serve(plane, "second")
        plane.restore_etcd(backup)
        # Its watches wait for a version that comes again only after many writes.
        assert "etcd was restored from a backup" in wait_exit(operator)
        operator.start()
        assert "https://first.example/simple/" in served(plane)
        serve(plane, "third")


@pytest.mark.parametrize("kind", ["artifactindexes", "indexoptions"])
def test_a_deleted_definition_ends_the_operator_and_is_named(
    kind: str, plane: ControlPlane
) -> None:
    name = f"{kind}.artifactindex.dev"
    with operator_of(plane) as operator:
        serve(plane, "open")
        plane.kubectl("delete", "crd", name)
        assert f"there is no CustomResourceDefinition {name}" in wait_exit(operator)
        plane.apply_crds(REPOSITORY / "crds")
        operator.start()
        serve(plane, "again")
