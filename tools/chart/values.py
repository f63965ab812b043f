"""The chart's values: the one source of `values.yaml`, its schema and the table in its README.

Unknown keys are rejected at every level. Users read the descriptions.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from tools.chart import kubernetes as k8s
from tools.chart import volumes
from tools.chart.kubernetes import Model
from tools.chart.operator_settings import DURATION, setting_value, settings_model
from tools.monitoring.rules import RUNBOOKS

_Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
_ObjectName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
_OptionalName = Annotated[str, Field(pattern=r"^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?$")]
_NamespaceGlob = Annotated[str, Field(pattern=r"^!?[a-z0-9*?-]{1,63}$")]
_Period = Annotated[str, Field(pattern=r"^([0-9]+(ms|s|m|h))*$")]
_Duration = Annotated[str, Field(pattern=DURATION)]
_NonEmpty = Annotated[str, Field(min_length=1)]
_Page = Annotated[str, Field(pattern=r"^https?://[^\s'\"{}]+$")]


def _value(default: Any, description: str) -> Any:
    if isinstance(default, (dict, list)):
        return Field(default_factory=default.copy, description=description)
    return Field(default=default, description=description)


def _group(model: type[Model], description: str) -> Any:
    return Field(default_factory=model, description=description)


class Global(Model):
    """What a parent chart sets for all of its parts; other keys are theirs."""

    model_config = ConfigDict(extra="allow")

    image_registry: str = _value("", "Replaces the registry of the image, also `image.registry`.")
    image_pull_secrets: list[k8s.LocalName | _NonEmpty] = _value(
        [], "Added to `imagePullSecrets`; also names alone, such as [registry]."
    )


class Image(Model):
    """Which image runs."""

    registry: str = _value("", "Replaces the registry in `repository`, such as a mirror's.")
    repository: str = _value(
        "",
        "Registry and name of the image, such as registry.example.com/artifact-index-operator. "
        "Required: no image is published yet.",
    )
    tag: str = _value("", "Default: the chart's appVersion.")
    digest: Annotated[str, Field(pattern="^(sha256:[0-9a-f]{64})?$")] = _value(
        "", "Digest, such as sha256:…; pins the content regardless of the tag."
    )
    pull_policy: Literal["IfNotPresent", "Always", "Never"] = _value(
        "IfNotPresent", "When the kubelet pulls the image."
    )


class Crds(Model):
    """The CRDs of the kinds."""

    enabled: bool = _value(
        True, "Install and upgrade the CustomResourceDefinitions with this release."
    )
    keep: bool = _value(
        True,
        "Keep the CRDs on uninstall. If false, uninstalling deletes every object of these "
        "kinds in the cluster, and their outputs.",
    )


class ServiceAccount(Model):
    """The operator's identity."""

    create: bool = _value(
        True,
        "Create the ServiceAccount. If false, one with this `name` must already exist.",
    )
    name: _OptionalName = _value("", "Default: the release's full name.")
    labels: k8s.Strings = _value({}, "Labels of the ServiceAccount.")
    annotations: k8s.Strings = _value(
        {},
        "Annotations for a cloud identity: eks.amazonaws.com/role-arn (IRSA) or "
        "iam.gke.io/gcp-service-account (GKE). EKS Pod Identity needs none.",
    )


class Rbac(Model):
    """The permissions."""

    create: bool = _value(
        True,
        "Create Roles or a ClusterRole. If false, grant the permissions listed in "
        "docs/how-to/install.md yourself; the operator does not start without them.",
    )
    aggregate: bool = _value(
        True,
        "Let the cluster's `view` role read both kinds, and `edit` and `admin` change them. This "
        "grants no access to Secrets. Only for cluster-wide installations.",
    )


class ClusterKinds(Model):
    """ClusterArtifactIndex and ClusterIndexOptions: one definition for many namespaces."""

    enabled: bool | None = _value(
        None,
        "Serve ClusterArtifactIndex and ClusterIndexOptions, for which the operator may list and "
        "watch namespaces. Default: true for a cluster-wide installation; with `watchNamespaces` "
        "it cannot be.",
    )
    namespaces: list[_NamespaceGlob] = _value(
        [],
        "Serve them in these namespaces at most, whatever their specs say: names, patterns such as "
        'team-*, or what to leave out, such as "!kube-*". Empty: any namespace.',
    )
    resource_namespace: _OptionalName = _value(
        "",
        "Namespace of the Secrets and ServiceAccounts that ClusterArtifactIndex objects refer to. "
        "Whoever may write there decides their logins. Default: `settings.operatorNamespace`, "
        "else the release's namespace.",
    )


