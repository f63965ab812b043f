"""The operator as users meet it: chart, examples and builder Jobs, on any cluster with pods.

The node tier and `make kind-demo` take the same steps. What runs are the files of `examples/`; only
images, namespace and addresses are exchanged.
"""

import base64
import datetime
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import yaml

from support.chart import CHART, RELEASE, run_helm
from support.clouds import AwsStandIn, GoogleStandIn
from support.control_plane import wait_until
from support.index_server import IndexServer
from support.operator_process import OPERATOR_NAMESPACE, REPOSITORY
from support.wheels import make_wheel

EXAMPLES: Final = REPOSITORY / "examples"
RESTRICTED: Final = "pod-security.kubernetes.io/enforce=restricted"
PACKAGE, VERSION = "acme-lib", "1.0"
GOOGLE_ACCOUNT = "builder@acme-build.iam.gserviceaccount.com"
SETTLE_SECONDS: Final = 120.0
# Two tries of a pod that starts on a busy machine.
JOB_SECONDS: Final = 240.0

Object = dict[str, Any]
_LOGIN: Final = re.compile(r"http://aws:([^@]+)@")


class Cluster(Protocol):
    """What the tour needs of a cluster, as its administrator."""

    @property
    def kubeconfig_admin(self) -> Path:
        """For Helm."""

    def kubectl(
        self, *args: str, input: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl; raises CalledProcessError where `check`."""

    def read(self, path: str) -> dict[str, Any] | None:
        """The JSON object at a path of the API; None where there is none."""


@dataclass(frozen=True)
class Images:
    """Names of images that the cluster has: the operator's, and one with uv and pip."""

    operator: str
    builder: str


@dataclass(frozen=True)
class StandIns:
    """Both clouds and the packages behind their logins, at an address that pods reach."""

    aws: AwsStandIn
    google: GoogleStandIn
    index: IndexServer

    @property
    def mints(self) -> int:
        """How many tokens were handed out."""
        return self.aws.mints("GetAuthorizationToken") + self.google.mints("Token")


@contextmanager
def open_stand_ins(address: str) -> Iterator[StandIns]:
    """Start them at an address of this machine."""
    aws, google = AwsStandIn(), GoogleStandIn()
    aws.address = google.address = address
    with aws, google, IndexServer(address=address) as index:
        aws.endpoint_template = f"http://{index.netloc}/pypi/{{repository}}/"
        wheel = make_wheel(PACKAGE, VERSION)
        index.add_repository("pypi/python", wheel, accepts=aws.is_valid)
        index.add_repository("acme-build/python", wheel, accepts=google.is_valid)
        yield StandIns(aws, google, index)


class Tour:
    """The steps, in their order: `install`, `declare`, then `build` as often as one likes."""

    def __init__(self, cluster: Cluster, stand_ins: StandIns, images: Images) -> None:
        self.cluster = cluster
        self.stand_ins = stand_ins
        self.images = images

    # -- the operator

    def install(self, *served: str, **values: Any) -> None:
        """Install or upgrade the chart in a restricted namespace; wait until the operator is ready.

        With names the operator serves those namespaces only, which have to be there. More values
        of the chart are keywords.
        """
        self.namespace(OPERATOR_NAMESPACE)
        try:
            run_helm(
                *("upgrade", "--install", RELEASE, CHART, "--namespace", OPERATOR_NAMESPACE),
                *("--wait", "--timeout", f"{SETTLE_SECONDS:.0f}s"),
                values={**self._values(), "watchNamespaces": list(served), **values},
                kubeconfig=self.cluster.kubeconfig_admin,
            )
        except subprocess.CalledProcessError as error:
            error.add_note(self.pods(OPERATOR_NAMESPACE))
            raise

    def check(self) -> str:
        """`helm test`, and what it says; raises CalledProcessError where it fails."""
        return run_helm(
            *("test", RELEASE, "--namespace", OPERATOR_NAMESPACE),
            *("--timeout", f"{SETTLE_SECONDS:.0f}s"),
            kubeconfig=self.cluster.kubeconfig_admin,
        ).stdout

    def uninstall(self) -> None:
        """Uninstall the chart; the CRDs stay, as it promises."""
        run_helm(
            *("uninstall", RELEASE, "--namespace", OPERATOR_NAMESPACE, "--wait"),
            kubeconfig=self.cluster.kubeconfig_admin,
        )

    def _values(self) -> Object:
        repository, _, tag = self.images.operator.rpartition(":")
        aws = self.stand_ins.aws.env()
        google = self.stand_ins.google.settings()
        return {
            "image": {"repository": repository, "tag": tag},
            "settings": {
                "allowHttp": True,
                "googleTokenUrl": google["google_token_url"],
                "googleStsUrl": google["google_sts_url"],
                "googleIamCredentialsUrl": google["google_iam_credentials_url"],
            },
            "extraEnv": [{"name": name, "value": text} for name, text in aws.items()],
            "readinessProbe": {"periodSeconds": 1},
        }

    # -- what a team applies

    def namespace(self, name: str) -> str:
        """Create a namespace, if need be, that admits restricted pods only."""
        created = self.cluster.kubectl("create", "namespace", name, check=False)
        if created.returncode != 0 and "AlreadyExists" not in created.stderr:
            created.check_returncode()
        self.cluster.kubectl("label", "namespace", name, RESTRICTED, "--overwrite")
        return name

    def declare(self, namespace: str) -> None:
        """Apply the examples of both clouds and of all outputs, and wait until all are served."""
        key = self.stand_ins.aws.add_access_key(
            principal=f"arn:aws:iam::111122223333:user/{namespace}"
        )
        values = {
            "codeartifact-access-key": {
                "AWS_ACCESS_KEY_ID": key.access_key_id,
                "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
            },
            "google-service-account-key": {
                "key.json": self.stand_ins.google.make_key_json(GOOGLE_ACCOUNT)
            },
        }
        secrets = [
            item for item in load("secrets.example.yaml") if item["metadata"]["name"] in values
        ]
        for secret in secrets:
            secret["stringData"] = values[secret["metadata"]["name"]]
        (artifact_registry,) = load("google-artifact-registry.yaml")
        host = f"http://{self.stand_ins.index.netloc}"
        artifact_registry["spec"]["googleArtifactRegistry"]["host"] = host
        resources = [*load("codeartifact.yaml"), artifact_registry]
        resources += [*load("index-options.yaml"), *load("all-clients.yaml")]
        self.apply(namespace, *secrets, *resources)
        for name in ("uv-config", "all-clients"):
            self.cluster.kubectl(
                *("wait", f"indexoptions/{name}", "--namespace", namespace),
                *("--for=condition=Ready", f"--timeout={SETTLE_SECONDS:.0f}s"),
            )
        # Their own statuses come last: nothing is left to be written then.
        wait_until(lambda: self._all_available(namespace), "every index", SETTLE_SECONDS)

    def _all_available(self, namespace: str) -> bool:
        group = f"/apis/artifactindex.dev/v1alpha1/namespaces/{namespace}"
        indexes = (self.cluster.read(f"{group}/artifactindexes") or {})["items"]
        return all(_ready_reason(index) == "Available" for index in indexes)

    def refresh(self, namespace: str) -> None:
        """Ask for new tokens."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        annotation = f"artifactindex.dev/refresh-requested-at={now}"
        self.cluster.kubectl(
            *("annotate", "artifactindex", "--all", "--namespace", namespace),
            *("--overwrite", annotation),
        )

    # -- builders

    def build(self, namespace: str, example: str, *, name: str | None = None) -> str:
        """Run the Job of an example, such as `uv-job.yaml`, to its end and return its log.

        Raises AssertionError, with the log and the pod's state, when it fails.
        """
        (job,) = load(f"builders/{example}")
        job["metadata"]["name"] = name or job["metadata"]["name"]
        (log,) = self.build_at_once(namespace, job)
        return log

    def build_at_once(self, namespace: str, *jobs: Object) -> list[str]:
        """Run Jobs to their end beside each other and return their logs; raises as `build`."""
        for job in jobs:
            self._patched(job, job["spec"]["template"]["spec"])
        self.apply(namespace, *jobs)
        return [self._finished(namespace, job["metadata"]["name"]) for job in jobs]

    def start(self, namespace: str, example: str) -> str:
        """Start the pod of an example, wait until it is ready, and return its name."""
        (pod,) = load(f"builders/{example}")
        self.apply(namespace, self._patched(pod, pod["spec"]))
        name: str = pod["metadata"]["name"]
        self.cluster.kubectl(
            *("wait", f"pod/{name}", "--namespace", namespace),
            *("--for=condition=Ready", f"--timeout={JOB_SECONDS:.0f}s"),
        )
        return name

    def follow_new_token(self, namespace: str, pod: str, seconds: float) -> tuple[str, str]:
        """Ask for new tokens and wait until the file that a pod mounts has CodeArtifact's.

        Returns the old one and the new one; raises TimeoutError.
        """
        mounted = ["cat", "/etc/uv/uv.toml"]
        old = token_in(self.execute(namespace, pod, mounted))
        self.refresh(namespace)
        now = old

        def changed() -> bool:
            nonlocal now
            now = token_in(self.execute(namespace, pod, mounted))
            return now != old

        wait_until(changed, "the new token in the pod", seconds)
        return old, now

    def _patched(self, whole: Object, pod: Object) -> Object:
        """The manifest with the images that are there, and pip told that http is meant."""
        for before in pod.get("initContainers", []):
            before["image"] = self.images.operator
        (container,) = pod["containers"]
        container["image"] = self.images.builder
        trusted = {"name": "PIP_TRUSTED_HOST", "value": self.stand_ins.index.netloc}
        container["env"] = [*container["env"], trusted]
        return whole

    def _finished(self, namespace: str, name: str) -> str:
        path = f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}"

        def ended() -> str | None:
            job = self.cluster.read(path) or {}
            conditions = job.get("status", {}).get("conditions", [])
            true = (condition["type"] for condition in conditions if condition["status"] == "True")
            return next((each for each in true if each in ("Complete", "Failed")), None)

        selector = f"job-name={name}"
        try:
            wait_until(lambda: ended() is not None, f"Job {name} to end", JOB_SECONDS)
            outcome = ended()
        except TimeoutError as error:
            outcome = str(error)
        if outcome != "Complete":
            raise AssertionError(f"{name}: {outcome}\n{self.pods(namespace, selector)}")
        return self.cluster.kubectl("logs", "--namespace", namespace, f"job/{name}").stdout

    def pods(self, namespace: str, selector: str = "") -> str:
        """The state and the logs of pods, for whom something went wrong."""
        where = ("--namespace", namespace, f"--selector={selector}")
        state = self.cluster.kubectl("describe", "pods", *where, check=False)
        names = self.cluster.kubectl("get", "pods", *where, "-o", "name", check=False)
        logs = [
            self.cluster.kubectl("logs", "--namespace", namespace, pod, check=False)
            for pod in names.stdout.split()
        ]
        return "\n".join([state.stdout, *(log.stdout + log.stderr for log in logs)])

    # -- objects

    def apply(self, namespace: str, *objects: Object) -> None:
        """kubectl apply, strictly validated, into this namespace whatever the objects say."""
        for item in objects:
            item["metadata"]["namespace"] = namespace
        text = yaml.safe_dump_all(objects)
        self.cluster.kubectl("apply", "--validate=strict", "-f", "-", input=text)

    def output(self, namespace: str, secret: str, key: str) -> str:
        """The text of one key of a Secret."""
        found = self.cluster.read(f"/api/v1/namespaces/{namespace}/secrets/{secret}")
        assert found is not None
        return base64.b64decode(found["data"][key]).decode()

    def execute(self, namespace: str, pod: str, command: Sequence[str]) -> str:
        """Run a command in a pod and return what it printed."""
        return self.cluster.kubectl("exec", "--namespace", namespace, pod, "--", *command).stdout


def _ready_reason(one: Object) -> str | None:
    conditions = one.get("status", {}).get("conditions", [])
    return next((each["reason"] for each in conditions if each["type"] == "Ready"), None)


def token_in(text: str) -> str:
    """CodeArtifact's token in a `uv.toml`; raises ValueError where there is not just one."""
    (token,) = _LOGIN.findall(text)
    return str(token)


def load(example: str) -> list[Object]:
    """The objects of a file of `examples/`."""
    return list(yaml.safe_load_all((EXAMPLES / example).read_text()))
