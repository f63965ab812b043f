"""Fallbacks: a published login stands in for one that is unavailable, and never elsewhere."""

from dataclasses import replace
from typing import Any

import pytest

from artifact_index.api.reasons import Reason
from artifact_index.reconcile.plan.fallback import Published, first_withdrawal
from support.plan_cases import MINTED, STATIC, again, is_blocked, only, published_by, text_of
from support.reconcile_builders import (
    CANARY,
    HOUR,
    MARGINS,
    NOW,
    POLICY,
    SECRET_OF,
    SECRETS,
    SOURCES,
    index,
    index_state,
    inputs_of,
    issued_token,
    login_error,
    plans_from,
    source,
    token_state_of,
    url_state,
)

pytestmark = pytest.mark.unit

LIFE = 12 * HOUR
WITHDRAWAL = NOW + LIFE - 155  # P + e before the expiry
NO_CONSENT = replace(POLICY, operator_identity=False)
SUSPENDED = {"suspend": True}


def test_the_builders_name_every_secret() -> None:
    # A guard of the tests above: a missing Secret must be what makes their sources fail.
    for kind, name in SECRET_OF.items():
        use = inputs_of(index(spec=source(kind))).use
        assert use is not None and use.name == name


def test_the_first_withdrawal_is_that_of_the_shortest_token() -> None:
    def with_life(name: str, life: int) -> dict[str, Published]:
        return published_by(
            index(name, source("codeArtifact")), token=token_state_of(issued_token(life=life))
        )

    served = {**with_life("a", 12 * HOUR), **with_life("b", HOUR), **published_by(index("c"))}
    assert first_withdrawal(served, MARGINS) == NOW + HOUR - 155
    assert first_withdrawal(published_by(index("c")), MARGINS) is None


def failing(kind: str) -> dict[str, dict[str, Any]]:
    """Ways in which a source of this kind cannot be had now."""
    ways: dict[str, dict[str, Any]] = {
        "Secret missing": {"missing": True},
        "key missing": {"values": {"other": "x"}},
    }
    if kind not in SECRET_OF:
        del ways["key missing"]
    if kind in MINTED:
        ways["login denied"] = {"token": token_state_of(error=login_error(Reason.ACCESS_DENIED))}
        ways["cloud down"] = {"token": token_state_of(error=login_error())}
        ways["no answer yet"] = {"token": token_state_of(pending_since=NOW)}
        ways["Secret gone for long"] = {"missing": True, "missing_for": 10**6}
    if kind == "codeArtifact":
        ways["endpoint unknown"] = {"endpoint": url_state(error=login_error())}
    return ways


CASES = [(kind, way) for kind in MINTED for way in failing(kind)]


@pytest.mark.parametrize(("kind", "way"), CASES)
def test_a_minted_token_is_served_until_its_withdrawal_whatever_fails(kind: str, way: str) -> None:
    record = index(spec=source(kind))
    before = published_by(record)

    plan = again(record, before, now=WITHDRAWAL - 1, **failing(kind)[way])
    assert plan.published is not None and "token-1" in text_of(plan)
    assert plan.recheck_at == WITHDRAWAL

    after = again(record, before, now=WITHDRAWAL, **failing(kind)[way])
    assert is_blocked(after) and "token-1" not in text_of(after)


@pytest.mark.parametrize(("kind", "way"), CASES)
def test_a_login_that_fails_behind_a_live_token_is_a_failing_refresh(kind: str, way: str) -> None:
    record = index(spec=source(kind))
    plan = again(record, published_by(record), **failing(kind)[way])

    if way in ("login denied", "cloud down", "endpoint unknown"):
        assert plan.ready
        assert plan.failing is not None and "the cloud said" in plan.failing.message
    elif way == "no answer yet":
        assert plan.ready and plan.failing is None
    else:
        # What is wrong with the Secret is the user's to mend, and Ready says so.
        assert plan.problem is not None and plan.failing is None