class ServiceAccountTokens(Model):
    """Whether the operator may log in as ServiceAccounts of its users."""

    mode: Literal["None", "Listed", "All"] = _value(
        "None",
        "Whose tokens the operator may request for `auth.serviceAccountRef`: None, those in "
        "`listed`, or All ServiceAccounts in the served namespaces. Whoever may request a token "
        "can act as that ServiceAccount.",
    )
    listed: dict[_Name, list[_ObjectName]] = _value(
        {},
        "ServiceAccounts by namespace, such as {builders: [publisher]}; the namespaces must "
        "already exist.",
    )


class Probe(Model):
    """How the kubelet probes the pod."""

    initial_delay_seconds: Annotated[int, Field(ge=0)] = _value(
        0, "Seconds before the first probe."
    )
    period_seconds: Annotated[int, Field(ge=1)] = _value(10, "Seconds between probes.")
    timeout_seconds: Annotated[int, Field(ge=1)] = _value(5, "Seconds before a probe times out.")
    failure_threshold: Annotated[int, Field(ge=1)] = _value(
        3, "Consecutive failures before the probe counts as failed."
    )


class UserIds(Model):
    """Numeric ids of the process."""

    run_as_user: int | None = _value(
        65532, "User; null lets the cluster choose. On OpenShift set all three to null."
    )
    run_as_group: int | None = _value(65532, "Group; null lets the cluster choose.")
    fs_group: int | None = _value(
        65532, "Group of mounted files, including cloud tokens; null lets the cluster choose."
    )


class Proxy(Model):
    """A proxy between the operator and the clouds."""

    https: str = _value("", "HTTPS_PROXY, such as http://proxy.example.com:3128.")
    http: str = _value("", "HTTP_PROXY.")
    no_proxy: str = _value(
        "",
        "NO_PROXY, comma-separated. The chart prepends the API server and the clouds' metadata "
        "addresses.",
    )


class CaBundle(Model):
    """Certificate authorities to trust for the clouds."""

    config_map: _OptionalName = _value("", "ConfigMap with the bundle, in the release's namespace.")
    secret: _OptionalName = _value("", "Secret with the bundle; set only one of the two.")
    key: _NonEmpty = _value(
        "ca.crt",
        "Key whose PEM replaces the public authorities. Restart the pod after a change, or let "
        "Reloader do it with `deploymentAnnotations`.",
    )


class NetworkPolicy(Model):
    """Who may connect to the pod, and where the pod may connect."""

    enabled: bool = _value(False, "Create a NetworkPolicy.")
    ingress_from: list[k8s.NetworkPolicyPeer] = _value(
        [],
        "Peers that may reach the health and metrics port; empty: all. Probes are always allowed.",
    )
    cloud_metadata: bool = _value(
        True, "Allow the clouds' metadata and credential addresses (169.254.0.0/16, fd00:ec2::/32)."
    )
    ports: list[Annotated[int, Field(ge=1, le=65535)]] = _value(
        [443, 6443], "TCP ports of the API server and the clouds; add a proxy's port here."
    )
    extra_egress: list[k8s.EgressRule] = _value([], "Additional egress rules.")


class LeaderElection(Model):
    """Which of several replicas works."""

    enabled: bool = _value(
        True,
        "Elect a leader by a Lease in the operator's namespace; the other replicas stand by. If "
        "false, `replicaCount` must be 1, and an upgrade ends the old pod before the new one "
        "starts.",
    )
    lease_duration: _Duration = setting_value("lease_duration")
    renew_deadline: _Duration = setting_value("renew_deadline")
    retry_period: _Duration = setting_value("retry_period")
    flow_schema: bool = _value(
        False,
        "Put the requests for the Lease into the API server's priority level `leader-election`, so "
        "that no other load delays them. Needs the right to create FlowSchemas.",
    )


