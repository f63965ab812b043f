"""The command lines of the three servers."""

from dataclasses import dataclass
from pathlib import Path

from support.control_plane.certificates import KeyPair

SERVICE_NETWORK = "10.96.0.0/16"
SERVICE_ADDRESS = "10.96.0.1"
SERVICE_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
TOKEN_ISSUER = "https://kubernetes.default.svc.cluster.local"

# The few that tests rely on; the last one fills the roles `view`, `edit` and `admin`.
CONTROLLERS = (
    "garbage-collector-controller,serviceaccount-controller,namespace-controller,"
    "clusterrole-aggregation-controller"
)

Argv = list[str | Path]

# One file for the whole run: a rotation would invalidate the byte offsets that callers remember.
AUDIT_LOG_MEGABYTES = 100_000


# Where pods and the API server meet, in a network namespace that has both addresses on loopback.
NODE_ADDRESS = "10.250.0.1"
HTTPS_PORT = 443


@dataclass(frozen=True)
class Ports:
    """TCP ports of one control plane."""

    etcd: int
    etcd_peer: int
    apiserver: int


def etcd(program: Path, name: str, ports: Ports, data: Path) -> Argv:
    """Return etcd's command: no TLS, since only the loopback reaches it, and no fsync."""
    client, peer = f"http://127.0.0.1:{ports.etcd}", f"http://127.0.0.1:{ports.etcd_peer}"
    return [
        program,
        f"--name={name}",
        f"--data-dir={data}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster={name}={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def apiserver(
    program: Path,
    ports: Ports,
    folder: Path,
    *,
    serving: KeyPair,
    ca: Path,
    token_key: Path,
    audit_policy: Path,
    audit_log: Path,
    kubelet_client: KeyPair | None,
) -> Argv:
    """Return kube-apiserver's command: RBAC, ServiceAccount tokens, an audit log.

    With `kubelet_client` it serves pods and reads logs of kubelets; without, it has loopback alone.
    """
    return [
        program,
        f"--etcd-servers=http://127.0.0.1:{ports.etcd}",
        f"--secure-port={ports.apiserver}",
        # An Endpoints object may not hold a loopback address: the reconciler would only complain.
        "--endpoint-reconciler-type=none",
        f"--cert-dir={folder}",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        f"--client-ca-file={ca}",
        f"--service-account-key-file={token_key}",
        f"--service-account-signing-key-file={token_key}",
        f"--service-account-issuer={TOKEN_ISSUER}",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        f"--audit-policy-file={audit_policy}",
        f"--audit-log-path={audit_log}",
        f"--audit-log-maxsize={AUDIT_LOG_MEGABYTES}",
        *(_without_pods() if kubelet_client is None else _with_pods(kubelet_client, ca)),
    ]


def _without_pods() -> Argv:
    return [
        "--bind-address=127.0.0.1",
        # Found from the default route otherwise, which a machine without network has not.
        "--advertise-address=127.0.0.1",
        "--authorization-mode=RBAC",
        # It would refuse pods in namespaces whose default ServiceAccount is not there yet.
        "--disable-admission-plugins=ServiceAccount",
    ]


def _with_pods(kubelet_client: KeyPair, ca: Path) -> Argv:
    return [
        # Both loopback and the address of Service `kubernetes`, so that nothing has to forward.
        "--bind-address=0.0.0.0",
        f"--advertise-address={NODE_ADDRESS}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--kubelet-client-certificate={kubelet_client.certificate}",
        f"--kubelet-client-key={kubelet_client.key}",
        f"--kubelet-certificate-authority={ca}",
        # There is no DNS that would know the node by its name.
        "--kubelet-preferred-address-types=InternalIP",
    ]


def controller_manager(
    program: Path, kubeconfig: Path, folder: Path, *, ca: Path, token_key: Path, for_pods: bool
) -> Argv:
    """Return kube-controller-manager's command, with the few controllers that tests rely on.

    For pods it runs all that are on by default.
    """
    more = [f"--root-ca-file={ca}", f"--service-account-private-key-file={token_key}"]
    return [
        program,
        f"--kubeconfig={kubeconfig}",
        f"--cert-dir={folder}",
        *(more if for_pods else [f"--controllers={CONTROLLERS}"]),
        # Each controller acts under its own ServiceAccount and rights, as in a real cluster.
        "--use-service-account-credentials",
        "--leader-elect=false",
        "--secure-port=0",
    ]
