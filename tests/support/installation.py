"""What the chart gives the operator, applied without Helm's own bookkeeping."""

from collections.abc import Mapping
from typing import Any

import yaml

from support.chart import render
from support.control_plane import ControlPlane
from support.operator_process import OPERATOR_NAMESPACE

RBAC_KINDS = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")


def granted_by_chart(
    values: Mapping[str, Any] | None = None, *, namespace: str = OPERATOR_NAMESPACE
) -> list[dict[str, Any]]:
    """The ServiceAccount, roles and bindings that the chart renders for a release."""
    return [
        manifest
        for manifest in render(values, namespace=namespace)
        if manifest["kind"] in RBAC_KINDS
    ]


def roles_of(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The operator's roles among rendered objects, without those that people are bound to."""
    bound = {
        item["roleRef"]["name"]
        for item in objects
        if item["kind"] in ("ClusterRoleBinding", "RoleBinding")
    }
    return [
        item
        for item in objects
        if item["kind"] in ("ClusterRole", "Role") and item["metadata"]["name"] in bound
    ]


def install(plane: ControlPlane, *objects: Mapping[str, Any]) -> None:
    """Apply rendered objects."""
    plane.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(objects))
