"""Places: what each index gets in the file, what stands in for what cannot be had, and names."""

from dataclasses import replace
from typing import Any

import pytest

from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.api.reasons import Reason
from artifact_index.formats.uv_toml import sensitive_uv_toml
from artifact_index.reconcile.cache.objects import IndexObject
from artifact_index.reconcile.plan.entries import IndexPlan, plan_vanished
from artifact_index.reconcile.plan.fallback import Published, first_withdrawal
from artifact_index.reconcile.plan.outputs import document_of
from support.reconcile_builders import (
    CANARY,
    HOUR,
    MARGINS,
    NAMESPACE,
    NOW,
    POLICY,
    SECRET_OF,
    SECRETS,
    SOURCES,
    facts_of,
    grant,
    index,
    lease_of,
    login_error,
    placed_of,
    served_after,
    source,
    url_state,
    view,
)

pytestmark = pytest.mark.unit

LIFE = 12 * HOUR
WITHDRAWAL = NOW + LIFE - 155  # P + e before the expiry
MINTED = ["codeArtifact", "googleArtifactRegistry"]
STATIC = ["preauthenticated", "basicAuth"]
NO_CONSENT = replace(POLICY, operator_identity=False)
SUSPENDED = {"suspend": True}


def served_of(record: IndexObject, **how: Any) -> dict[str, Published]:
    """What the outputs hold after one good pass."""
    return served_after(placed_of(view(record, **how)))


def only(placed: list[IndexPlan]) -> IndexPlan:
    (one,) = placed
    return one


def again(
    record: IndexObject, before: dict[str, Published], now: float = NOW, **how: Any
) -> IndexPlan:
    """The place of the index at a later pass."""
    names = {uid: one.entry.name for uid, one in before.items()}
    seen = view(record, now=now, **how)
    return only(placed_of(seen, served=before, assigned=names, now=now))


def text_of(*placed: IndexPlan) -> str:
    return sensitive_uv_toml(document_of(IndexOptionsSpec(), placed)).get_secret_value()


def is_blocked(one: IndexPlan) -> bool:
    return one.entry is not None and one.entry.blocked and one.served is None


# -- a login that can be had


@pytest.mark.parametrize("kind", SOURCES)
def test_a_fresh_login_is_served_and_ready(kind: str) -> None:
    one = only(placed_of(view(index(spec=source(kind)))))
    assert one.ready and one.entry is not None and not one.entry.blocked
    assert (one.expires_at is not None) is (kind in MINTED)
    secrets = {"token-1"} if kind in MINTED else {CANARY} if kind in STATIC else set()
    assert all(secret in text_of(one) for secret in secrets)


def test_places_are_in_search_order() -> None:
    views = [
        view(index("low", {**source("anonymous"), "priority": 1})),
        view(index("b", source("anonymous"))),
        view(index("top", {**source("anonymous"), "priority": 101})),
        view(index("a", source("anonymous"))),
    ]
    assert [one.record.ref.name for one in placed_of(*views)] == ["top", "a", "b", "low"]


# -- what stands in


def failing(kind: str) -> dict[str, dict[str, Any]]:
    """Ways in which a source of this kind cannot be had now."""
    ways: dict[str, dict[str, Any]] = {
        "Secret missing": {"missing": True},
        "key missing": {"values": {"other": "x"}},
    }
    if kind in MINTED:
        ways["login denied"] = {"token": lease_of(error=login_error(Reason.ACCESS_DENIED))}
        ways["cloud down"] = {"token": lease_of(error=login_error())}
        ways["no answer yet"] = {"token": lease_of(pending_since=NOW)}
        ways["Secret gone for long"] = {"missing": True, "missing_for": 10**6}
    if kind == "codeArtifact":
        ways["endpoint unknown"] = {"endpoint": url_state(error=login_error())}
    return ways


CASES = [(kind, way) for kind in MINTED for way in failing(kind)]


@pytest.mark.parametrize(("kind", "way"), CASES)
def test_a_minted_token_is_served_until_its_withdrawal_whatever_fails(kind: str, way: str) -> None:
    record = index(spec=source(kind))
    before = served_of(record)

    kept = again(record, before, now=WITHDRAWAL - 1, **failing(kind)[way])
    assert kept.served is not None and "token-1" in text_of(kept)
    assert kept.recheck_at == WITHDRAWAL

    gone = again(record, before, now=WITHDRAWAL, **failing(kind)[way])
    assert is_blocked(gone) and "token-1" not in text_of(gone)


@pytest.mark.parametrize(("kind", "way"), CASES)
def test_a_login_that_fails_behind_a_live_token_is_a_failing_refresh(kind: str, way: str) -> None:
    record = index(spec=source(kind))
    kept = again(record, served_of(record), **failing(kind)[way])

    if way in ("login denied", "cloud down", "endpoint unknown"):
        assert kept.ready
        assert kept.failing is not None and "the cloud said" in kept.failing.message
    elif way == "no answer yet":
        assert kept.ready and kept.failing is None
    else:
        # What is wrong with the Secret is the user's to mend, and Ready says so.
        assert kept.problem is not None and kept.failing is None


