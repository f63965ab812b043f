"""Two operators over one namespace, each with its own user name and way to the API server."""

import json
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from support.clouds import AwsStandIn
from support.control_plane import ControlPlane, service_account_user, wait_until
from support.control_plane.audit import watched_by
from support.election.faulty_way import FaultyWay
from support.election.judge import Judge
from support.installation import granted_by_chart, install
from support.operator_process import REPOSITORY, OperatorProcess, health
from support.world import (
    World,
    artifact_index,
    basic_auth,
    code_artifact,
    index_options,
    secret,
)

LEASE_SECONDS: Final = 3.0
DEADLINE_SECONDS: Final = 2.0
RETRY_SECONDS: Final = 0.4
SLOW_SECONDS: Final = 1.4
FILES: Final = tuple(f"uv-{number}" for number in range(5))
BUSY_SECONDS: Final = 0.2
"""Between two changes of a user who does not stop; each is written to every file."""
POLL_SECONDS: Final = 0.2
WATCHED: Final = {"artifactindexes", "indexoptions", "secrets", "configmaps", "leases"}
PATIENCE: Final = 90.0

_ACCOUNTS: Final = ("one", "two")
_FLAGS: Final = (
    "--leader-elect=true",
    f"--lease-duration={LEASE_SECONDS}s",
    f"--renew-deadline={DEADLINE_SECONDS}s",
    f"--retry-period={RETRY_SECONDS}s",
    # The least margins, so that a token of some seconds is refreshed once in its life.
    *("--outage-budget=0s", "--write-time=0s", "--propagation-time=0s", "--pod-start-time=0s"),
    *("--min-refresh-interval=1s", "--mint-patience=2s"),
)


class Replica:
    """One of the two. `ahead`: the seconds by which its clock is; `skew`: what to reckon with."""

    def __init__(
        self,
        plane: ControlPlane,
        account: str,
        namespace: str,
        aws: AwsStandIn,
        *,
        ahead: float,
        skew: float,
    ) -> None:
        own = f"{namespace}-system"
        self.user = service_account_user(own, account)
        self.way = FaultyWay(urlsplit(plane.url).port or 443, slow_seconds=SLOW_SECONDS)
        self._direct = plane.kubeconfig_for(own, account)
        self._kubeconfig = self._direct.with_suffix(".way.kubeconfig")
        wrong_clock = {
            "CLOCK_AHEAD": str(ahead),
            "PYTHONPATH": f"{REPOSITORY / 'operator'}:{REPOSITORY / 'tests'}",
        }
        self.process = OperatorProcess(
            self._kubeconfig,
            flags=["--namespace", namespace, "--allow-http", f"--clock-skew={skew:.0f}s", *_FLAGS],
            env={**aws.env(), **(wrong_clock if ahead else {})},
            namespace=own,
            module="support.election.skewed" if ahead else "artifact_index",
            forked=True,
        )

    def open_way(self) -> None:
        """Point the kubeconfig at the way, which must be open by now."""
        config = json.loads(self._direct.read_text())
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self.way.port}"
        self._kubeconfig.touch(mode=0o600)
        self._kubeconfig.write_text(json.dumps(config))

    @property
    def leads(self) -> bool:
        """Whether it is the leader, as it says itself."""
        return self.readiness.startswith("ok: leader")

    def follows(self, holder: str) -> bool:
        """Whether it is ready to be the leader after `holder`, as it says itself."""
        return self.readiness.strip() == f"ok: standby, {holder} leads"

    @property
    def readiness(self) -> str:
        """What /readyz answers; empty where it fails or nobody answers."""
        if self.process.process is None:
            return ""
        status, text = health(self.process.health_port, "readyz")
        return text if status == 200 else ""

    def stop_running(self) -> None:
        """SIGSTOP: as a machine that is suspended, or out of memory."""
        assert self.process.process is not None
        self.process.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        assert self.process.process is not None
        self.process.process.send_signal(signal.SIGCONT)


