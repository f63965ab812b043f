"""A real Kubernetes control plane for tests, the demo and the benchmark, without containers.

with ControlPlane() as plane:
    plane.apply_crds(Path("crds"))
    kubeconfig = plane.kubeconfig_for("team", "builder")
"""

from support.control_plane.audit import AuditEvent, service_account_user
from support.control_plane.errors import ControlPlaneFailed, ControlPlaneUnavailable
from support.control_plane.plane import ControlPlane
from support.control_plane.processes import wait_until
from support.control_plane.request_counts import RequestKey

__all__ = [
    "AuditEvent",
    "ControlPlane",
    "ControlPlaneFailed",
    "ControlPlaneUnavailable",
    "RequestKey",
    "service_account_user",
    "wait_until",
]
