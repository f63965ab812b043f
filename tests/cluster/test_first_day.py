"""The mistakes of a first day on a real API server: each answer names object, field, next step."""

import pytest

from support.first_day import MESSAGES, Answer, answers, page_of
from support.first_day.run import says
from support.world import World

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def found(world: World) -> list[Answer]:
    return answers(world)


def test_each_answer_names_object_field_and_next_step(found: list[Answer]) -> None:
    silent = [f"{each.title}: {each.text}" for each in found if not says(each.text, each.says)]
    assert not silent, "\n".join(silent)


def test_the_page_of_messages_is_current(found: list[Answer]) -> None:
    """`PYTHONPATH=operator:tests python -m support.first_day` writes it anew."""
    assert MESSAGES.read_text() == page_of(found)