class Pair:
    """A context manager: the objects, the two replicas, and a cloud of their own.

    One index logs in to the cloud, and one has a password that `change` changes; both are in each
    of FILES.
    """

    def __init__(self, world: World, namespace: str, *, ahead: float = 0.0) -> None:
        self.world = world
        self.plane = world.plane
        self.namespace = world.namespace(namespace)
        world.namespace(f"{namespace}-system")
        self.aws = AwsStandIn(endpoint_template="https://packages.example/{repository}/")
        self._ahead = ahead
        self._stack = ExitStack()
        self._changes = 0
        self.replicas: Sequence[Replica] = ()
        self.judge = Judge(self.plane, [])

    def __enter__(self) -> Self:
        enter = self._stack.enter_context
        enter(self.aws)
        self._grant()
        self._declare()
        clocks = (0.0, self._ahead)
        self.replicas = [
            Replica(
                self.plane, account, self.namespace, self.aws, ahead=ahead, skew=abs(self._ahead)
            )
            for account, ahead in zip(_ACCOUNTS, clocks, strict=True)
        ]
        self.judge = Judge(self.plane, [each.user for each in self.replicas])
        for replica in self.replicas:
            enter(replica.way)
            replica.open_way()
            self._stack.callback(replica.process.stop)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
        for name in (self.namespace, f"{self.namespace}-system"):
            self.plane.kubectl("delete", "namespace", name, "--wait=false")

    # What they work on

    def change(self) -> None:
        """A user changes the password: each file has to follow."""
        self._changes += 1
        body = {"stringData": {"password": f"password-{self._changes}"}}
        self.world.patch("secret", self.namespace, "login", body)

    def change_lease(self, spec: dict[str, Any] | None) -> None:
        """An administrator changes the Lease by hand, or deletes it."""
        lease = self._lease()
        assert lease is not None
        path = f"{self._leases}/{lease['metadata']['name']}"
        if spec is None:
            self.plane.write("DELETE", path)
        else:
            self.plane.write("PATCH", path, {"spec": spec})

    @property
    def _leases(self) -> str:
        return f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}-system/leases"

    def _lease(self) -> dict[str, Any] | None:
        found = (self.plane.read(self._leases) or {"items": []})["items"]
        return found[0] if found else None

    def _holder(self) -> str:
        """Whom the Lease names."""
        holder: str = (self._lease() or {}).get("spec", {}).get("holderIdentity", "")
        return holder

    @contextmanager
    def changing(self) -> Iterator[None]:
        """A user who does not stop to change it meanwhile."""
        ended = threading.Event()

        def work() -> None:
            while not ended.wait(BUSY_SECONDS):
                self.change()

        user = threading.Thread(target=work, daemon=True)
        user.start()
        try:
            yield
        finally:
            ended.set()
            user.join()

    @contextmanager
    def polled(self) -> Iterator[list[dict[str, str]]]:
        """A reader who polls all files meanwhile: the states that were seen, in order."""
        seen = [self.versions()]
        ended = threading.Event()

        def poll() -> None:
            while not ended.wait(POLL_SECONDS):
                if (now := self.versions()) != seen[-1]:
                    seen.append(now)

        with ThreadPoolExecutor(1) as threads:
            polling = threads.submit(poll)
            try:
                yield seen
            finally:
                ended.set()
                polling.result()

    def converge(self) -> None:
        """Wait until each file has the newest password and a live token."""
        password = f"password-{self._changes}"

        def converged() -> bool:
            return all(
                f"ci:{password}@" in (text := self.file(name)) and self.token_is_live(text)
                for name in FILES
            )

        wait_until(converged, f"{self.namespace}: files with {password}", PATIENCE)

    def file(self, name: str) -> str:
        """The uv.toml of an output; empty where there is none."""
        return self.world.uv_toml(self.namespace, name) or ""

    def token_is_live(self, text: str) -> bool:
        """Whether the cloud accepts the token in a file."""
        return any(
            token.value in text and self.aws.tokens.live(token.value)
            for token in self.aws.tokens.all()
        )

    def versions(self) -> dict[str, str]:
        """The resourceVersion of each file."""
        found = [body["metadata"] for body in self.world.items("secret", self.namespace)]
        return {each["name"]: each["resourceVersion"] for each in found if each["name"] in FILES}

    # Who works

    def leader(self) -> Replica:
        """Wait for the one that leads, while the other stands by."""
        found: list[Replica] = []

        def one_leads() -> bool:
            one, two = self.replicas
            found[:] = [each for each, other in ((one, two), (two, one))
                        if each.leads and other.follows(self._holder())]  # fmt: skip
            return bool(found)

        wait_until(one_leads, f"{self.namespace}: a leader and a standby", PATIENCE)
        return found[0]

    def wait_warm(self, replica: Replica) -> None:
        """Wait until it watches everything, whose watches may have been broken off just before.

        kopf waits for seconds between two attempts.
        """
        wait_until(
            lambda: watched_by(self.plane.audit_log_path, replica.user) >= WATCHED,
            f"{replica.user} to watch {', '.join(sorted(WATCHED))}",
            PATIENCE,
        )

    def other(self, replica: Replica) -> Replica:
        """The other one."""
        one, two = self.replicas
        return two if replica is one else one

    def _grant(self) -> None:
        own = f"{self.namespace}-system"
        granted = granted_by_chart({"watchNamespaces": [self.namespace]}, namespace=own)
        for body in granted:
            if body["kind"] == "RoleBinding":
                (subject,) = body["subjects"]
                body["subjects"] = [{**subject, "name": account} for account in _ACCOUNTS]
        install(self.plane, *granted)

    def _declare(self) -> None:
        user = f"arn:aws:iam::111122223333:user/{self.namespace}"
        key = self.aws.add_access_key(principal=user)
        values = {
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        }
        code = code_artifact("aws-key", domain=self.namespace)
        basic = basic_auth("https://packages.example/basic/simple/", "login")
        objects: list[dict[str, Any]] = [
            secret("aws-key", values),
            secret("login", {"password": "password-0"}),
            artifact_index("code", name="code", codeArtifact=code),
            artifact_index("basic", name="basic", basicAuth=basic),
            *(index_options(name, maxBuildDuration="1m") for name in FILES),
        ]
        self.world.apply(*objects, namespace=self.namespace)
