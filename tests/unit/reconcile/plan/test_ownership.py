"""Which object of an output's name may be written: the whole matrix."""

from typing import Any

import pytest

from artifact_index.api.constants import ADOPT_ANNOTATION, OWNER_ANNOTATION, OWNER_UID_ANNOTATION
from artifact_index.reconcile.plan.ownership import belongs_to, ownership_problem
from support.reconcile_builders import OPTIONS_UID, controller_of, options, output

pytestmark = pytest.mark.unit

LIVING = frozenset({"uid-of-other", options().uid})
DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "uv-config",
              "uid": OPTIONS_UID, "controller": True}  # fmt: skip
OTHER_GROUP = {**controller_of(), "apiVersion": "example.com/v1"}
NO_CONTROLLER = {key: value for key, value in controller_of().items() if key != "controller"}


def marks(name: str = "uv-config", uid: str = OPTIONS_UID, **more: str) -> dict[str, str]:
    return {OWNER_ANNOTATION: name, OWNER_UID_ANNOTATION: uid, **more}


ADOPT = {ADOPT_ANNOTATION: "uv-config"}

# What the object carries; the reason (None: it may be written); a part of the message.
MATRIX: dict[str, tuple[dict[str, Any], str | None, str]] = {
    "ours by reference": ({"controller": controller_of()}, None, ""),
    "ours by reference, label lost": (
        {"controller": controller_of(), "labelled": False}, None, ""),
    "another IndexOptions' by reference": (
        {"controller": controller_of("other", "uid-of-other")}, "TargetNotOwned", "'other'"),
    "an older UID of the same name": (
        {"controller": controller_of(uid="older")}, "WaitingForDeletion", "earlier"),
    "a Deployment of the same name and UID": (
        {"controller": DEPLOYMENT}, "TargetNotOwned", "another object"),
    "an IndexOptions of another group": (
        {"controller": OTHER_GROUP}, "TargetNotOwned", "another object"),
    "a foreign controller beside our marks": (
        {"controller": DEPLOYMENT, "annotations": marks()}, "TargetNotOwned", "another object"),
    "a foreign controller that asks for adoption": (
        {"controller": DEPLOYMENT, "annotations": ADOPT}, "TargetNotOwned", "another object"),
    "ours by marks": ({"annotations": marks()}, None, ""),
    "our marks beside a reference that is no controller": (
        {"annotations": marks(), "controller": NO_CONTROLLER}, None, ""),
    "another living IndexOptions' by marks": (
        {"annotations": marks("other", "uid-of-other")}, "TargetNotOwned", "'other'"),
    "another living one's, asked for": (
        {"annotations": marks("other", "uid-of-other", **ADOPT)}, "TargetNotOwned", "'other'"),
    "a living one's marks under our name": (
        {"annotations": marks(uid="uid-of-other")}, "TargetNotOwned", "'uv-config'"),
    "an orphan of our name": ({"annotations": marks(uid="gone")}, None, ""),
    "an orphan of another name": (
        {"annotations": marks("gone", "gone")}, "TargetNotOwned", f"{ADOPT_ANNOTATION}=uv-config"),
    "an orphan of another name, handed over": (
        {"annotations": marks("gone", "gone", **ADOPT)}, None, ""),
    "marks without the label": (
        {"annotations": marks(), "labelled": False}, "TargetNotOwned", ADOPT_ANNOTATION),
    "the label without marks": ({}, "TargetNotOwned", ADOPT_ANNOTATION),
    "somebody's own": (
        {"labelled": False}, "TargetNotOwned", f"{ADOPT_ANNOTATION}=uv-config"),
    "somebody's own, handed over": ({"labelled": False, "annotations": ADOPT}, None, ""),
    "somebody's own, handed to another": (
        {"labelled": False, "annotations": {ADOPT_ANNOTATION: "other"}}, "TargetNotOwned", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", MATRIX)
@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
def test_an_object_is_written_only_where_it_is_ours(case: str, kind: str) -> None:
    how, reason, part = MATRIX[case]
    problem = ownership_problem(output(kind=kind, **how), options(), LIVING)
    if reason is None:
        assert problem is None
        return
    assert problem is not None
    assert (problem.reason, problem.stalled) == (reason, reason == "TargetNotOwned")
    assert f"{kind} 'uv-config'" in problem.message and part in problem.message


OWN = {
    "ours by reference": True,
    "ours by reference, label lost": True,
    "ours by marks": True,
    "our marks beside a reference that is no controller": True,
}


@pytest.mark.parametrize("case", MATRIX)
def test_only_what_is_this_very_ones_is_taken_away(case: str) -> None:
    # An adopted or orphaned object becomes ours by being written first.
    assert belongs_to(output(**MATRIX[case][0]), options()) is OWN.get(case, False)
