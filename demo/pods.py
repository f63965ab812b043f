"""The tour of a cluster with pods, step by step."""

from demo.narrator import Narrator
from support.tour import PACKAGE, Tour

NAMESPACE = "builders"
JOBS = {
    "uv-job.yaml": "uv with the Secret mounted",
    "pip-job.yaml": "pip with the Secret mounted",
    "uv-env-job.yaml": "uv with a ConfigMap and variables",
}


def perform(narrator: Narrator, tour: Tour, *, follow_seconds: float) -> None:
    """Install, declare, build, refresh a token, build again; raises if a step fails.

    The kubelet must update a changed Secret in a pod within `follow_seconds`.
    """
    narrator.secrets = lambda: [
        token.value
        for tokens in (tour.stand_ins.aws.tokens, tour.stand_ins.google.tokens)
        for token in tokens.all()
    ]
    with narrator.step("helm install into a namespace that enforces restricted pod security"):
        tour.install()
    with narrator.step(f"kubectl apply the examples in namespace {NAMESPACE}; wait until Ready"):
        tour.namespace(NAMESPACE)
        tour.declare(NAMESPACE)
        narrator.detail(
            tour.cluster.kubectl("get", "artifactindex,indexoptions", "-n", NAMESPACE).stdout
        )
    for example, how in JOBS.items():
        with narrator.step(f"examples/builders/{example}: {how}"):
            narrator.detail(_installed(tour.build(NAMESPACE, example)))
    with narrator.step("examples/builders/uv-pod.yaml: a new token reaches the mounted file"):
        pod = tour.start(NAMESPACE, "uv-pod.yaml")
        old, _ = tour.follow_new_token(NAMESPACE, pod, follow_seconds)
    with narrator.step("the old token is revoked; a new Job builds with the new token"):
        tour.stand_ins.aws.tokens.revoke(old)
        narrator.detail(_installed(tour.build(NAMESPACE, "uv-job.yaml", name="uv-build-later")))


def _installed(log: str) -> str:
    """Return the line of a client's log that names the package."""
    return next(line for line in reversed(log.splitlines()) if PACKAGE in line)
