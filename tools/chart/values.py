"""The chart's values: the one source of `values.yaml`, its schema and the table in its README.

Keys that are nobody's are refused, at every level. What a description says is what users read.
"""

from typing import Annotated, Any, Literal

from pydantic import Field
from tools.chart import kubernetes as k8s
from tools.chart.kubernetes import Model
from tools.chart.operator_settings import settings_model

_Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
_ObjectName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
_OptionalName = Annotated[str, Field(pattern=r"^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?$")]
_Period = Annotated[str, Field(pattern=r"^([0-9]+(ms|s|m|h))*$")]
_NonEmpty = Annotated[str, Field(min_length=1)]


def _value(default: Any, description: str) -> Any:
    if isinstance(default, (dict, list)):
        return Field(default_factory=default.copy, description=description)
    return Field(default=default, description=description)


def _group(model: type[Model], description: str) -> Any:
    return Field(default_factory=model, description=description)


class Image(Model):
    """Which image runs."""

    repository: _NonEmpty = _value(
        "ghcr.io/artifact-index/artifact-index-operator", "Registry and name."
    )
    tag: str = _value("", "Default: the chart's appVersion.")
    digest: Annotated[str, Field(pattern="^(sha256:[0-9a-f]{64})?$")] = _value(
        "", "Such as sha256:…; pins the content, whatever the tag says."
    )
    pull_policy: Literal["IfNotPresent", "Always", "Never"] = _value(
        "IfNotPresent", "When the kubelet asks the registry."
    )


class Crds(Model):
    """The two kinds' definitions."""

    enabled: bool = _value(
        True, "Install and upgrade the CustomResourceDefinitions with this release."
    )
    keep: bool = _value(
        True,
        "Leave them behind on uninstall. Without, every ArtifactIndex and IndexOptions of the "
        "cluster goes with the release, and their outputs with them.",
    )


class ServiceAccount(Model):
    """The operator's identity."""

    create: bool = _value(True, "Without, the ServiceAccount called `name` has to be there.")
    name: _OptionalName = _value("", "Default: the release's full name.")
    annotations: k8s.Strings = _value(
        {},
        "Of a cloud identity: eks.amazonaws.com/role-arn (IRSA) or iam.gke.io/gcp-service-account "
        "(GKE). EKS Pod Identity needs none.",
    )


class Rbac(Model):
    """The permissions."""

    create: bool = _value(
        True, "Without, somebody else grants what docs/install.md lists, or nothing works."
    )
    aggregate: bool = _value(
        True,
        "Let the cluster's `view` role read both kinds, and `edit` and `admin` change them; never "
        "Secrets. Cluster-wide installations only.",
    )


class ServiceAccountTokens(Model):
    """Whether the operator may log in as ServiceAccounts of its users."""

    mode: Literal["None", "Listed", "All"] = _value(
        "None",
        "Whose tokens it may ask for, for `auth.serviceAccountRef`: nobody's, those of `listed`, "
        "or those of every ServiceAccount it can reach. Who may ask for a token can act as that "
        "ServiceAccount.",
    )
    listed: dict[_Name, list[_ObjectName]] = _value(
        {},
        "ServiceAccounts by namespace, such as {builders: [publisher]}; the namespaces have to be "
        "there.",
    )


class Probe(Model):
    """How the kubelet asks."""

    initial_delay_seconds: Annotated[int, Field(ge=0)] = _value(0, "Seconds before the first try.")
    period_seconds: Annotated[int, Field(ge=1)] = _value(10, "Seconds between tries.")
    timeout_seconds: Annotated[int, Field(ge=1)] = _value(5, "Seconds that an answer may take.")
    failure_threshold: Annotated[int, Field(ge=1)] = _value(3, "Failures in a row that count.")


class UserIds(Model):
    """Numeric ids of the process."""

    run_as_user: int | None = _value(65532, "User; null leaves it to the cluster.")
    run_as_group: int | None = _value(65532, "Group; null leaves it to the cluster.")
    fs_group: int | None = _value(
        65532, "Group of mounted files, cloud tokens among them; null leaves it to the cluster."
    )


class Proxy(Model):
    """A proxy on the way to the clouds."""

    https: str = _value("", "HTTPS_PROXY, such as http://proxy.example.com:3128.")
    http: str = _value("", "HTTP_PROXY.")
    no_proxy: str = _value(
        "",
        "NO_PROXY, comma-separated. The API server and the clouds' metadata addresses are put in "
        "front of it.",
    )


class CaBundle(Model):
    """Authorities to trust on the way to the clouds."""

    config_map: _OptionalName = _value("", "ConfigMap that holds it, in the release's namespace.")
    secret: _OptionalName = _value("", "Secret that holds it; one of the two.")
    key: _NonEmpty = _value("ca.crt", "Key whose PEM takes the place of the public authorities.")