class PodDisruptionBudget(Model):
    """How evictions may affect the pods."""

    enabled: bool = _value(True, "Create a PodDisruptionBudget.")
    max_unavailable: k8s.IntOrString = _value(
        1, "Evict at most this many pods at once; 0 blocks every drain of a node with one."
    )


class Monitor(Model):
    """How Prometheus finds /metrics; docs/reference/metrics.md lists the metrics."""

    enabled: bool = _value(
        False, "Create the monitor; the CRDs of the Prometheus operator must already exist."
    )
    namespace: _OptionalName = _value("", "Default: the release's namespace.")
    labels: k8s.Strings = _value({}, "Labels by which your Prometheus selects the monitor.")
    interval: _Period = _value("", "Time between scrapes; default: Prometheus's default.")
    scrape_timeout: _Period = _value("", "Scrape timeout; default: Prometheus's default.")
    job_label: str = _value(
        "", "Label of the pod or Service whose value becomes the series' `job`."
    )
    relabelings: list[k8s.Relabeling] = _value([], "Relabelings of the target, as in a monitor.")
    metric_relabelings: list[k8s.Relabeling] = _value(
        [], "Relabelings of the series, as in a monitor."
    )


class ServiceMonitor(Monitor):
    """A monitor with a Service of its own."""

    service_annotations: k8s.Strings = _value({}, "Annotations of the Service.")


class PrometheusRule(Model):
    """Alerts for the Prometheus operator; docs/reference/alerts.md explains each."""

    enabled: bool = _value(
        False,
        "Create a PrometheusRule with recording rules and alerts; the CRDs of the Prometheus "
        "operator must already exist. Needs `podMonitor` or `serviceMonitor`.",
    )
    labels: k8s.Strings = _value({}, "Labels by which your Prometheus selects the rules.")
    runbook_url: _Page = _value(
        RUNBOOKS,
        "Page of the alerts, to which the name of each is appended as `#artifactindexdown`.",
    )


class GrafanaDashboard(Model):
    """A dashboard for Grafana."""

    enabled: bool = _value(
        False, "Create a ConfigMap with the dashboard, which Grafana's sidecar imports."
    )
    labels: k8s.Strings = _value(
        {"grafana_dashboard": "1"}, "Labels by which the sidecar selects the ConfigMap."
    )
    annotations: k8s.Strings = _value(
        {}, "Annotations of the ConfigMap, such as `grafana_folder: Kubernetes`."
    )


