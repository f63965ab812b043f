"""Views: what the leases of an index's login mean for it now."""

from dataclasses import replace
from typing import Any

import pytest

from artifact_index.api.reasons import Reason
from artifact_index.credentials.tokens.freshness import schedule
from artifact_index.reconcile.resolve.token_view import IndexState
from artifact_index.sources.policy import Problem
from support.plan_cases import MINTED
from support.reconcile_builders import (
    DIGESTER,
    HOUR,
    MARGINS,
    NOW,
    POLICY,
    SOURCES,
    index,
    index_state,
    issued_token,
    login_error,
    source,
    token_state_of,
    url_state,
)

pytestmark = pytest.mark.unit

GAR = index(spec=source("googleArtifactRegistry"))
CODE_ARTIFACT = index(spec=source("codeArtifact"))
LIFE = 12 * HOUR


def problem_of(seen: IndexState) -> Problem:
    assert seen.problem is not None
    return seen.problem


@pytest.mark.parametrize("kind", SOURCES)
def test_a_login_that_can_be_had_is_no_problem(kind: str) -> None:
    seen = index_state(index(spec=source(kind)))
    assert seen.problem is None and seen.url is not None and seen.pending_since is None
    assert (seen.refresh_at is not None) is (kind in MINTED)


@pytest.mark.parametrize(
    ("after", "reason"),
    [(0, None), (LIFE - 156, None), (LIFE - 155, "CredentialExpired"), (LIFE, "CredentialExpired")],
)
def test_a_token_is_a_credential_until_its_withdrawal(after: int, reason: str | None) -> None:
    now = NOW + after
    seen = index_state(GAR, token=token_state_of(issued_token(), now=now), now=now)
    assert (seen.problem.reason if seen.problem else None) == reason
    assert (seen.credential is None) is (reason is not None)


def test_the_user_is_the_sources_or_else_the_answers() -> None:
    held = token_state_of(replace(issued_token(), username="ci"))
    for kind, user in {
        "googleArtifactRegistry": "oauth2accesstoken",
        "tokenExchange": "ci",
    }.items():
        credential = index_state(index(spec=source(kind)), token=held).credential
        assert credential is not None and credential.username == user


def test_a_first_answer_is_waited_for() -> None:
    seen = index_state(GAR, token=token_state_of(pending_since=NOW - 3))
    assert problem_of(seen).reason == "MintingCredential" and not problem_of(seen).stalled
    assert seen.pending_since == NOW - 3


def test_the_earlier_of_two_first_answers_counts() -> None:
    seen = index_state(
        CODE_ARTIFACT,
        token=token_state_of(pending_since=NOW - 3),
        endpoint=url_state(pending_since=NOW - 5),
    )
    assert seen.pending_since == NOW - 5


@pytest.mark.parametrize(
    ("reason", "stalled"), [(Reason.ACCESS_DENIED, True), (Reason.CLOUD_UNAVAILABLE, False)]
)
@pytest.mark.parametrize("what", ["token", "endpoint"])
def test_a_refusal_names_the_secret_that_logged_in(
    what: str, reason: Reason, stalled: bool
) -> None:
    make = token_state_of if what == "token" else url_state
    how: dict[str, Any] = {what: make(error=login_error(reason))}
    problem = problem_of(index_state(CODE_ARTIFACT, **how))
    assert (problem.reason, problem.stalled) == (reason, stalled)
    for part in ("the cloud said", "'aws-key'", "spec.codeArtifact.auth.secretRef"):
        assert part in problem.message


def test_the_operators_own_login_names_no_secret() -> None:
    record = index(spec=source("googleArtifactRegistry", auth=None))
    problem = problem_of(index_state(record, token=token_state_of(error=login_error())))
    assert problem.message == "the cloud said CloudUnavailable"


def test_an_error_behind_a_live_token_is_a_failing_refresh() -> None:
    seen = index_state(GAR, token=token_state_of(issued_token(), error=login_error()))
    assert seen.problem is None
    assert seen.failing is not None and seen.failing.reason == "CloudUnavailable"


def test_a_token_alone_is_no_login_without_the_url() -> None:
    seen = index_state(CODE_ARTIFACT, endpoint=url_state(error=login_error()))
    assert problem_of(seen).reason == "CloudUnavailable" and seen.url is None
    assert seen.failing is None and seen.shortfall is None


ANSWERS = {
    "no URL": ("acme.example/pypi", False, "CloudUnavailable"),
    "a line break": ("https://acme.example/\n", False, "CloudUnavailable"),
    "http": ("http://acme.example/", True, "InsecureURL"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_an_endpoint_that_cannot_be_used_is_not_used(case: str) -> None:
    answer, stalled, reason = ANSWERS[case]
    seen = index_state(CODE_ARTIFACT, endpoint=url_state(answer))
    problem = problem_of(seen)
    assert (problem.reason, problem.stalled, seen.url) == (reason, stalled, None)
    assert "GetRepositoryEndpoint" in problem.message and answer not in problem.message


def test_an_http_endpoint_is_used_where_the_administrator_allows_it() -> None:
    allowed = replace(POLICY, allow_http=True)
    endpoint = url_state("http://acme.example/")
    assert (
        index_state(CODE_ARTIFACT, endpoint=endpoint, policy=allowed).url
        == "http://acme.example/simple/"
    )


@pytest.mark.parametrize("max_build", [0, 1800, 6 * HOUR])
def test_the_refresh_follows_from_these_builds_and_the_login_alone(max_build: int) -> None:
    seen = index_state(GAR, max_build=max_build)
    assert seen.token_digest is not None
    expected = schedule(
        login_digest=seen.token_digest,
        issued_at=NOW,
        expires_at=NOW + LIFE,
        max_build=max_build,
        margins=MARGINS,
    )
    assert seen.refresh_at == expected.refresh_at


def test_without_a_secret_output_no_token_is_looked_at() -> None:
    seen = index_state(GAR, with_credentials=False)
    assert (seen.problem, seen.token, seen.token_digest) == (None, None, None)
    assert seen.url is not None


def test_the_digests_are_those_of_the_requests() -> None:
    seen = index_state(CODE_ARTIFACT)
    assert seen.login is not None and seen.login.token and seen.login.endpoint
    assert seen.token_digest == DIGESTER.request(seen.login.token)
    assert seen.endpoint_digest == DIGESTER.request(seen.login.endpoint)


def test_a_view_never_shows_its_credential() -> None:
    assert "token-1" not in repr(index_state(GAR))


@pytest.mark.parametrize(
    ("spec", "still"),
    [
        (source("anonymous"), False),
        ({**source("anonymous"), "suspend": True}, True),
        ({**source("anonymous"), "priority": "x"}, True),
    ],
)
def test_a_suspended_or_unreadable_index_stands_still(spec: dict[str, Any], still: bool) -> None:
    assert index_state(index(spec=spec)).stands_still is still
