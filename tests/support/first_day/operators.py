"""Mistakes with the operator as a whole, while it runs."""

from support.chart import CHART, IMAGE, RELEASE, run_helm, with_image
from support.control_plane import wait_until
from support.first_day.answer import Answer, shown
from support.first_day.starts import start
from support.operator_process import OPERATOR_NAMESPACE, OperatorProcess, health
from support.world import PATIENCE, World, artifact_index, index_options

_EXPIRED = "login has expired"
_DEFINITIONS = ("artifactindexes.artifactindex.dev", "indexoptions.artifactindex.dev")


def login_expires(world: World) -> Answer:
    """The operator of a single namespace, whose ServiceAccount is deleted while it runs."""
    namespace = world.namespace("first-day-expired")
    kubeconfig = world.plane.kubeconfig_for(namespace, "operator")
    subject = {"kind": "ServiceAccount", "name": "operator", "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    binding = {"metadata": {"name": namespace}, "roleRef": role, "subjects": [subject]}
    bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    world.plane.write("POST", bindings, binding)
    flags = ("--namespace", namespace)
    with OperatorProcess(kubeconfig, namespace=namespace, flags=flags, forked=True) as operator:
        world.delete("serviceaccount", namespace, "operator")
        wait_until(lambda: _EXPIRED in operator.log, "the refused login in the log", PATIENCE)
        port = operator.health_port
        wait_until(lambda: health(port, "readyz")[0] == 503, "/readyz to fail", PATIENCE)
        line = next(each for each in operator.log.splitlines() if _EXPIRED in each)
    return Answer(
        "The login of the operator expires while it runs",
        f"kubectl -n {OPERATOR_NAMESPACE} delete serviceaccount {RELEASE}\n",
        "the log within a minute, while `/readyz` answers 503", shown(line),
        ("does not serve the operator", _EXPIRED, "renew the login of the kubeconfig"),
    )  # fmt: skip


def two_operators(world: World) -> Answer:
    """One from a kubeconfig, with a key of its own, beside the one of the whole cluster."""
    namespace = world.namespace("first-day-two")
    index = artifact_index("acme", anonymous={"url": "https://packages.example.com/simple/"})
    world.apply(index, index_options("uv-config"), namespace=namespace)
    world.wait_condition("indexoptions", namespace, "uv-config", reason="Available")
    flags = ("--namespace", namespace)
    admin = world.plane.kubeconfig_admin
    with OperatorProcess(admin, namespace=namespace, flags=flags, forked=True):
        found = world.wait_condition(
            "indexoptions", namespace, "uv-config", reason="OutputContested"
        )
    return Answer(
        "Two operators serve one namespace",
        f"artifact-index run --operator-namespace {namespace} --namespace {namespace}\n",
        "`Ready` of each IndexOptions, and the logs of both", shown(found["message"]),
        ("Secret 'uv-config'", "another installation of this operator", "let only one of them"),
    )  # fmt: skip


def helm_after_the_quickstart(world: World) -> Answer:
    """The ServiceAccount is there, without Helm's labels."""
    arguments = ("install", RELEASE, CHART, "--namespace", OPERATOR_NAMESPACE)
    refused = run_helm(
        *arguments, values=with_image(), kubeconfig=world.plane.kubeconfig_admin,
        home=world.plane.folder / "helm", check=False,
    )  # fmt: skip
    line = next(each for each in refused.stderr.splitlines() if "cannot be imported" in each)
    chart = f"helm install {RELEASE} helm/artifact-index-operator -n {OPERATOR_NAMESPACE}"
    done = f"{chart} --set image.repository={IMAGE}\n"
    return Answer(
        "The chart after the quickstart", done,
        "Helm. [Clean up](../tutorial/quickstart.md#8-clean-up) first", shown(line),
        ("INSTALLATION FAILED", "cannot be imported", "invalid ownership metadata"),
    )  # fmt: skip


def without_definitions(world: World) -> list[Answer]:
    """An operator whose definitions are deleted, and then one that starts without them."""
    flags = ("--namespace", "first-day-two", "--watch-patience", "3s")
    admin = world.plane.kubeconfig_admin
    with OperatorProcess(admin, flags=flags, forked=True) as operator:
        process = operator.process
        assert process is not None
        world.plane.kubectl("delete", "crd", *_DEFINITIONS, "--wait=false")
        status = process.wait(PATIENCE)
    line = [each for each in operator.log.splitlines() if " ERROR " in each][-1]
    line = line.replace(str(admin), "operator.kubeconfig")
    parts = ("there is no CustomResourceDefinition", "artifact-index crds | kubectl apply -f -")
    deleted = Answer(
        "The definitions are deleted while the operator runs",
        f"kubectl delete crd {' '.join(_DEFINITIONS)}\n",
        f"the log; exit status {status}. Kubernetes deletes every output as well", shown(line),
        parts,
    )  # fmt: skip
    return [
        deleted, start("The definitions are forgotten", "operator.kubeconfig", admin, (), parts),
    ]  # fmt: skip
