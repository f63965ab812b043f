"""`kind-config.yaml` by kind itself, up to where containers would have to run."""

from pathlib import Path

import pytest
import yaml

from support import kind

pytestmark = pytest.mark.unit

CONFIG = Path(__file__).parents[3] / "kind-config.yaml"
CONTROL_PLANE = "artifact-index-control-plane"
WORKER = "artifact-index-worker"


def test_kind_plans_two_nodes_that_both_take_pods(kind_built: None, tmp_path: Path) -> None:
    plan = kind.plan(CONFIG, tmp_path)
    assert plan.roles == {CONTROL_PLANE: "control-plane", WORKER: "worker"}, plan.output
    assert set(plan.kubeadm) == set(plan.roles), plan.output
    (init,) = [each for each in plan.kubeadm[CONTROL_PLANE] if each["kind"] == "InitConfiguration"]
    # Absent, kubeadm would keep pods away.
    assert init["nodeRegistration"]["taints"] == []
    (join,) = [each for each in plan.kubeadm[WORKER] if each["kind"] == "JoinConfiguration"]
    assert "controlPlane" not in join
    assert "taints" not in join["nodeRegistration"]


@pytest.mark.parametrize(
    ("edit", "says"),
    [({"nodez": []}, "nodez"), ({"nodes": [{"role": "leader"}]}, "leader")],
    ids=["field", "role"],
)
def test_a_mistake_would_be_noticed(
    kind_built: None, tmp_path: Path, edit: dict[str, object], says: str
) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(yaml.safe_dump(yaml.safe_load(CONFIG.read_text()) | edit))
    plan = kind.plan(wrong, tmp_path)
    assert says in plan.output
    assert plan.kubeadm == {}
