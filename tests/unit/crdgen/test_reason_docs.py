"""The docs of reasons are complete."""

import pytest

from artifact_index.api import conditions as types
from artifact_index.api.reasons import Polarity, Reason
from artifact_index.crdgen.reason_docs import CONDITIONS_OF, REASONS

pytestmark = pytest.mark.unit


def test_there_is_nothing_but_reasons_in_the_docs() -> None:
    assert set(REASONS) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_has_a_name_a_meaning_and_a_remedy(reason: Reason) -> None:
    doc = REASONS[reason]
    assert reason.isidentifier() and reason[0].isupper()
    assert doc.kinds and reason.polarity in CONDITIONS_OF
    assert doc.meaning.endswith(".") and doc.remedy.endswith(".")


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_names_the_conditions_that_can_have_it(reason: Reason) -> None:
    doc = REASONS[reason]
    documented = doc.condition in types.CONDITION_MEANINGS
    assert documented or (doc.condition is None and reason.polarity is not Polarity.NOTE)
    assert doc.stalled_after_seconds is None or reason.polarity is Polarity.RETRY
