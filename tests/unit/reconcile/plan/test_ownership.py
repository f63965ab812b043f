"""Which object of an output's name may be written: the whole matrix."""

from typing import Any

import pytest

from artifact_index.api.constants import ADOPT_ANNOTATION, OWNER_ANNOTATION, OWNER_UID_ANNOTATION
from artifact_index.reconcile.plan.ownership import belongs_to, is_adoption, ownership_problem
from support.output_builders import controller_of, output
from support.reconcile_builders import OPTIONS_UID, options

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
    "ours by reference, immutable": ({"controller": controller_of(), "immutable": True}, None, ""),
    "an orphan of our name, immutable": (
        {"annotations": marks(uid="gone"), "immutable": True}, None, ""),
    "somebody's own, immutable and handed over": (
        {"labelled": False, "annotations": ADOPT, "immutable": True},
        "TargetUnusable", "is immutable"),
    "somebody's own, immutable": (
        {"labelled": False, "immutable": True}, "TargetNotOwned", ADOPT_ANNOTATION),
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
    assert (problem.reason, problem.stalled) == (reason, reason != "WaitingForDeletion")
    assert f"{kind} 'uv-config'" in problem.message and part in problem.message


OWN = {
    "ours by reference": True,
    "ours by reference, label lost": True,
    "ours by reference, immutable": True,
    "ours by marks": True,
    "our marks beside a reference that is no controller": True,
}


@pytest.mark.parametrize("case", MATRIX)
def test_only_what_is_this_very_ones_is_taken_away(case: str) -> None:
    # An adopted or orphaned object becomes ours by being written first.
    assert belongs_to(output(**MATRIX[case][0]), options()) is OWN.get(case, False)


@pytest.mark.parametrize("case", [case for case, (_, reason, _) in MATRIX.items() if not reason])
def test_only_an_opaque_secret_is_written(case: str) -> None:
    how = {**MATRIX[case][0], "type": "kubernetes.io/tls"}
    problem = ownership_problem(output(**how), options(), LIVING)
    assert problem is not None and problem.stalled
    assert problem.reason == "TargetUnusable"
    assert "'kubernetes.io/tls'" in problem.message and "delete it" in problem.message


def test_a_long_type_does_not_fill_the_message() -> None:
    existing = output(controller=controller_of(), type="x" * 100_000)
    problem = ownership_problem(existing, options(), LIVING)
    assert problem is not None and len(problem.message) < 500


ADOPTIONS = {
    "an orphan of another name, handed over",
    "somebody's own, handed over",
    "somebody's own, immutable and handed over",
}


@pytest.mark.parametrize("case", MATRIX)
def test_an_adoption_is_of_what_was_never_an_output_of_this_name(case: str) -> None:
    existing = output(**MATRIX[case][0])
    adopted = ownership_problem(existing, options(), LIVING) is None
    assert (adopted and is_adoption(existing, options())) is (
        case in ADOPTIONS and not existing.immutable
    )
