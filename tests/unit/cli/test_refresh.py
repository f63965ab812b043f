"""How a request for new tokens ends, from the object's status."""

from dataclasses import replace
from typing import Any, Final

import pytest

from artifact_index.api.timestamps import format_time
from artifact_index.cli.cluster.objects import Observed, observed
from artifact_index.cli.cluster.refresh import end_of
from support.reconcile_builders import NOW, body_of, source

pytestmark = pytest.mark.unit

AT: Final = int(NOW)
IGNORED: Final = (
    "the index is available. The annotation artifactindex.dev/refresh-requested-at is in the "
    "future and is ignored"
)


def condition(type_: str, reason: str, status: str, message: str) -> dict[str, str]:
    return {
        "type": type_, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    }  # fmt: skip


def an_index(*conditions: dict[str, str], spec: Any = None, **status: Any) -> Observed:
    written = {"observedGeneration": 1, "conditions": list(conditions), **status}
    return observed("ArtifactIndex", body_of("a", spec or source("codeArtifact"), status=written))


AVAILABLE: Final = condition("Ready", "Available", "True", "it is available")


@pytest.mark.parametrize(
    ("handled", "ends"), [(None, False), (AT - 1, False), (AT, True), (AT + 1, True)]
)
def test_a_request_of_that_time_or_later_is_fulfilled(handled: int | None, ends: bool) -> None:
    status = {} if handled is None else {"lastHandledRefreshAt": format_time(handled)}
    until = format_time(NOW + 7200)
    before = an_index(AVAILABLE)
    each = an_index(AVAILABLE, credential={"expiresAt": until}, **status)

    end = end_of(each, before, AT, NOW + 61)

    if not ends:
        assert end is None
        return
    assert end is not None
    assert (end.outcome, end.expires_at) == ("Refreshed", until)
    assert end.message == f"refreshed in 1m1s, good until {until}"


@pytest.mark.parametrize("echo", ["tomorrow", "2026-01-02T03:04:05", 7, ["x"]])
def test_an_echo_that_is_no_time_ends_nothing(echo: object) -> None:
    assert end_of(an_index(AVAILABLE, lastHandledRefreshAt=echo), an_index(), AT, NOW) is None


def failing(message: str) -> list[dict[str, str]]:
    return [AVAILABLE, condition("RefreshFailing", "AccessDenied", "True", message)]


def stalled(message: str) -> list[dict[str, str]]:
    return [condition("Ready", "AccessDenied", "False", message)]


@pytest.mark.parametrize("conditions", [failing, stalled])
def test_a_new_refusal_ends_it_and_a_former_one_may_be_history(conditions: Any) -> None:
    former, now = an_index(*conditions("request 1")), an_index(*conditions("request 2"))

    assert end_of(former, former, AT, NOW) is None
    end = end_of(now, former, AT, NOW)
    assert end is not None and end.outcome == "Refused"
    assert end.message == (
        "AccessDenied: request 2; more: `artifact-index why -n builders a`"
    )  # fmt: skip


def refused(conditions: list[dict[str, str]], at: int = AT) -> Observed:
    return an_index(*conditions, lastRefusedRefreshAt=format_time(at))


@pytest.mark.parametrize("conditions", [failing, stalled])
def test_what_failed_before_is_the_answer_once_the_operator_tried_again(conditions: Any) -> None:
    former = an_index(*conditions("as ever"))

    assert end_of(refused(conditions("as ever"), AT - 1), former, AT, NOW) is None
    end = end_of(refused(conditions("as ever")), former, AT, NOW)

    assert end is not None and end.outcome == "Refused"
    assert end.message.startswith("AccessDenied: as ever; more: ")


def test_an_outage_is_waited_out_although_it_refused_the_request() -> None:
    throttled = [condition("Ready", "CloudThrottled", "False", "slow down")]

    assert end_of(refused(throttled), an_index(*throttled), AT, NOW) is None


def test_a_new_token_does_not_mend_an_index_that_is_not_ready() -> None:
    handled = {"lastHandledRefreshAt": format_time(AT)}

    end = end_of(an_index(*stalled("no URL"), **handled), an_index(AVAILABLE), AT, NOW)
    assert end is not None and end.outcome == "Refused" and "no URL" in end.message


def test_what_the_operator_tries_again_is_waited_for() -> None:
    throttled = condition("Ready", "Throttled", "False", "slow down")

    assert end_of(an_index(throttled), an_index(AVAILABLE), AT, NOW) is None


@pytest.mark.parametrize(
    ("each", "says"),
    [
        (an_index(condition("Ready", "NotSelected", "True", "none selects it")), "NotSelected: no"),
        (an_index(condition("Ready", "Available", "True", IGNORED)), "set the clock of this"),
        (
            an_index(AVAILABLE, spec={**source("codeArtifact"), "suspend": True}),
            "`artifact-index resume -n builders a`, then",
        ),
    ],
    ids=["not selected", "a clock ahead", "suspended"],
)
def test_what_no_waiting_ends(each: Observed, says: str) -> None:
    end = end_of(each, an_index(AVAILABLE), AT, NOW)

    assert end is not None and end.outcome == "Refused"
    assert says in end.message


def test_a_note_on_a_former_request_ends_nothing() -> None:
    each = an_index(condition("Ready", "Available", "True", IGNORED))

    assert end_of(each, each, AT, NOW) is None


def test_a_status_of_another_spec_refuses_nothing() -> None:
    each = replace(an_index(condition("Ready", "NotSelected", "True", "none")), generation=2)

    assert end_of(each, an_index(AVAILABLE), AT, NOW) is None