class Values(Model):
    """All values of the chart."""

    enabled: bool = _value(
        True, "Unused by this chart; a parent chart's `condition` may refer to it."
    )
    global_: Annotated[Global, Field(alias="global")] = _group(
        Global, "Read from a parent chart, which has one `global` for all of its parts."
    )
    name_override: Annotated[str, Field(max_length=63)] = _value(
        "", "Replaces the chart's name in names and labels."
    )
    fullname_override: Annotated[str, Field(max_length=63)] = _value(
        "", "Replaces the release's full name."
    )
    common_labels: k8s.Strings = _value({}, "Labels for every object.")
    common_annotations: k8s.Strings = _value(
        {}, "Annotations for every object, but not for the Deployment's pod."
    )
    replica_count: Annotated[int, Field(ge=1)] = _value(
        2,
        "One replica works, the others stand by: they hold what the leader holds, and write "
        "nothing.",
    )
    leader_election: LeaderElection = _group(
        LeaderElection, "Which of several replicas works (docs/how-to/operate.md)."
    )
    image: Image = _group(Image, "The operator's image.")
    image_pull_secrets: list[k8s.LocalName] = _value(
        [], "Secrets with the registry login, such as [{name: registry}]."
    )
    crds: Crds = _group(Crds, "The CRDs of the kinds.")
    watch_namespaces: list[_Name] = _value(
        [],
        "Serve only these namespaces, with a Role in each and no ClusterRole; they must already "
        "exist. Empty: the whole cluster, which requires the right to read every Secret.",
    )
    cluster_kinds: ClusterKinds = _group(
        ClusterKinds,
        "One definition for many namespaces (docs/how-to/cluster-kinds.md).",
    )
    settings: settings_model() = Field(  # type: ignore[valid-type]
        default_factory=settings_model(),
        description="The operator's settings, each named after its flag "
        "(docs/reference/settings.md).",
    )
    service_account: ServiceAccount = _group(ServiceAccount, "The ServiceAccount of the operator.")
    rbac: Rbac = _group(Rbac, "The permissions of the operator.")
    service_account_tokens: ServiceAccountTokens = _group(
        ServiceAccountTokens, "Logins by `auth.serviceAccountRef`."
    )
    proxy: Proxy = _group(Proxy, "A proxy between the operator and the clouds.")
    ca_bundle: CaBundle = _group(
        CaBundle, "Certificate authorities to trust for the clouds, instead of the public ones."
    )
    resources: k8s.Resources = Field(
        default_factory=lambda: k8s.Resources(
            requests={"cpu": "100m", "memory": "128Mi"}, limits={"memory": "512Mi"}
        ),
        description="Memory stays under 150Mi for 1,000 files with ten logins each "
        "(docs/explanation/performance.md).",
    )
    pod_security_context: UserIds = _group(
        UserIds, "Everything else the restricted Pod Security Standard requires is fixed."
    )
    liveness_probe: Probe = _group(Probe, "Probes /healthz.")
    readiness_probe: Probe = _group(Probe, "Probes /readyz.")
    deployment_annotations: k8s.Strings = _value(
        {}, "Annotations of the Deployment, such as reloader.stakater.com/auto."
    )
    pod_annotations: k8s.Strings = _value({}, "Annotations of the pod.")
    pod_labels: k8s.Strings = _value({}, "Labels of the pod.")
    node_selector: k8s.Strings = _value({}, "Labels that the node must have.")
    affinity: k8s.Affinity = Field(default_factory=k8s.Affinity, description="As in a pod spec.")
    tolerations: list[k8s.Toleration] = _value([], "As in a pod spec.")
    topology_spread_constraints: list[k8s.TopologySpreadConstraint] = _value(
        [],
        "As in a pod spec. Empty: replicas are spread over nodes and zones where that is possible.",
    )
    priority_class_name: str = _value("", "PriorityClass of the pod.")
    runtime_class_name: str = _value("", "RuntimeClass of the pod.")
    scheduler_name: str = _value("", "Scheduler of the pod.")
    host_aliases: list[k8s.HostAlias] = _value(
        [],
        "Lines for the pod's /etc/hosts, as in a pod spec: [{ip: 10.0.0.7, hostnames: [proxy]}].",
    )
    dns_policy: Literal["", "ClusterFirst", "Default", "None"] = _value("", "As in a pod spec.")
    dns_config: k8s.DnsConfig = Field(
        default_factory=k8s.DnsConfig, description="As in a pod spec."
    )
    extra_env: list[k8s.EnvVar] = _value(
        [],
        "Additional environment variables, such as AWS_REGION or GOOGLE_APPLICATION_CREDENTIALS.",
    )
    extra_volumes: list[volumes.Volume] = _value(
        [], "Additional volumes, of the types that the restricted standard allows."
    )
    extra_volume_mounts: list[volumes.VolumeMount] = _value([], "Where `extraVolumes` are mounted.")
    network_policy: NetworkPolicy = _group(
        NetworkPolicy, "Who may connect to the pod, and where the pod may connect."
    )
    pod_disruption_budget: PodDisruptionBudget = _group(
        PodDisruptionBudget, "How evictions may affect the pods."
    )
    pod_monitor: Monitor = _group(Monitor, "A PodMonitor for the Prometheus operator.")
    service_monitor: ServiceMonitor = _group(
        ServiceMonitor,
        "A ServiceMonitor for the Prometheus operator, and its Service. Enable only one of the two "
        "monitors.",
    )
    prometheus_rule: PrometheusRule = _group(
        PrometheusRule, "Recording rules and alerts (docs/reference/alerts.md)."
    )
    grafana_dashboard: GrafanaDashboard = _group(
        GrafanaDashboard, "A Grafana dashboard of the operator's metrics."
    )
    extra_objects: list[k8s.AnyObject] = _value(
        [],
        "Additional objects of the release, such as an ExternalSecret, exactly as they are: "
        "nothing in them is a template.",
    )