@pytest.mark.parametrize("kind", STATIC)
@pytest.mark.parametrize("way", failing("basicAuth"))
def test_a_static_login_is_served_until_the_grace_of_its_secret_is_over(
    kind: str, way: str
) -> None:
    record = index(spec=source(kind))
    before = served_of(record)

    kept = again(record, before, missing_for=299, **failing(kind)[way])
    assert CANARY in text_of(kept) and not kept.ready

    gone = again(record, before, missing_for=300, **failing(kind)[way])
    assert is_blocked(gone) and CANARY not in text_of(gone)


def test_a_static_login_outlives_a_value_that_cannot_be_used() -> None:
    record = index(spec=source("basicAuth"))
    bad = {**SECRETS["basic"], "password": "a\n"}
    kept = again(record, served_of(record), values=bad)
    assert CANARY in text_of(kept)
    assert kept.problem is not None and kept.problem.reason == "InvalidSecretValue"


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
    before = served_of(record, policy=replace(POLICY, allow_http=True))
    assert before

    later = index(spec={**spec, "suspend": suspended})
    assert is_blocked(again(later, before, **how))


def test_an_endpoint_that_answers_with_http_is_withdrawn_at_once() -> None:
    record = index(spec=source("codeArtifact"))
    plain = url_state("http://acme.codeartifact.example/")
    assert is_blocked(again(record, served_of(record), endpoint=plain))


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
    before = served_of(index(spec=old))
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
    before = served_of(index(spec=old))
    kept = again(index(spec=new, generation=2), before, missing=True)
    assert kept.served is not None and kept.served.token == next(iter(before.values())).token


def test_what_stands_in_follows_the_spec_in_all_but_the_login() -> None:
    record = index(spec=source("basicAuth"))
    spec = {**source("basicAuth"), "explicit": True, "ignoreErrorCodes": [404], "name": "fresh"}
    kept = again(index(spec=spec, generation=2), served_of(record), missing=True)
    assert kept.entry is not None
    assert (kept.entry.explicit, kept.entry.ignore_error_codes, kept.entry.name) == (
        True,
        (404,),
        "fresh",
    )


# -- standing still


@pytest.mark.parametrize("kind", SOURCES)
def test_a_suspended_index_stands_still(kind: str) -> None:
    record = index(spec=source(kind))
    before = served_of(record)
    later = index(spec={**source(kind), **SUSPENDED, "explicit": True}, generation=2)
    kept = again(later, before, missing=True, missing_for=10**6)

    assert text_of(kept) == text_of(only(placed_of(view(record))))
    assert kept.ready and kept.failing is None


@pytest.mark.parametrize("kind", MINTED)
def test_a_suspended_token_is_withdrawn_at_its_time(kind: str) -> None:
    before = served_of(index(spec=source(kind)))
    later = index(spec={**source(kind), **SUSPENDED})
    assert again(later, before, now=WITHDRAWAL - 1).recheck_at == WITHDRAWAL
    assert is_blocked(again(later, before, now=WITHDRAWAL))


@pytest.mark.parametrize("kind", MINTED)
def test_a_suspended_index_is_not_ready_once_builds_stop_at_it(kind: str) -> None:
    one = again(index(spec={**source(kind), **SUSPENDED}), {})
    assert is_blocked(one)
    assert one.problem is not None
    assert (one.problem.reason, one.problem.stalled) == ("Suspended", True)
    assert "spec.suspend" in one.problem.message

    omitted = again(index(spec={**source(kind), **SUSPENDED, "whenUnavailable": "Omit"}), {})
    assert omitted.entry is None and not omitted.ready


@pytest.mark.parametrize("kind", SOURCES)
def test_a_spec_that_cannot_be_read_leaves_the_entry_as_it_is(kind: str) -> None:
    record = index(spec=source(kind))
    kept = again(index(spec={**source(kind), "priority": "high"}), served_of(record))
    assert text_of(kept) == text_of(only(placed_of(view(record))))
    assert kept.problem is not None and kept.problem.reason == "InvalidSpec"


# -- entries without their login


@pytest.mark.parametrize("kind", [*MINTED, "basicAuth"])
def test_a_bare_entry_never_stands_in_where_credentials_are_due(kind: str) -> None:
    record = index(spec=source(kind))
    bare = {
        uid: replace(one, bare=True, entry=replace(one.entry, credential=None))
        for uid, one in served_of(record).items()
    }
    seen = view(record, missing=True)
    with_secret = only(placed_of(seen, served=bare))
    assert is_blocked(with_secret)

    config_maps_only = only(placed_of(seen, served=bare, with_credentials=False))
    assert config_maps_only.entry is not None and not config_maps_only.entry.blocked


