"""What the official client's generated classes would cost in place of the port's plain JSON.

`python -m bench.client_models WAY KUBECONFIG` creates a thousand Secrets and patches each of them,
sixteen at a time, and prints the seconds of CPU, with and without imports, and the peak in MiB.
"""

import asyncio
import gc
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bench.observe import memory_mib
from bench.rounds import fresh_server
from support.operator_process import REPOSITORY
from support.world import open_world

COUNT = 1_000
_AT_A_TIME = 16
_NAMESPACE = "default"
_PORT, _DICTS, _MODELS = "the port", "generated API, dicts", "generated API, models"
WAYS = (_PORT, _DICTS, _MODELS)

Steps = tuple[Callable[[str], Awaitable[Any]], Callable[[str], Awaitable[Any]]]
"""How one Secret of this name is created, and how it is patched."""


def compare_clients(env: dict[str, str], rounds: int) -> str:
    """The table: each way in processes of its own on one fresh API server, medians."""
    rows = [
        ["way", "CPU s, 2,000 writes", "beside the port", "further imports, s", "MiB"],
        ["---"] * 5,
    ]
    measured: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    for number in range(rounds):
        with fresh_server() as plane, open_world(plane):
            for way in WAYS:
                command = [sys.executable, "-m", "bench.client_models", way]
                done = subprocess.run(
                    [*command, str(plane.kubeconfig_admin), f"r{number}-{WAYS.index(way)}"],
                    cwd=REPOSITORY,
                    env={**os.environ, **env},
                    stdout=subprocess.PIPE,
                    text=True,
                    check=True,
                )
                measured[way].append([float(word) for word in done.stdout.split()])
    middles = {way: [sorted(row)[rounds // 2] for row in zip(*measured[way], strict=True)]
               for way in WAYS}  # fmt: skip
    for way, (cpu, imports, memory) in middles.items():
        ratio = cpu / middles[_PORT][0]
        rows.append([way, f"{cpu:.2f}", f"{ratio:.2f}", f"{imports:.2f}", f"{memory:.0f}"])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _secret(name: str) -> dict[str, Any]:
    data = {"uv.toml": "W1tpbmRleF1dCg".ljust(1600, "A")}
    return {"metadata": {"name": name, "namespace": _NAMESPACE}, "type": "Opaque", "data": data}


def _patch(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": {"uv.toml": "W1tpbmRleF1dCh".ljust(1600, "A")}}


async def _main(way: str, kubeconfig: Path, prefix: str) -> None:
    begun = time.process_time()
    steps, close = await _steps(way, kubeconfig)
    imported = time.process_time() - begun
    gc.freeze()
    begun = time.process_time()
    for step in steps:
        pending = iter(range(COUNT))
        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_A_TIME):
                group.create_task(_work(step, pending, prefix))
    print(time.process_time() - begun, imported, memory_mib(os.getpid()))
    await close()


async def _work(step: Callable[[str], Awaitable[Any]], pending: Any, prefix: str) -> None:
    for number in pending:
        await step(f"{prefix}-{number}")


async def _steps(way: str, kubeconfig: Path) -> tuple[Steps, Callable[[], Awaitable[None]]]:
    from artifact_index.kube.connect import load_configuration  # noqa: PLC0415 - its CPU counts

    configuration = await load_configuration(kubeconfig=kubeconfig)
    if way == _PORT:
        from artifact_index.kube.client import KubeApi  # noqa: PLC0415
        from artifact_index.kube.resources import SECRETS  # noqa: PLC0415

        port = KubeApi(configuration)

        def create(name: str) -> Awaitable[Any]:
            return port.create(SECRETS, _NAMESPACE, _secret(name))

        def patch(name: str) -> Awaitable[Any]:
            return port.patch(SECRETS, _NAMESPACE, name, _patch(name))

        return (create, patch), port.close
    from kubernetes.aio.client import ApiClient, CoreV1Api, V1ObjectMeta, V1Secret  # noqa: PLC0415

    client = ApiClient(configuration)
    api: Any = CoreV1Api(client)

    def body(of: dict[str, Any]) -> Any:
        if way == _DICTS:
            return of
        return V1Secret(
            metadata=V1ObjectMeta(**of["metadata"]), type=of.get("type"), data=of["data"]
        )

    async def create_by_api(name: str) -> None:
        await api.create_namespaced_secret(_NAMESPACE, body(_secret(name)))

    async def patch_by_api(name: str) -> None:
        await api.patch_namespaced_secret(
            name, _NAMESPACE, body(_patch(name)), _content_type="application/merge-patch+json"
        )

    return (create_by_api, patch_by_api), client.close


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
