"""One real control plane on loopback, started and stopped by this process."""

import http
import json
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from support.control_plane.audit import AuditEvent, read_events
from support.control_plane.binaries import Binaries, find_binaries
from support.control_plane.certificates import KeyPair
from support.control_plane.custom_resources import crd_names, is_served
from support.control_plane.errors import ControlPlaneFailed, PortTaken
from support.control_plane.kubeconfig import write_kubeconfig
from support.control_plane.processes import environment, run_noted, tail, wait_until
from support.control_plane.request_counts import RequestKey, parse_request_counts
from support.control_plane.servers import Servers

CRD_SECONDS = 90.0
KUBECTL_SECONDS = 300.0
TOKEN_SECONDS = 24 * 3600
PORT_ATTEMPTS = 5


class ControlPlane:
    """etcd, kube-apiserver and, where there is one, kube-controller-manager; a context manager.

    Everything lives in one temporary folder that `stop` removes; when this process is killed, the
    servers end with it and the folder stays. Only `binaries` and `has_garbage_collection` may be
    used before `start`.
    """

    def __init__(self, binaries: Binaries | None = None, *, for_pods: bool = False) -> None:
        """Find the programs, building them when needed; raises ControlPlaneUnavailable.

        `for_pods` is for a network namespace as `support.node` makes it: the API server takes port
        443 on its addresses, admits pods as a cluster does, and every controller runs.
        """
        self.binaries = binaries or find_binaries()
        self._for_pods = for_pods
        self._started: Servers | None = None
        self._folder: Path | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def has_garbage_collection(self) -> bool:
        """Whether there is a controller manager; without, owned objects and namespaces stay."""
        return self.binaries.kube_controller_manager is not None

    @property
    def folder(self) -> Path:
        """The temporary folder, readable for its owner only; files of a test may go there."""
        if self._folder is None:
            raise RuntimeError("the control plane is not started")
        return self._folder

    @property
    def url(self) -> str:
        """Address of the API server, such as https://127.0.0.1:34567."""
        return self._servers.url

    @property
    def ca_path(self) -> Path:
        """PEM file of the authority that signed the API server's certificate."""
        return self._servers.ca

    @property
    def kubeconfig_admin(self) -> Path:
        """Kubeconfig of a member of system:masters: exempt from RBAC and from request limits."""
        return self._servers.kubeconfig_admin

    @property
    def audit_log_path(self) -> Path:
        """JSON lines, one for each answered request, without bodies."""
        return self._servers.audit_log

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of the programs that run now, by program name."""
        return {each.name: pid for each in self._servers.all if (pid := each.pid) is not None}

    def start(self) -> None:
        """Start everything and return once the API server is ready, in about 4 s.

        Raises ControlPlaneFailed when a program ends or is not ready within 60 s.
        """
        for attempt in range(1, PORT_ATTEMPTS + 1):
            try:
                self._folder = Path(tempfile.mkdtemp(prefix="control-plane-"))
                self._started = Servers(self.binaries, self._folder, for_pods=self._for_pods)
                self._started.start()
                break
            except BaseException as error:
                self.stop()
                if not isinstance(error, PortTaken) or attempt == PORT_ATTEMPTS:
                    raise

    def stop(self) -> None:
        """Kill every process and remove the folder; harmless when nothing runs."""
        if self._started is not None:
            self._started.kill()
        if self._folder is not None:
            shutil.rmtree(self._folder)
        self._started = self._folder = None

    def kill_apiserver(self) -> None:
        """End the API server as a crash would (SIGKILL)."""
        self._servers.apiserver.kill()

    def start_apiserver(self) -> None:
        """Start a killed API server again, same port and data, and wait until it is ready.

        `request_counts` begins at zero again; the audit log goes on. Raises ControlPlaneFailed
        when it runs already or is not ready within 60 s.
        """
        self._servers.start_apiserver()

    def restart_etcd(self) -> None:
        """Kill etcd and start it on the same port and data; requests fail in between.

        Returns once etcd and the API server, if that runs, are ready; raises like `start`.
        """
        self._servers.restart_etcd()

    def back_up_etcd(self) -> Path:
        """Copy etcd's data and return the folder; requests fail meanwhile."""
        copy = Path(tempfile.mkdtemp(dir=self.folder)) / "etcd"
        self._servers.back_up_etcd(copy)
        return copy

    def restore_etcd(self, copy: Path) -> None:
        """Put a copy of etcd's data back, as an administrator restores a backup.

        Everything written since is gone, and resourceVersions are given out a second time.
        """
        self._servers.restore_etcd(copy)

    def kubeconfig_for(self, namespace: str, service_account: str) -> Path:
        """Return a kubeconfig of a ServiceAccount with a fresh token, asked for 24 hours.

        Creates namespace and ServiceAccount when missing, and grants no rights. A second call
        replaces the first one's file.
        """
        api = self._servers.api
        api.create("/api/v1/namespaces", {"metadata": {"name": namespace}}, may_exist=True)
        accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        api.create(accounts, {"metadata": {"name": service_account}}, may_exist=True)
        answer = api.create(
            f"{accounts}/{service_account}/token", {"spec": {"expirationSeconds": TOKEN_SECONDS}}
        )
        # A namespace has no dot in its name: no two pairs share a file.
        path = self.folder / f"{namespace}.{service_account}.kubeconfig"
        user = {"token": answer["status"]["token"]}
        write_kubeconfig(path, url=self.url, ca=self.ca_path, user=user, namespace=namespace)
        return path

    def component_kubeconfig(self, name: str, *, user: str, group: str | None = None) -> Path:
        """Return the kubeconfig of a program that logs in with a certificate; once for a name."""
        return self._servers.component_kubeconfig(name, user=user, group=group)

    def server_certificate(self, name: str, *, ips: list[str]) -> KeyPair:
        """Return a certificate for a server of the cluster, such as a kubelet."""
        return self._servers.authority.server(name, dns=[], ips=ips)

    def kubectl(
        self,
        *args: str,
        input: str | None = None,
        kubeconfig: Path | None = None,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as the administrator, or with another kubeconfig; output is captured.

        Raises CalledProcessError, with standard error as a note, when `check` and it fails, and
        TimeoutExpired after 300 s.
        """
        return run_noted(
            [self.binaries.kubectl, f"--kubeconfig={kubeconfig or self.kubeconfig_admin}", *args],
            input=input,
            # A port comes back with another server behind it: no shared discovery cache.
            env=environment() | {"KUBECACHEDIR": str(self.folder / "kubectl-cache")},
            seconds=KUBECTL_SECONDS,
            check=check,
        )

    def read(self, path: str) -> dict[str, Any] | None:
        """Return the JSON object at a path of the API, as the administrator; None for 404.

        A tenth of what kubectl costs: for what is polled. Raises ControlPlaneFailed for any other
        refusal, and OSError or HTTPException when nobody answers.
        """
        status, body = self._servers.api.send("GET", path)
        if status == http.HTTPStatus.NOT_FOUND:
            return None
        if status != http.HTTPStatus.OK:
            raise ControlPlaneFailed(f"GET {path}: {status} {body.decode()}")
        found: dict[str, Any] = json.loads(body)
        return found

    def write(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        """Send a POST, merge PATCH or DELETE as the administrator.

        A twentieth of what kubectl costs. Raises ControlPlaneFailed unless the status is 2xx, and
        OSError or HTTPException when nobody answers.
        """
        status, answer = self._servers.api.send(method, path, body)
        if status // 100 != 2:
            raise ControlPlaneFailed(f"{method} {path}: {status} {answer.decode()}")

    def changes(self, path: str, name: str, *, since: str) -> list[dict[str, Any]]:
        """Return the versions of an object of a collection after a resourceVersion, oldest first.

        Takes a second, and what happens in it may be missing. Raises ControlPlaneFailed where that
        is longer ago than the API server remembers: some minutes.
        """
        query = f"watch=1&fieldSelector=metadata.name%3D{name}&resourceVersion={since}"
        lines = self._servers.api.text(f"{path}?{query}&timeoutSeconds=1").splitlines()
        events = [json.loads(line) for line in lines]
        if refused := [event for event in events if event["type"] == "ERROR"]:
            raise ControlPlaneFailed(f"{path}: {refused}")
        return [event["object"] for event in events]

    def apply_crds(self, directory: Path) -> list[str]:
        """Apply a folder of CustomResourceDefinitions and return their names.

        Returns once each is established, discoverable and listable, so that the next request
        meets neither 404 nor 429; raises TimeoutError after 90 s.
        """
        known = crd_names(self._servers.api)
        applied = self.kubectl("apply", "--server-side", "-f", str(directory), "-o", "name")
        names = [line.partition("/")[2] for line in applied.stdout.splitlines()]
        wait_until(
            lambda: all(is_served(self._servers.api, name) for name in names),
            f"{', '.join(names)} served",
            CRD_SECONDS,
        )
        # The garbage collector looks for new kinds every 30 s only, but always at its start.
        if not known.issuperset(names):
            self._servers.restart_controller_manager()
        return names

    def audit_mark(self) -> int:
        """Return the present end of the audit log, for `audit_events(since=...)`."""
        return self.audit_log_path.stat().st_size

    def audit_events(
        self, user: str | None = None, *, verbs: Collection[str] = (), since: int = 0
    ) -> list[AuditEvent]:
        """Return the answered requests after a mark, oldest first, of one user and some verbs.

        An entry is written just after its answer was sent: wait for the last expected one.
        """
        return read_events(self.audit_log_path, user=user, verbs=verbs, since=since)

    def request_counts(self) -> Counter[RequestKey]:
        """Return how many requests of all clients the API server answered since its start."""
        return parse_request_counts(self._servers.api.text("/metrics"))

    def logs(self, name: str, lines: int = 50) -> str:
        """Return the last lines that a program, such as `kube-apiserver`, wrote."""
        return tail(self.folder / f"{name}.log", lines)

    @property
    def _servers(self) -> Servers:
        if self._started is None:
            raise RuntimeError("the control plane is not started")
        return self._started
