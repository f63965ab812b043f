"""The heap of what is due when."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_index.credentials.tokens.timers import Timers

pytestmark = pytest.mark.unit


def test_a_key_is_due_once_at_its_latest_time() -> None:
    agenda = Timers()
    agenda.put("a", 10)
    agenda.put("b", 20)
    agenda.put("a", 30)
    assert agenda.next_at() == 20
    assert agenda.take_due(25) == ["b"]
    assert agenda.take_due(29) == []
    assert agenda.take_due(30) == ["a"]
    assert agenda.next_at() == math.inf


def test_a_key_at_infinity_is_off_the_agenda() -> None:
    agenda = Timers()
    agenda.put("a", 10)
    agenda.put("a", math.inf)
    agenda.put("never", math.inf)
    assert agenda.next_at() == math.inf


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 50))))
def test_the_agenda_agrees_with_a_plain_mapping(moves: list[tuple[str, int]]) -> None:
    agenda = Timers()
    plain: dict[str, int] = {}
    for key, at in moves:
        agenda.put(key, at)
        plain[key] = at
    assert agenda.next_at() == min(plain.values(), default=math.inf)
    assert sorted(agenda.take_due(25)) == sorted(key for key, at in plain.items() if at <= 25)


def test_moving_one_key_for_ever_takes_no_memory() -> None:
    agenda = Timers()
    for at in range(10_000):
        agenda.put("a", 10_000 - at)
    assert len(agenda._heap) < 100