@pytest.mark.parametrize("kind", STATIC)
@pytest.mark.parametrize("way", failing("basicAuth"))
def test_a_static_login_is_served_until_the_grace_of_its_secret_is_over(
    kind: str, way: str
) -> None:
    record = index(spec=source(kind))
    before = published_by(record)

    plan = again(record, before, missing_for=299, **failing(kind)[way])
    assert CANARY in text_of(plan) and not plan.ready

    after = again(record, before, missing_for=300, **failing(kind)[way])
    assert is_blocked(after) and CANARY not in text_of(after)


def test_a_static_login_outlives_a_value_that_cannot_be_used() -> None:
    record = index(spec=source("basicAuth"))
    bad = {**SECRETS["basic"], "password": "a\n"}
    plan = again(record, published_by(record), values=bad)
    assert CANARY in text_of(plan)
    assert plan.problem is not None and plan.problem.reason == "InvalidSecretValue"


AT_ONCE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "consent withdrawn": (source("codeArtifact", auth=None), {"policy": NO_CONSENT}),
    "http not allowed": (
        source("basicAuth", url="http://basic.example/simple/"),
        {"policy": POLICY},
    ),
    "the Secret became an output": (source("basicAuth"), {"secret_is_output": True}),
}


@pytest.mark.parametrize("suspended", [False, True])
@pytest.mark.parametrize("way", AT_ONCE)
def test_nothing_is_served_against_the_administrator(way: str, suspended: bool) -> None:
    spec, how = AT_ONCE[way]
    record = index(spec=spec)
    before = published_by(record, policy=replace(POLICY, allow_http=True))
    assert before

    later = index(spec={**spec, "suspend": suspended})
    assert is_blocked(again(later, before, **how))


def test_an_endpoint_that_answers_with_http_is_withdrawn_at_once() -> None:
    record = index(spec=source("codeArtifact"))
    plain = url_state("http://acme.codeartifact.example/")
    assert is_blocked(again(record, published_by(record), endpoint=plain))


CHANGED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "basicAuth, another host": (
        source("basicAuth"),
        source("basicAuth", url="https://evil.example/simple/"),
    ),
    "basicAuth, another path": (
        source("basicAuth"),
        source("basicAuth", url="https://basic.example/other/"),
    ),
    "preauthenticated, another Secret": (
        source("preauthenticated"),
        source("preauthenticated", urlSecretRef={"name": "other"}),
    ),
    "preauthenticated, another key": (
        source("preauthenticated"),
        source("preauthenticated", urlSecretRef={"name": "whole-url", "key": "k"}),
    ),
    **{
        f"codeArtifact, another {field}": (
            source("codeArtifact"),
            source("codeArtifact", **{field: value}),
        )
        for field, value in {
            "domain": "other",
            "domainOwner": "222222222222",
            "region": "us-east-1",
            "repository": "other",
            "endpoint": "https://evil.example/",
            "endpointType": "DualStack",
        }.items()
    },
    **{
        f"googleArtifactRegistry, another {field}": (
            source("googleArtifactRegistry"),
            source("googleArtifactRegistry", **{field: value}),
        )
        for field, value in {
            "project": "other-project",
            "location": "us",
            "repository": "other",
            "host": "evil.example",
        }.items()
    },
    "from codeArtifact to basicAuth": (source("codeArtifact"), source("basicAuth")),
    "from basicAuth to anonymous": (
        source("basicAuth"),
        source("preauthenticated", urlSecretRef={"name": "basic", "key": "url"}),
    ),
}


@pytest.mark.parametrize("case", CHANGED)
def test_an_old_credential_is_never_sent_to_a_changed_place(case: str) -> None:
    old, new = CHANGED[case]
    before = published_by(index(spec=old))
    assert is_blocked(again(index(spec=new), before, missing=True))