def test_without_a_secret_output_nothing_is_minted_and_the_entry_is_bare() -> None:
    seen = view(index(spec=source("codeArtifact")), with_credentials=False)
    one = only(placed_of(seen, with_credentials=False))
    assert one.ready and one.served is not None
    assert (one.served.bare, one.served.token, one.expires_at) == (True, None, None)


# -- whenUnavailable


@pytest.mark.parametrize(("mode", "entries"), [("Block", 1), ("Omit", 0)])
def test_an_index_without_login_is_blocked_or_left_out(mode: str, entries: int) -> None:
    spec = {**source("basicAuth"), "whenUnavailable": mode, "name": "acme"}
    one = only(placed_of(view(index(spec=spec), missing=True)))
    assert len(document_of(IndexOptionsSpec(), [one]).entries) == entries
    assert ("https://acme.unavailable.invalid/simple/" in text_of(one)) is (mode == "Block")
    assert not one.ready


# -- names


def named(placed: list[IndexPlan]) -> dict[str, str | None]:
    return {one.record.ref.name: one.name for one in placed}


def at(name: str, host: str, created: str) -> IndexObject:
    return index(name, source("anonymous", url=f"https://{host}.example/simple/"), created=created)


def test_neither_a_new_nor_a_deleted_nor_an_older_index_renames_another() -> None:
    first, second = at("b", "x", "2026-01-02T00:00:00Z"), at("c", "x", "2026-01-03T00:00:00Z")
    older = at("a", "x", "2026-01-01T00:00:00Z")
    placed = placed_of(view(first), view(second))
    assert named(placed) == {"b": "x", "c": "x-2"}

    names = {one.record.uid: one.name for one in placed if one.name}
    joined = placed_of(view(older), view(first), view(second), assigned=names)
    assert named(joined) == {"a": "x-3", "b": "x", "c": "x-2"}
    left = placed_of(view(second), assigned=names)
    assert named(left) == {"c": "x-2"}


def test_a_name_is_allotted_only_once_the_host_is_known() -> None:
    record = index("obj", source("preauthenticated"))
    waiting = only(placed_of(view(record, missing=True)))
    assert waiting.name is None and waiting.entry is not None and waiting.entry.name == "obj"

    assert only(placed_of(view(record))).name == "whole"


def test_a_name_survives_that_the_host_is_unknown_for_a_while() -> None:
    record = index("obj", source("preauthenticated"))
    later = placed_of(view(record, missing=True), assigned={record.uid: "whole"})
    assert named(later) == {"obj": "whole"}


def test_a_name_conflict_leaves_the_younger_out_and_serves_the_others() -> None:
    old = index("old", {**source("anonymous"), "name": "a-b"}, created="2026-01-01T00:00:00Z")
    # uv's variables take a-b and a-b alike whatever stands between the letters.
    young = index("young", {**source("basicAuth"), "name": "a-b"}, created="2026-01-02T00:00:00Z")
    third = index("third", {**source("anonymous"), "name": "c"})
    by_name = {one.record.ref.name: one for one in placed_of(view(old), view(young), view(third))}

    assert by_name["old"].ready and by_name["third"].ready
    loser = by_name["young"]
    assert (loser.entry, loser.served, loser.name) == (None, None, None)
    assert loser.problem is not None
    assert (loser.problem.reason, loser.problem.stalled) == ("NameConflict", True)
    assert "spec.name 'a-b'" in loser.problem.message and "'old'" in loser.problem.message


def test_a_name_conflict_with_the_public_index_names_it() -> None:
    record = index("mine", {**source("anonymous"), "name": "pypi"})
    one = only(placed_of(view(record)))
    assert one.problem is not None and "the public index" in one.problem.message
    assert only(placed_of(view(record), public_name=None)).ready


# -- nothing selected any more


def test_the_first_withdrawal_is_that_of_the_shortest_token() -> None:
    def with_life(name: str, life: int) -> dict[str, Published]:
        return served_of(index(name, source("codeArtifact")), token=lease_of(grant(life=life)))

    served = {**with_life("a", 12 * HOUR), **with_life("b", HOUR), **served_of(index("c"))}
    assert first_withdrawal(served, MARGINS) == NOW + HOUR - 155
    assert first_withdrawal(served_of(index("c")), MARGINS) is None


def test_of_a_file_that_lost_its_indexes_tokens_go_and_static_logins_stay() -> None:
    served = {
        **served_of(index("minted", source("codeArtifact"))),
        **served_of(index("static", source("basicAuth"))),
    }
    placed = plan_vanished(NAMESPACE, served, MARGINS, NOW)
    text = text_of(*placed)
    assert "token-1" not in text and CANARY in text
    assert "https://acme-111122223333.unavailable.invalid/" in text
    assert {one.record.uid for one in placed} == set(served)


def test_the_builders_name_every_secret() -> None:
    # A guard of the tests above: a missing Secret must be what makes their sources fail.
    for kind, name in SECRET_OF.items():
        use = facts_of(index(spec=source(kind))).use
        assert use is not None and use.name == name
