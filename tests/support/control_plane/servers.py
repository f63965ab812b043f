"""The programs of one control plane: certificates, start, readiness and crashes."""

import http.client
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from support.control_plane import audit, commands
from support.control_plane.admin_api import AdminApi
from support.control_plane.binaries import Binaries
from support.control_plane.certificates import Authority, write_signing_key
from support.control_plane.errors import PortTaken
from support.control_plane.kubeconfig import certificate_user, write_kubeconfig
from support.control_plane.processes import Server, free_ports, wait_until

START_SECONDS = 60.0
ETCD_ANSWER_SECONDS = 2.0


class Servers:
    """etcd, kube-apiserver and perhaps kube-controller-manager, with all files in one folder."""

    def __init__(self, binaries: Binaries, folder: Path, *, for_pods: bool) -> None:
        etcd_port, etcd_peer_port, apiserver_port = free_ports(3)
        if for_pods:
            apiserver_port = commands.HTTPS_PORT
        ports = commands.Ports(etcd_port, etcd_peer_port, apiserver_port)
        self._etcd_port = etcd_port
        self._etcd_data = folder / "etcd"
        self._name = folder.name
        self._for_pods = for_pods
        self.url = f"https://127.0.0.1:{apiserver_port}"
        self.audit_log = folder / "audit.log"
        self.kubeconfig_admin = folder / "admin.kubeconfig"

        authority = self.authority = Authority(folder)
        self.ca = authority.path
        serving = authority.server(
            "apiserver",
            dns=list(commands.SERVICE_NAMES),
            ips=["127.0.0.1", commands.SERVICE_ADDRESS],
        )
        administrator = authority.client("admin", user="admin", group="system:masters")
        token_key = folder / "service-accounts.key"
        write_signing_key(token_key)
        audit_policy = folder / "audit-policy.json"
        audit_policy.write_text(json.dumps(audit.POLICY))
        write_kubeconfig(
            self.kubeconfig_admin,
            url=self.url,
            ca=self.ca,
            user=certificate_user(administrator),
            namespace="default",
        )

        self.api = AdminApi(apiserver_port, self.ca, administrator)
        self.etcd = Server(
            "etcd",
            commands.etcd(binaries.etcd, self._name, ports, self._etcd_data),
            folder / "etcd.log",
        )
        self.apiserver = Server(
            "kube-apiserver",
            commands.apiserver(
                binaries.kube_apiserver,
                ports,
                folder,
                serving=serving,
                ca=self.ca,
                token_key=token_key,
                audit_policy=audit_policy,
                audit_log=self.audit_log,
                kubelet_client=administrator if for_pods else None,
            ),
            folder / "kube-apiserver.log",
        )
        self.controller_manager = self._controller_manager(
            binaries.kube_controller_manager, folder, token_key
        )

    @property
    def all(self) -> list[Server]:
        """The servers in the order of their start."""
        first = [self.etcd, self.apiserver]
        return [*first, self.controller_manager] if self.controller_manager else first

    def start(self) -> None:
        """Start all; raises PortTaken when another process got one of the ports meanwhile."""
        self.etcd.start(self._etcd_is_ours, START_SECONDS)
        self.apiserver.start(self._apiserver_is_ready, START_SECONDS)
        self.restart_controller_manager()

    def kill(self) -> None:
        """End all with SIGKILL, clients before those they depend on."""
        for server in reversed(self.all):
            server.kill()

    def start_apiserver(self) -> None:
        """Start the killed API server and wait until it is ready."""
        _start_on_old_port(self.apiserver, self._apiserver_is_ready)

    def restart_etcd(self) -> None:
        """Kill etcd, start it on its old data, and wait for it and for a running API server."""
        self.etcd.kill()
        _start_on_old_port(self.etcd, self._etcd_is_ours)
        if self.apiserver.pid is not None:
            wait_until(self._apiserver_is_ready, "kube-apiserver ready", START_SECONDS)

    def back_up_etcd(self, copy: Path) -> None:
        """Kill etcd, copy its data to a new folder, and start both as `restart_etcd` does."""
        self.etcd.kill()
        shutil.copytree(self._etcd_data, copy)
        self.restart_etcd()

    def restore_etcd(self, copy: Path) -> None:
        """Kill both, put the copy of the data in place, and start both."""
        self.apiserver.kill()
        self.etcd.kill()
        shutil.rmtree(self._etcd_data)
        shutil.copytree(copy, self._etcd_data)
        self.restart_etcd()
        self.start_apiserver()

    def restart_controller_manager(self) -> None:
        """Start or restart the controller manager, if there is one, without waiting for it."""
        if self.controller_manager is not None:
            self.controller_manager.kill()
            self.controller_manager.start(lambda: True, START_SECONDS)

    def component_kubeconfig(self, name: str, *, user: str, group: str | None = None) -> Path:
        """Write the kubeconfig of a program that logs in with a certificate; once for each name."""
        kubeconfig = self.ca.with_name(f"{name}.kubeconfig")
        certificate = certificate_user(self.authority.client(name, user=user, group=group))
        write_kubeconfig(
            kubeconfig, url=self.url, ca=self.ca, user=certificate, namespace="default"
        )
        return kubeconfig

    def _controller_manager(
        self, program: Path | None, folder: Path, token_key: Path
    ) -> Server | None:
        if program is None:
            return None
        name = "kube-controller-manager"
        command = commands.controller_manager(
            program,
            self.component_kubeconfig(name, user=f"system:{name}"),
            folder,
            ca=self.ca,
            token_key=token_key,
            for_pods=self._for_pods,
        )
        return Server(name, command, folder / f"{name}.log")

    def _apiserver_is_ready(self) -> bool:
        # It makes its own namespaces beside that, and tests use this one.
        return self.api.answers_ok("/readyz") and self.api.answers_ok("/api/v1/namespaces/default")

    def _etcd_is_ours(self) -> bool:
        """Compare the member's name: without TLS, another session's etcd would do as well."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self._etcd_port, timeout=ETCD_ANSWER_SECONDS
        )
        try:
            connection.request("POST", "/v3/cluster/member/list", "{}")
            answer = json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            return False
        finally:
            connection.close()
        return [member.get("name") for member in answer.get("members", [])] == [self._name]


def _start_on_old_port(server: Server, is_ready: Callable[[], bool]) -> None:
    """Start again until the port is free: a retrying client's own end may hold it for a moment."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return server.start(is_ready, START_SECONDS)
        except PortTaken:
            if time.monotonic() > deadline:
                raise