class NetworkPolicy(Model):
    """Who may talk to the operator, and to whom it may talk."""

    enabled: bool = _value(False, "Create a NetworkPolicy.")
    ingress_from: list[k8s.NetworkPolicyPeer] = _value(
        [], "Peers that may reach the health and metrics port; empty: all. Probes always may."
    )
    cloud_metadata: bool = _value(
        True, "Allow the clouds' metadata and credential addresses (169.254.0.0/16, fd00:ec2::/32)."
    )
    ports: list[Annotated[int, Field(ge=1, le=65535)]] = _value(
        [443, 6443], "TCP ports of the API server and the clouds; a proxy's port goes here, too."
    )
    extra_egress: list[k8s.EgressRule] = _value([], "More rules.")


class PodDisruptionBudget(Model):
    """What an eviction may do to the one pod."""

    enabled: bool = _value(False, "Create a PodDisruptionBudget.")
    max_unavailable: k8s.IntOrString = _value(
        1, "With one replica 0 blocks every drain of its node."
    )


class Monitor(Model):
    """How Prometheus finds /metrics; docs/metrics.md lists what it then sees."""

    enabled: bool = _value(
        False, "Create it; the Prometheus operator's definitions have to be there."
    )
    labels: k8s.Strings = _value({}, "Labels by which your Prometheus selects it.")
    interval: _Period = _value("", "Time between scrapes; default: Prometheus' own.")
    scrape_timeout: _Period = _value("", "Time that a scrape may take; default: Prometheus' own.")


class Values(Model):
    """Everything that can be set."""

    enabled: bool = _value(
        True, "Not read by this chart: a parent chart's `condition` may point here."
    )
    global_: Annotated[dict[str, Any], Field(alias="global")] = _value(
        {}, "Not read by this chart: Helm adds it where a parent chart has one."
    )
    name_override: Annotated[str, Field(max_length=63)] = _value(
        "", "Takes the place of the chart's name in names and labels."
    )
    fullname_override: Annotated[str, Field(max_length=63)] = _value(
        "", "Takes the place of the release's full name."
    )
    common_labels: k8s.Strings = _value({}, "Labels on every object.")
    image: Image = _group(Image, "The operator's image.")
    image_pull_secrets: list[k8s.LocalName] = _value(
        [], "Secrets with the registry's login, such as [{name: registry}]."
    )
    crds: Crds = _group(Crds, "The definitions of both kinds.")
    watch_namespaces: list[_Name] = _value(
        [],
        "Serve only these namespaces, with a Role in each and no ClusterRole; they have to be "
        "there. Empty: the whole cluster, which takes the right to read every Secret.",
    )
    settings: settings_model() = Field(  # type: ignore[valid-type]
        default_factory=settings_model(),
        description="The operator's own settings, each named after its flag (docs/settings.md).",
    )
    service_account: ServiceAccount = _group(ServiceAccount, "Whom the operator runs as.")
    rbac: Rbac = _group(Rbac, "What it may do.")
    service_account_tokens: ServiceAccountTokens = _group(
        ServiceAccountTokens, "Logins by `auth.serviceAccountRef`."
    )
    proxy: Proxy = _group(Proxy, "A proxy on the way to the clouds.")
    ca_bundle: CaBundle = _group(
        CaBundle, "Authorities to trust on the way to the clouds, instead of the public ones."
    )
    resources: k8s.Resources = Field(
        default_factory=lambda: k8s.Resources(
            requests={"cpu": "100m", "memory": "128Mi"}, limits={"memory": "512Mi"}
        ),
        description="A thousand files with ten logins each stay under 150Mi (docs/performance.md).",
    )
    pod_security_context: UserIds = _group(
        UserIds, "The rest of the restricted Pod Security Standard is not up for choice."
    )
    liveness_probe: Probe = _group(Probe, "On /healthz.")
    readiness_probe: Probe = _group(Probe, "On /readyz.")
    pod_annotations: k8s.Strings = _value({}, "Annotations of the pod.")
    pod_labels: k8s.Strings = _value({}, "Labels of the pod.")
    node_selector: k8s.Strings = _value({}, "Labels that a node has to have.")
    affinity: k8s.Affinity = Field(default_factory=k8s.Affinity, description="As in a pod.")
    tolerations: list[k8s.Toleration] = _value([], "As in a pod.")
    topology_spread_constraints: list[k8s.TopologySpreadConstraint] = _value([], "As in a pod.")
    priority_class_name: str = _value("", "PriorityClass of the pod.")
    extra_env: list[k8s.EnvVar] = _value(
        [], "More environment variables, such as AWS_REGION or GOOGLE_APPLICATION_CREDENTIALS."
    )
    extra_volumes: list[k8s.Volume] = _value(
        [], "More volumes, of the kinds that the restricted standard allows."
    )
    extra_volume_mounts: list[k8s.VolumeMount] = _value([], "Where they are mounted.")
    network_policy: NetworkPolicy = _group(
        NetworkPolicy, "Who may reach the pod, and whom it may reach."
    )
    pod_disruption_budget: PodDisruptionBudget = _group(
        PodDisruptionBudget, "What an eviction may do to the one pod."
    )
    pod_monitor: Monitor = _group(Monitor, "A PodMonitor of the Prometheus operator.")
    service_monitor: Monitor = _group(
        Monitor,
        "A ServiceMonitor of the Prometheus operator, and its Service. One of the two monitors is "
        "enough.",
    )
