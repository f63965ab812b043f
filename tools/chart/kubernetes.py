"""Kubernetes types that the chart's values contain, typed so that Helm rejects misspelt keys.

Field names and shapes follow the Kubernetes API, version 1.34
(https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.34/).
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Quantity = (
    Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$")]
    | int
    | float
)
IntOrString = int | str
Strings = dict[str, str]


class Model(BaseModel):
    """Base model: camelCase keys, unknown keys rejected, optional keys have defaults."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)


class ObjectMetadata(Model):
    """Metadata of any object; only the name is needed."""

    model_config = ConfigDict(extra="allow")

    name: Annotated[str, Field(min_length=1)]


class AnyObject(Model):
    """An object of any kind."""

    model_config = ConfigDict(extra="allow")

    api_version: str
    kind: str
    metadata: ObjectMetadata


class LabelSelectorRequirement(Model):
    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: list[str] = []


class LabelSelector(Model):
    match_labels: Strings = {}
    match_expressions: list[LabelSelectorRequirement] = []


class ResourceClaim(Model):
    name: str
    request: str = ""


class Resources(Model):
    requests: dict[str, Quantity] = {}
    limits: dict[str, Quantity] = {}
    claims: list[ResourceClaim] = []


class Toleration(Model):
    key: str = ""
    operator: Literal["Exists", "Equal", "Lt", "Gt"] = "Equal"
    value: str = ""
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = ""
    toleration_seconds: int = 0


class TopologySpreadConstraint(Model):
    max_skew: Annotated[int, Field(ge=1)]
    topology_key: str
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"]
    label_selector: LabelSelector = LabelSelector()
    match_label_keys: list[str] = []
    min_domains: Annotated[int, Field(ge=1)] = 1
    node_affinity_policy: Literal["Honor", "Ignore"] = "Honor"
    node_taints_policy: Literal["Honor", "Ignore"] = "Ignore"


class NodeSelectorRequirement(Model):
    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    values: list[str] = []


class NodeSelectorTerm(Model):
    match_expressions: list[NodeSelectorRequirement] = []
    match_fields: list[NodeSelectorRequirement] = []


class NodeSelector(Model):
    node_selector_terms: list[NodeSelectorTerm]


class PreferredSchedulingTerm(Model):
    weight: Annotated[int, Field(ge=1, le=100)]
    preference: NodeSelectorTerm


class NodeAffinity(Model):
    required_during_scheduling_ignored_during_execution: NodeSelector | None = None
    preferred_during_scheduling_ignored_during_execution: list[PreferredSchedulingTerm] = []


class PodAffinityTerm(Model):
    topology_key: str
    label_selector: LabelSelector = LabelSelector()
    namespaces: list[str] = []
    namespace_selector: LabelSelector = LabelSelector()
    match_label_keys: list[str] = []
    mismatch_label_keys: list[str] = []


class WeightedPodAffinityTerm(Model):
    weight: Annotated[int, Field(ge=1, le=100)]
    pod_affinity_term: PodAffinityTerm


class PodAffinity(Model):
    required_during_scheduling_ignored_during_execution: list[PodAffinityTerm] = []
    preferred_during_scheduling_ignored_during_execution: list[WeightedPodAffinityTerm] = []


class Affinity(Model):
    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAffinity | None = None


class KeySelector(Model):
    name: str
    key: str
    optional: bool = False


class FieldSelector(Model):
    field_path: str
    api_version: str = "v1"


class ResourceFieldSelector(Model):
    resource: str
    container_name: str = ""
    divisor: Quantity = "1"


class EnvSource(Model):
    config_map_key_ref: KeySelector | None = None
    secret_key_ref: KeySelector | None = None
    field_ref: FieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None


class EnvVar(Model):
    name: Annotated[str, Field(min_length=1)]
    value: str = ""
    value_from: EnvSource | None = None


class LocalName(Model):
    name: Annotated[str, Field(min_length=1)]


class IpBlock(Model):
    cidr: str
    except_: Annotated[list[str], Field(alias="except")] = []


class NetworkPolicyPeer(Model):
    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    ip_block: IpBlock | None = None


class NetworkPolicyPort(Model):
    port: IntOrString
    protocol: Literal["TCP", "UDP", "SCTP"] = "TCP"
    end_port: int = 0


class EgressRule(Model):
    to: list[NetworkPolicyPeer] = []
    ports: list[NetworkPolicyPort] = []


class HostAlias(Model):
    ip: str
    hostnames: list[str]


class DnsOption(Model):
    name: str
    value: str = ""


class DnsConfig(Model):
    nameservers: list[str] = []
    searches: list[str] = []
    options: list[DnsOption] = []


class Relabeling(Model):
    """Of a monitor of the Prometheus operator, version 0.85."""

    source_labels: list[str] = []
    separator: str = ";"
    regex: str = "(.*)"
    modulus: Annotated[int, Field(ge=1)] = 1
    target_label: str = ""
    replacement: str = "$1"
    action: Literal[
        "replace", "keep", "drop", "hashmod", "labelmap", "labeldrop", "labelkeep",
        "lowercase", "uppercase", "keepequal", "dropequal",
        "Replace", "Keep", "Drop", "HashMod", "LabelMap", "LabelDrop", "LabelKeep",
        "Lowercase", "Uppercase", "KeepEqual", "DropEqual",
    ] = "replace"  # fmt: skip
