"""One node in this namespace: containerd, scheduler and kubelet beside a control plane."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from support.control_plane import ControlPlane, wait_until
from support.control_plane.commands import NODE_ADDRESS
from support.control_plane.errors import ControlPlaneFailed
from support.control_plane.processes import Server, tail
from support.node import configuration
from support.node.images import Images
from support.node.namespace import remove_cgroup

NAME: Final = "node"
START_SECONDS: Final = 120.0
IMPORT_SECONDS: Final = 300.0
_SOCKET: Final = Path("/run/containerd/containerd.sock")


class Node:
    """A context manager; the control plane must be started, and be one `for_pods`.

    `programs` is the folder that has kubelet and kube-scheduler.
    """

    def __init__(self, plane: ControlPlane, programs: Path, images: Images, *, cgroup: str) -> None:
        self.plane = plane
        self.images = images
        self._cgroup = cgroup
        self._folder = Path(tempfile.mkdtemp(prefix="node-"))
        folder = self._folder
        containerd = shutil.which("containerd")
        assert containerd is not None
        user, group = f"system:node:{NAME}", "system:nodes"
        kubelet_config = configuration.write_kubelet(
            folder,
            ca=plane.ca_path,
            serving=plane.server_certificate("kubelet-serving", ips=[NODE_ADDRESS]),
            cgroup=cgroup,
        )
        self.containerd = Server(
            "containerd",
            [containerd, "--config", configuration.write_containerd(folder)],
            folder / "containerd.log",
        )
        self.scheduler = Server(
            "kube-scheduler",
            [
                programs / "kube-scheduler",
                f"--kubeconfig={_component(plane, 'kube-scheduler')}",
                "--leader-elect=false",
                "--secure-port=0",
            ],
            folder / "kube-scheduler.log",
        )
        self.kubelet = Server(
            "kubelet",
            [
                programs / "kubelet",
                f"--kubeconfig={plane.component_kubeconfig('kubelet', user=user, group=group)}",
                f"--config={kubelet_config}",
                f"--root-dir={folder / 'kubelet'}",
                f"--cert-dir={folder / 'kubelet-certificates'}",
                f"--hostname-override={NAME}",
                f"--node-ip={NODE_ADDRESS}",
            ],
            folder / "kubelet.log",
        )

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything; returns once pods can be scheduled, in about 10 s.

        Raises ControlPlaneFailed or TimeoutError.
        """
        self.containerd.start(_containerd_answers, START_SECONDS)
        for archive in (self.images.sandbox, self.images.operator, self.images.builder):
            _ctr("images", "import", str(archive))
        self.scheduler.start(lambda: True, START_SECONDS)
        self._start_kubelet()

    def stop(self) -> None:
        """Kill the programs and containers; mounts and files end with the namespace."""
        for server in (self.kubelet, self.scheduler, self.containerd):
            server.kill()
        kill_containers()

    def crash(self) -> None:
        """End kubelet, containerd and every container, as a power cut would; the disk stays."""
        self.kubelet.kill()
        self.containerd.kill()
        kill_containers()
        # What a machine keeps in memory only. The kubelet takes an old cgroup for a container and
        # asks for it, again and again, before it starts any.
        shutil.rmtree("/run/containerd", ignore_errors=True)
        pods = f"{self._cgroup}/kubepods"
        wait_until(lambda: remove_cgroup(pods), "the end of every container", START_SECONDS)

    def boot(self) -> None:
        """Start containerd and kubelet again after `crash`."""
        self.containerd.start(_containerd_answers, START_SECONDS)
        self._start_kubelet()

    def tag(self, image: str, name: str) -> None:
        """Give an image that the node has another name."""
        _ctr("images", "tag", image, name)

    def trust(self, registry: str, ca: Path) -> None:
        """Let containerd pull from a registry, HOST:PORT, whose certificate `ca` signs."""
        configuration.write_registry(self._folder, registry, ca)

    def logs(self, name: str, lines: int = 50) -> str:
        """The last lines that kubelet, kube-scheduler or containerd wrote."""
        return tail(self._folder / f"{name}.log", lines)

    def _start_kubelet(self) -> None:
        self.kubelet.start(_kubelet_is_healthy, START_SECONDS)
        wait_until(self._is_ready, "node Ready", START_SECONDS)

    def _is_ready(self) -> bool:
        found: dict[str, Any] = self.plane.read(f"/api/v1/nodes/{NAME}") or {}
        conditions = found.get("status", {}).get("conditions", [])
        ready = any(
            condition["type"] == "Ready" and condition["status"] == "True"
            for condition in conditions
        )
        return ready and not found.get("spec", {}).get("taints")


def kill_containers() -> None:
    """End every process of a container, and the shims that watch them."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes()
            in_pod = b"/kubepods/" in (process / "cgroup").read_bytes()
            if in_pod or command.startswith(b"/usr/bin/containerd-shim"):
                os.kill(int(process.name), signal.SIGKILL)


def _component(plane: ControlPlane, name: str) -> Path:
    return plane.component_kubeconfig(name, user=f"system:{name}")


def _ctr(*arguments: str) -> None:
    command = ["ctr", "--address", str(_SOCKET), "--namespace", "k8s.io", *arguments]
    result = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=IMPORT_SECONDS
    )
    if result.returncode != 0:
        raise ControlPlaneFailed(f"ctr {' '.join(arguments)}: {result.stderr}")


def _containerd_answers() -> bool:
    command = ["ctr", "--address", str(_SOCKET), "--connect-timeout", "1s", "version"]
    return subprocess.run(command, capture_output=True, check=False, timeout=30).returncode == 0


def _kubelet_is_healthy() -> bool:
    url = f"http://127.0.0.1:{configuration.KUBELET_HEALTH_PORT}/healthz"
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