SAME_PLACE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another Secret for the login": (
        source("codeArtifact"),
        source("codeArtifact", auth={"secretRef": {"name": "new-key"}}),
    ),
    "another token duration": (
        source("codeArtifact"),
        source("codeArtifact", tokenDuration="1h"),
    ),
    "another Secret for a password": (
        source("basicAuth"),
        source("basicAuth", secretRef={"name": "new"}),
    ),
    "another priority": (source("basicAuth"), {**source("basicAuth"), "priority": 3}),
}


@pytest.mark.parametrize("case", SAME_PLACE)
def test_an_old_credential_stands_in_for_a_new_login_of_the_same_place(case: str) -> None:
    old, new = SAME_PLACE[case]
    before = published_by(index(spec=old))
    plan = again(index(spec=new, generation=2), before, missing=True)
    assert plan.published is not None and plan.published.token == next(iter(before.values())).token


def test_what_stands_in_follows_the_spec_in_all_but_the_login() -> None:
    record = index(spec=source("basicAuth"))
    spec = {**source("basicAuth"), "explicit": True, "ignoreErrorCodes": [404], "name": "fresh"}
    spec["excludeNewer"] = "7 days"
    plan = again(index(spec=spec, generation=2), published_by(record), missing=True)
    assert plan.entry is not None
    assert (plan.entry.explicit, plan.entry.ignore_error_codes, plan.entry.name) == (
        True,
        (404,),
        "fresh",
    )
    assert plan.entry.exclude_newer == "7 days"


# -- suspended indexes


@pytest.mark.parametrize("kind", SOURCES)
def test_a_suspended_index_stands_still(kind: str) -> None:
    record = index(spec=source(kind))
    before = published_by(record)
    later = index(spec={**source(kind), **SUSPENDED, "explicit": True}, generation=2)
    plan = again(later, before, missing=True, missing_for=10**6)

    assert text_of(plan) == text_of(only(plans_from(index_state(record))))
    assert plan.ready and plan.failing is None


@pytest.mark.parametrize("kind", MINTED)
def test_a_suspended_token_is_withdrawn_at_its_time(kind: str) -> None:
    before = published_by(index(spec=source(kind)))
    later = index(spec={**source(kind), **SUSPENDED})
    assert again(later, before, now=WITHDRAWAL - 1).recheck_at == WITHDRAWAL
    assert is_blocked(again(later, before, now=WITHDRAWAL))


@pytest.mark.parametrize("kind", MINTED)
def test_a_suspended_index_is_not_ready_once_builds_stop_at_it(kind: str) -> None:
    plan = again(index(spec={**source(kind), **SUSPENDED}), {})
    assert is_blocked(plan)
    assert plan.problem is not None
    assert (plan.problem.reason, plan.problem.stalled) == ("Suspended", True)
    assert "spec.suspend" in plan.problem.message

    omitted = again(index(spec={**source(kind), **SUSPENDED, "whenUnavailable": "Omit"}), {})
    assert omitted.entry is None and not omitted.ready


@pytest.mark.parametrize("kind", SOURCES)
def test_a_spec_that_cannot_be_read_leaves_the_entry_as_it_is(kind: str) -> None:
    record = index(spec=source(kind))
    plan = again(index(spec={**source(kind), "priority": "high"}), published_by(record))
    assert text_of(plan) == text_of(only(plans_from(index_state(record))))
    assert plan.problem is not None and plan.problem.reason == "InvalidSpec"


# -- entries without their login


@pytest.mark.parametrize("kind", [*MINTED, "basicAuth"])
def test_a_bare_entry_never_stands_in_where_credentials_are_due(kind: str) -> None:
    record = index(spec=source(kind))
    bare = {
        uid: replace(published, bare=True, entry=replace(published.entry, credential=None))
        for uid, published in published_by(record).items()
    }
    seen = index_state(record, missing=True)
    with_secret = only(plans_from(seen, served=bare))
    assert is_blocked(with_secret)

    config_maps_only = only(plans_from(seen, served=bare, with_credentials=False))
    assert config_maps_only.entry is not None and not config_maps_only.entry.blocked
