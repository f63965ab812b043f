"""Outputs, login requests, metrics, settings and CRDs are those of commit 35e183e.

Whoever upgrades has outputs that the older version wrote, and dashboards, flags and objects that
rely on names. `PYTHONPATH=operator:tests python -m support.frozen write` writes the files in
tests/golden/frozen anew; a difference needs a reason that users can be told.
"""

from typing import Any

import pytest

from support.frozen.files import FOLDER, INTERFACE, frozen, path_of
from support.frozen.lives import OBJECTS, Cluster
from support.frozen.stages import STAGES, Stage, outputs_by_stage

pytestmark = pytest.mark.unit

MAY_GROW = ("metrics", "settings", "reasons")
"""What may get new names, as long as it keeps those that there are."""


@pytest.fixture(scope="module")
def outputs() -> dict[str, Any]:
    return outputs_by_stage()


@pytest.mark.parametrize("stage", [stage.name for stage in STAGES])
def test_outputs_and_their_annotations_are_the_same(stage: str, outputs: dict[str, Any]) -> None:
    assert outputs[stage] == frozen(f"outputs-{stage}")


def test_a_restart_at_any_stage_leaves_the_outputs_and_mints_nothing() -> None:
    def restart(cluster: Cluster, stage: Stage) -> None:
        before, granted = cluster.versions(), cluster.granted
        cluster.live(stage.at, stage.refuses)
        assert cluster.versions() == before, stage.name
        assert cluster.granted == granted, stage.name

    outputs_by_stage(restart)


@pytest.mark.parametrize("name", [name for name in INTERFACE if name not in MAY_GROW])
def test_the_interface_is_the_same(name: str) -> None:
    assert INTERFACE[name]() == frozen(name)


@pytest.mark.parametrize("name", MAY_GROW)
def test_each_name_is_still_there_and_means_the_same(name: str) -> None:
    now, before = INTERFACE[name](), frozen(name)
    assert {each: now.get(each) for each in before} == before


def test_nothing_else_is_frozen() -> None:
    stages = [f"outputs-{stage.name}" for stage in STAGES]
    assert set(FOLDER.iterdir()) == {OBJECTS, *map(path_of, [*stages, *INTERFACE])}
