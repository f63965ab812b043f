"""Volumes of a pod, typed as in `kubernetes`: those that Pod Security `restricted` allows."""

from typing import Annotated, Literal

from pydantic import Field
from tools.chart.kubernetes import (
    FieldSelector,
    LabelSelector,
    LocalName,
    Model,
    Quantity,
    ResourceFieldSelector,
    Strings,
)


class KeyToPath(Model):
    key: str
    path: str
    mode: int = 0o440


class ConfigMapVolume(Model):
    name: str
    items: list[KeyToPath] = []
    default_mode: int = 0o440
    optional: bool = False


class SecretVolume(Model):
    secret_name: str
    items: list[KeyToPath] = []
    default_mode: int = 0o440
    optional: bool = False


class ProjectedObject(Model):
    name: str
    items: list[KeyToPath] = []
    optional: bool = False


class ServiceAccountToken(Model):
    path: str
    audience: str = ""
    expiration_seconds: Annotated[int, Field(ge=600)] = 3600


class DownwardFile(Model):
    path: str
    field_ref: FieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    mode: int = 0o440


class DownwardItems(Model):
    items: list[DownwardFile] = []


class ClusterTrustBundle(Model):
    path: str
    name: str = ""
    signer_name: str = ""
    label_selector: LabelSelector = LabelSelector()
    optional: bool = False


class ProjectedSource(Model):
    config_map: ProjectedObject | None = None
    secret: ProjectedObject | None = None
    service_account_token: ServiceAccountToken | None = None
    downward_api: Annotated[DownwardItems | None, Field(alias="downwardAPI")] = None
    cluster_trust_bundle: ClusterTrustBundle | None = None


class ProjectedVolume(Model):
    sources: list[ProjectedSource]
    default_mode: int = 0o440


class DownwardVolume(Model):
    items: list[DownwardFile]
    default_mode: int = 0o440


class EmptyDirVolume(Model):
    medium: Literal["", "Memory"] = ""
    size_limit: Quantity = ""


class CsiVolume(Model):
    driver: str
    fs_type: str = ""
    read_only: bool = False
    volume_attributes: Strings = {}
    node_publish_secret_ref: LocalName | None = None


class ClaimVolume(Model):
    claim_name: str
    read_only: bool = False


class Volume(Model):
    name: str
    config_map: ConfigMapVolume | None = None
    secret: SecretVolume | None = None
    projected: ProjectedVolume | None = None
    downward_api: Annotated[DownwardVolume | None, Field(alias="downwardAPI")] = None
    empty_dir: EmptyDirVolume | None = None
    csi: CsiVolume | None = None
    persistent_volume_claim: ClaimVolume | None = None


class VolumeMount(Model):
    name: str
    mount_path: str
    read_only: bool = False
    recursive_read_only: Literal["Disabled", "IfPossible", "Enabled"] = "Disabled"
    sub_path: str = ""
    sub_path_expr: str = ""
    mount_propagation: Literal["None", "HostToContainer"] = "None"
