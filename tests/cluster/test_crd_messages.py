"""What the newest API server says to an object that the CRDs refuse.

From Kubernetes 1.35 on it quotes a string that a rule refuses, unless the rule has the reason
`FieldValueForbidden`. tests/cluster/test_crds.py asks a whole API server of an older release.
"""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.admission import kubernetes_version, refusals
from support.api_case import Case
from support.api_cases import ACCEPTED, HIDDEN, REFUSED
from support.api_pasted import BESIDE, CANARY, LOGINS, PASTED
from support.control_plane.releases import DEFAULT, NEWEST

pytestmark = pytest.mark.cluster

CRDS = Path(__file__).parents[2] / "crds"


@pytest.fixture(scope="module")
def definitions() -> list[dict[str, Any]]:
    return [yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("artifactindex.dev_*"))]


def answers(definitions: list[dict[str, Any]], cases: list[Case]) -> list[str]:
    return ["\n".join(m) for m in refusals(definitions, [case.document("a") for case in cases])]


def test_it_is_the_newest_release_of_the_tests() -> None:
    assert f"v{kubernetes_version()}" == NEWEST.version != DEFAULT.version


def test_it_accepts_and_refuses_what_the_older_one_does(definitions: list[dict[str, Any]]) -> None:
    assert [said for said in answers(definitions, ACCEPTED) if said] == []
    for case, said in zip(REFUSED, answers(definitions, REFUSED), strict=True):
        assert said != "", case


def test_it_never_prints_a_string_that_may_hold_a_login(definitions: list[dict[str, Any]]) -> None:
    for case, said in zip(HIDDEN, answers(definitions, HIDDEN), strict=True):
        assert f"Forbidden: {case.says}" in said, case
        assert "Invalid value" not in said
        assert "secret@" not in said and "token=secret" not in said, case


def test_it_never_prints_a_login_in_any_field(definitions: list[dict[str, Any]]) -> None:
    """A few fields take any text, such as an audience."""
    said = answers(definitions, PASTED + BESIDE)
    assert all(said[-len(BESIDE) :]) and sum(map(bool, said)) > 0.9 * len(said)
    for case, each in zip(PASTED + BESIDE, said, strict=True):
        assert CANARY not in each, case


def test_without_the_reason_it_would_print_it(definitions: list[dict[str, Any]]) -> None:
    """So these tests can fail."""
    bare = _without_reasons(copy.deepcopy(definitions))
    (said,) = answers(bare, [Case("", "basic", {"basicAuth.url": LOGINS[0]})])
    assert CANARY in said


def _without_reasons(part: Any) -> Any:
    if isinstance(part, dict):
        part.pop("reason", None)
        for each in part.values():
            _without_reasons(each)
    elif isinstance(part, list):
        for each in part:
            _without_reasons(each)
    return part
