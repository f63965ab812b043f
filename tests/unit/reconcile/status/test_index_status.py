"""The status of an ArtifactIndex: URL, times, notes, and an index that nobody selects."""

import json
from dataclasses import replace
from typing import Any

import pytest

from artifact_index.api.reasons import Reason
from artifact_index.reconcile.resolve.resolution import SelectedIndex
from artifact_index.reconcile.status.index_status import index_status, unselected_status
from artifact_index.sources.policy import Problem
from support.reconcile_builders import (
    CANARY,
    HOUR,
    NOW,
    POLICY,
    SOURCES,
    index,
    index_of,
    index_state,
    issued_token,
    login_error,
    plans_from,
    source,
    token_state_of,
)
from support.statuses import (
    ACT,
    BASIC,
    DENIED,
    DOWN,
    GAR,
    GOOD,
    fallback_of,
    message_of,
    plan_of,
    reported,
    status_of,
)

pytestmark = pytest.mark.unit


def test_a_served_index_tells_its_url_and_times() -> None:
    status = index_status(index_of(GOOD), GOOD, NOW)
    assert reported(status) == {"Ready": "True Available"}
    assert status["url"] == "https://europe-west1-python.pkg.dev/my-project/python/simple/"
    assert status["credential"]["expiresAt"] == "2027-01-15T20:00:00Z"
    assert status["credential"]["refreshAt"] < "2027-01-15T20:00:00Z"


@pytest.mark.parametrize("kind", SOURCES)
def test_a_status_never_holds_a_credential(kind: str) -> None:
    one = plan_of("acme", source(kind))
    text = json.dumps([index_status(index_of(one), one, NOW), status_of(one)])
    assert CANARY not in text and "token-1" not in text


def test_of_a_preauthenticated_url_only_scheme_and_host_are_shown() -> None:
    one = plan_of("acme", source("preauthenticated"))
    assert index_status(index_of(one), one, NOW)["url"] == "https://whole.example"


def test_a_value_that_looks_like_a_slip_is_served_and_named() -> None:
    values = {"username": "builder", "password": f"'{CANARY}'"}
    one = plan_of("acme", source("basicAuth"), values=values)
    status = index_status(index_of(one), one, NOW)
    assert reported(status) == {"Ready": "True Available"}
    message = message_of(status, "Ready")
    assert "key 'password' of Secret 'basic'" in message and "quotes around it" in message
    assert CANARY not in message


@pytest.mark.parametrize("kind", ["googleArtifactRegistry", "basicAuth", "anonymous"])
def test_the_url_is_shown_also_where_the_login_fails(kind: str) -> None:
    spec, strict = source(kind), replace(POLICY, missing_secret_grace=0)
    one = plan_of("acme", spec, missing=True, policy=strict)
    good = plan_of("acme", spec)
    assert (
        index_status(index_of(one), one, NOW)["url"]
        == index_status(index_of(good), good, NOW)["url"]
    )


def test_a_login_without_known_expiry_has_no_times() -> None:
    one = plan_of("acme", BASIC)
    assert "credential" not in index_status(index_of(one), one, NOW)


@pytest.mark.parametrize(("how", "reason"), [(DENIED, "AccessDenied"), (DOWN, "CloudUnavailable")])
def test_a_failing_refresh_stands_beside_ready(how: dict[str, Any], reason: str) -> None:
    one = fallback_of("acme", GAR, **how)
    status = index_status(index_of(one), one, NOW)
    assert reported(status) == {"Ready": "True Available", "RefreshFailing": reason}
    assert "until 2027-01-15T20:00:00Z" in message_of(status, "RefreshFailing")
    assert status["credential"]["expiresAt"] == "2027-01-15T20:00:00Z"


def test_a_lease_that_fails_behind_its_own_token_is_a_failing_refresh() -> None:
    one = plan_of("acme", GAR, token=token_state_of(issued_token(), error=login_error()))
    assert reported(index_status(index_of(one), one, NOW)) == {
        "Ready": "True Available",
        "RefreshFailing": "CloudUnavailable",
    }


@pytest.mark.parametrize(
    ("at", "word"), [(NOW + 12 * HOUR - 155, "withdrawn"), (NOW + 12 * HOUR, "expired")]
)
@pytest.mark.parametrize(
    ("reason", "beside"),
    [(Reason.ACCESS_DENIED, "Stalled"), (Reason.CLOUD_UNAVAILABLE, "Reconciling")],
)
def test_a_token_that_died_says_when_and_why(
    at: int, word: str, reason: Reason, beside: str
) -> None:
    token_state = token_state_of(issued_token(), error=login_error(reason), now=at)
    one = plan_of("acme", GAR, token=token_state, now=at)
    status = index_status(index_of(one), one, at)
    assert reported(status) == {"Ready": "False CredentialExpired", beside: "CredentialExpired"}
    for part in (word, "2027-01-15T20:00:00Z", f"the cloud said {reason}", "'gcp-key'"):
        assert part in message_of(status)


def test_a_derived_name_comes_with_how_to_pin_it() -> None:
    (derived,) = plans_from(index_state(index("acme", source("anonymous"))))
    assert "'open'" in message_of(index_status(index_of(derived), derived, NOW))
    assert "spec.name" in message_of(index_status(index_of(derived), derived, NOW))
    assert "spec.name" not in message_of(index_status(index_of(GOOD), GOOD, NOW))


def test_an_index_that_nobody_selects_is_ready_and_says_so() -> None:
    status = unselected_status(index(), None, NOW)
    assert reported(status) == {"Ready": "True NotSelected"}
    assert "spec.indexSelector" in message_of(status)
    assert "url" not in status


def test_an_index_that_nobody_selects_is_checked_as_far_as_its_spec_goes() -> None:
    problem = Problem(Reason.INSECURE_URL, "x")
    assert reported(unselected_status(index(), problem, NOW)) == {
        "Ready": "False InsecureURL",
        "Stalled": "InsecureURL",
    }


@pytest.mark.parametrize("selected", [True, False])
@pytest.mark.parametrize("ready", ["True", "False"])
def test_a_suspended_index_keeps_its_last_ready(ready: str, selected: bool) -> None:
    one = GOOD if ready == "True" else ACT
    before = index_status(index_of(one), one, NOW)
    record = index("acme", {**GAR, "suspend": True}, status=before)
    later = replace(one, selected=SelectedIndex.of(record))
    after = index_status(record, later, NOW) if selected else unselected_status(record, None, NOW)
    assert reported(after) == {"Ready": f"{ready} Suspended"}
    assert after.get("credential") == before.get("credential")


def test_a_token_that_is_too_short_is_said_with_the_numbers_on_both_kinds() -> None:
    short = plan_of("short", GAR, token=token_state_of(issued_token(life=HOUR)), max_build=3600)
    assert short.ready
    for status in (status_of(short), index_status(index_of(short), short, NOW)):
        assert reported(status) == {
            "Ready": "True Available",
            "FreshnessNotGuaranteed": "TokenTooShort",
        }
        assert "1h" in message_of(status, "FreshnessNotGuaranteed")


def test_a_token_that_is_handed_out_again_is_no_promise() -> None:
    repeated = plan_of("metadata", GAR, token=token_state_of(issued_token(), repeats=True))
    assert "FreshnessNotGuaranteed" in reported(index_status(index_of(repeated), repeated, NOW))


def test_a_promise_that_can_be_kept_is_not_spoken_of() -> None:
    assert "FreshnessNotGuaranteed" not in reported(status_of(GOOD))
