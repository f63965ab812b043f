"""What a scrape reads off the live state."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_index.api.owners import cluster_mark
from artifact_index.api.timestamps import format_time
from artifact_index.credentials.aws.requests import AssumedRole
from artifact_index.credentials.google.requests import GoogleTokenRequest, Impersonation
from artifact_index.credentials.requests import (
    OperatorIdentity,
    ServiceAccountIdentity,
    TokenRequest,
)
from artifact_index.credentials.tokens.token_state import HeldToken
from artifact_index.metrics.catalogue import PREFIX
from artifact_index.reconcile.cache.objects import status_bytes
from artifact_index.reconcile.cache.status_parsing import reported_conditions
from support.reconcile_builders import NAMESPACE
from support.scrapes import (
    EXPIRY,
    SECRET,
    cluster_options,
    code_artifact,
    condition,
    index,
    options,
    output,
    scraped,
    state,
    values,
)

pytestmark = pytest.mark.unit


async def test_an_output_expires_when_its_annotation_says() -> None:
    outputs = [output("a"), output("b", expires=None)]
    found = await scraped(state(options=[options()], outputs=outputs))
    expiries = found[f"{PREFIX}output_expiry_timestamp_seconds"]
    assert values(expiries, "namespace", "index_options", "kind", "output") == {
        (NAMESPACE, "uv-config", "Secret", "a"): EXPIRY
    }


async def test_an_output_without_its_owner_or_with_an_odd_time_is_left_out() -> None:
    outputs = [output("a", owner="deleted"), output("b", expires="tomorrow")]
    found = await scraped(state(options=[options()], outputs=outputs))
    assert not found[f"{PREFIX}output_expiry_timestamp_seconds"].samples


async def test_the_outputs_of_a_cluster_options_share_a_series_and_its_namespaces_are_counted() -> (
    None
):
    counts = {"selected": 3, "written": 2, "failing": 1, "forged": 4}
    mark = cluster_mark("uv-config")
    outputs = [
        output("uv", owner=mark, namespace=f"team-{number}", expires=format_time(EXPIRY + number))
        for number in range(3)
    ]
    everything = [options(), cluster_options(namespaces=counts)]
    found = await scraped(state(options=everything, outputs=[output("a"), *outputs]))

    labels = ("namespace", "index_options", "kind", "output")
    assert values(found[f"{PREFIX}output_expiry_timestamp_seconds"], *labels) == {
        ("", "uv-config", "Secret", "uv"): EXPIRY,
        (NAMESPACE, "uv-config", "Secret", "a"): EXPIRY,
    }
    del counts["forged"]
    counted = found[f"{PREFIX}cluster_options_namespaces"]
    assert values(counted, "index_options", "state") == {
        ("uv-config", each): count for each, count in counts.items()
    }
    objects = values(found[f"{PREFIX}objects"], "kind", "namespace")
    assert objects == {("IndexOptions", NAMESPACE): 1, ("ClusterIndexOptions", ""): 1}


@pytest.mark.parametrize(
    ("refresh", "planned", "due"),
    [
        (2700, 2700, 2700),
        (2700, None, 2700),
        (None, 2700, 600),
        # A metadata server repeats its token until shortly before the expiry.
        (2700, 225, 225),
    ],
)
async def test_a_refresh_is_due_when_its_output_says_but_for_a_token_that_repeats(
    refresh: int | None, planned: int | None, due: int
) -> None:
    """All are seconds before the expiry."""
    text = None if refresh is None else format_time(EXPIRY - refresh)
    held = [] if planned is None else [HeldToken(code_artifact(SECRET), EXPIRY, EXPIRY - planned)]
    snapshot = state(options=[options()], outputs=[output("a", refresh=text)], logins=held)
    found = await scraped(snapshot)
    assert values(
        found[f"{PREFIX}output_refresh_timestamp_seconds"],
        "namespace", "index_options", "kind", "output",
    ) == {(NAMESPACE, "uv-config", "Secret", "a"): EXPIRY - due}  # fmt: skip


async def test_each_object_with_a_problem_is_named_and_no_other() -> None:
    conditions = {
        "ready": [condition("Ready", "True", "Available")],
        "new": [],
        "suspended": [condition("Ready", "False", "Suspended")],
        "refused": [
            condition("Ready", "False", "AccessDenied"),
            condition("Stalled", "True", "AccessDenied"),
        ],
        "failing": [
            condition("Ready", "True", "Available"),
            condition("Reconciling", "True", "CloudThrottled"),
            condition("RefreshFailing", "True", "CloudThrottled"),
        ],
    }
    indexes = [index(name, status={"conditions": each}) for name, each in conditions.items()]
    found = await scraped(state(indexes=indexes))
    by = ("kind", "namespace", "name", "condition", "reason")
    assert values(found[f"{PREFIX}object_problems"], *by) == {
        ("ArtifactIndex", NAMESPACE, "refused", "Ready", "AccessDenied"): 1,
        ("ArtifactIndex", NAMESPACE, "failing", "RefreshFailing", "CloudThrottled"): 1,
    }


async def test_readiness_and_clock_are_those_of_the_moment() -> None:
    found = await scraped(state(ready=False, now=EXPIRY + 0.5))
    assert values(found[f"{PREFIX}ready"]) == {(): 0}
    assert values(found[f"{PREFIX}clock_timestamp_seconds"]) == {(): EXPIRY + 0.5}


LOGINS: dict[str, tuple[TokenRequest, tuple[str, ...]]] = {
    "a key in a Secret": (
        code_artifact(SECRET),
        ("codeartifact", NAMESPACE, "secret/aws-key", "eu-west-1/111122223333/acme"),
    ),
    "a ServiceAccount": (
        GoogleTokenRequest(
            ServiceAccountIdentity(NAMESPACE, "builder", "uid", (), "canary-audience")
        ),
        ("google", NAMESPACE, "serviceaccount/builder", ""),
    ),
    "the operator's own identity": (
        code_artifact(OperatorIdentity()),
        ("codeartifact", "", "operator", "eu-west-1/111122223333/acme"),
    ),
    "an impersonation": (
        GoogleTokenRequest(SECRET, Impersonation("ci@acme.iam.gserviceaccount.com", (), 3600)),
        ("google", NAMESPACE, "secret/aws-key", "ci@acme.iam.gserviceaccount.com"),
    ),
}


@pytest.mark.parametrize(("request_", "labels"), LOGINS.values(), ids=LOGINS)
async def test_a_login_is_named_by_what_logs_in_and_where(
    request_: TokenRequest, labels: tuple[str, ...]
) -> None:
    login = HeldToken(request_, EXPIRY, EXPIRY - 600)
    names = {"uid-1": "aws-key"}
    found = await scraped(state(logins=[login], secret_names=names))
    by = ("provider", "namespace", "identity", "target")
    assert values(found[f"{PREFIX}login_expiry_timestamp_seconds"], *by) == {labels: EXPIRY}
    assert values(found[f"{PREFIX}login_refresh_timestamp_seconds"], *by) == {labels: EXPIRY - 600}


async def test_logins_with_the_same_words_are_one_series_of_the_first_to_end() -> None:
    roles = [AssumedRole(f"arn:aws:iam::1:role/{name}", "session") for name in "ab"]
    logins = [
        HeldToken(code_artifact(SECRET, role=roles[0]), EXPIRY, EXPIRY - 900),
        HeldToken(code_artifact(SECRET, role=roles[1]), EXPIRY - 60, EXPIRY - 600),
    ]
    found = await scraped(state(logins=logins))
    for name, value in (("expiry", EXPIRY - 60), ("refresh", EXPIRY - 900)):
        [sample] = found[f"{PREFIX}login_{name}_timestamp_seconds"].samples
        assert sample.value == value


async def test_a_login_that_never_expires_has_no_series() -> None:
    login = HeldToken(LOGINS["an impersonation"][0], None, None)
    found = await scraped(state(logins=[login]))
    assert not found[f"{PREFIX}login_expiry_timestamp_seconds"].samples
    assert not found[f"{PREFIX}login_refresh_timestamp_seconds"].samples


async def test_objects_are_counted_by_readiness_and_by_their_other_conditions() -> None:
    ready = {"conditions": [condition("Ready", "True", "Available")]}
    failing = {
        "conditions": [
            condition("Ready", "True", "Available"),
            condition("RefreshFailing", "True", "CloudThrottled"),
            condition("HostShared", "False", "Alone"),
        ]
    }
    records = [
        index("a", status=ready),
        index("b", status=failing),
        index("c", status=ready, namespace="other"),
        index("d", status={"observedGeneration": -1}),
    ]
    found = await scraped(state(indexes=records, options=[options()]))
    by = ("kind", "namespace", "ready", "reason")
    assert values(found[f"{PREFIX}objects"], *by) == {
        ("ArtifactIndex", NAMESPACE, "True", "Available"): 2,
        ("ArtifactIndex", "other", "True", "Available"): 1,
        ("ArtifactIndex", NAMESPACE, "Unknown", ""): 1,
        ("IndexOptions", NAMESPACE, "Unknown", ""): 1,
    }
    assert values(found[f"{PREFIX}object_conditions"], "kind", "condition", "reason") == {
        ("ArtifactIndex", "RefreshFailing", "CloudThrottled"): 1
    }


async def test_depth_and_age_of_the_queue_are_as_they_are() -> None:
    found = await scraped(state(queue_depth=7, queue_age=2.5))
    assert values(found[f"{PREFIX}queue_depth"]) == {(): 7}
    assert values(found[f"{PREFIX}queue_oldest_age_seconds"]) == {(): 2.5}


async def test_series_of_single_objects_can_be_left_out() -> None:
    login = HeldToken(LOGINS["a key in a Secret"][0], EXPIRY, EXPIRY)
    parts = {"options": [options()], "outputs": [output("a")], "logins": [login]}
    every, few = [await scraped(state(**parts, by_object=by_object)) for by_object in (True, False)]
    times = ("output_expiry", "output_refresh", "login_expiry", "login_refresh")
    assert set(every) - set(few) == {
        f"{PREFIX}object_problems",
        *(f"{PREFIX}{name}_timestamp_seconds" for name in times),
    }


Conditions = st.dictionaries(
    st.sampled_from(["Ready", "Stalled", "RefreshFailing", "other.example/Own-Kind"]),
    st.tuples(
        st.sampled_from(["True", "False", "Unknown"]),
        st.from_regex(r"[A-Za-z]([A-Za-z0-9_,:]{0,20}[A-Za-z0-9_])?", fullmatch=True),
        st.text(max_size=80) | st.just('"reason":"No","status":"True","type":"Ready"'),
    ),
)


@given(told=Conditions)
def test_conditions_are_found_in_a_status_whatever_its_texts_hold(
    told: dict[str, tuple[str, str, str]],
) -> None:
    conditions = [
        {**condition(kind, status, reason), "message": message}
        for kind, (status, reason, message) in told.items()
    ]
    indexes = [{"name": "a", "uid": "1", "ready": False, "reason": "AccessDenied"}]
    status = status_bytes({"conditions": conditions, "indexes": indexes})
    assert json.loads(status)["conditions"] == conditions
    assert reported_conditions(status) == {kind: item[:2] for kind, item in told.items()}


@pytest.mark.parametrize("odd", ["null", '"text"', '{"conditions": 3}', '{"conditions": [[]]}'])
def test_a_status_of_somebody_else_tells_nothing(odd: str) -> None:
    assert reported_conditions(status_bytes(json.loads(odd))) == {}
