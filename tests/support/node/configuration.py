"""The configuration of containerd, its network, and the kubelet."""

import json
from pathlib import Path
from typing import Any

from support.control_plane.certificates import KeyPair
from support.node.machine import CNI_PLUGINS
from support.node.sandbox import IMAGE as SANDBOX

POD_NETWORK = "10.244.0.0/24"
KUBELET_PORT = 10250
KUBELET_HEALTH_PORT = 10248
# What a mounted Secret takes to follow a change, at most; a cluster's default is a minute.
SYNC_FREQUENCY = "2s"
# One folder for each registry that containerd is told something about.
REGISTRIES = "registries"


def write_containerd(folder: Path) -> Path:
    """Write containerd's configuration and that of the pod network; returns the former."""
    networks = folder / "cni"
    networks.mkdir()
    (networks / "10-pods.conflist").write_text(json.dumps(_network(folder)))
    path = folder / "containerd.toml"
    # A JSON string is a TOML string.
    quoted = {
        "root": json.dumps(str(folder / "containerd")),
        "networks": json.dumps(str(networks)),
        "registries": json.dumps(str(folder / REGISTRIES)),
        "plugins": json.dumps(str(CNI_PLUGINS)),
        "sandbox": json.dumps(SANDBOX),
    }
    path.write_text(_CONTAINERD.format(**quoted))
    return path


def write_registry(folder: Path, address: str, ca: Path) -> None:
    """Have containerd trust a registry's authority from its next pull on."""
    host = folder / REGISTRIES / address
    host.mkdir(parents=True)
    # Without the scheme containerd speaks no TLS on loopback.
    url, file = json.dumps(f"https://{address}"), json.dumps(str(ca))
    (host / "hosts.toml").write_text(f"server = {url}\n[host.{url}]\nca = {file}\n")


def write_kubelet(folder: Path, *, ca: Path, serving: KeyPair, cgroup: str) -> Path:
    """Write the kubelet's configuration."""
    path = folder / "kubelet.json"
    configuration = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "0.0.0.0",
        "port": KUBELET_PORT,
        "healthzPort": KUBELET_HEALTH_PORT,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(ca)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(serving.certificate),
        "tlsPrivateKeyFile": str(serving.key),
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup}",
        "failSwapOn": False,
        "failCgroupV1": False,
        "makeIPTablesUtilChains": False,
        # The first restart of a container waits 10 s otherwise, and tests with it.
        "featureGates": {"KubeletCrashLoopBackOffMax": True},
        "crashLoopBackOff": {"maxContainerRestartPeriod": "1s"},
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {
            "memory.available": "1%",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
        "syncFrequency": SYNC_FREQUENCY,
        "podLogsDir": str(folder / "pod-logs"),
        # There is no DNS in here.
        "resolvConf": "",
    }
    path.write_text(json.dumps(configuration, indent=2))
    return path


def _network(folder: Path) -> dict[str, Any]:
    ranges = [[{"subnet": POD_NETWORK}]]
    addresses = {"type": "host-local", "ranges": ranges, "dataDir": str(folder / "addresses")}
    bridge = {
        "type": "bridge",
        "bridge": "pods0",
        "isGateway": True,
        # Pods meet nobody but the node: no address has to be translated.
        "ipMasq": False,
        "ipam": {**addresses, "routes": [{"dst": "0.0.0.0/0"}]},
    }
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge]}


_CONTAINERD = """\
version = 2
root = {root}
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt"]

[grpc]
address = "/run/containerd/containerd.sock"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = {sandbox}
disable_apparmor = true
# Without the capability to change it, runc ends with an error that does not name it.
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".registry]
config_path = {registries}

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = {plugins}
conf_dir = {networks}

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
"""
