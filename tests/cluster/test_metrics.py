"""/metrics of the running operator, compared with what API server and clouds saw themselves."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from artifact_index.api.timestamps import parse_time
from support.clouds import Fault
from support.control_plane import wait_until
from support.operator_process import OPERATOR_NAMESPACE, OperatorProcess
from support.scrapes import Scrape
from support.world import (
    OPERATOR_USER,
    World,
    access_key_secret,
    artifact_index,
    artifact_registry,
    code_artifact,
    google_key_secret,
    index_options,
)

pytestmark = pytest.mark.cluster

NAMESPACE = "metrics"
PRINCIPAL = "arn:aws:iam::111122223333:user/metrics"
EMAIL = "metrics@acme-prod.iam.gserviceaccount.com"
TOKEN_LIFE = 18
"""Seconds. With the margins below a token is replaced after a third of its life."""

SLOWNESS = 6
"""Seconds that the cloud takes for one refresh: more than an upper bound of the histogram."""

OUTPUT_EXPIRY = "artifact_index_output_expiry_timestamp_seconds"
LOGIN_EXPIRY = "artifact_index_login_expiry_timestamp_seconds"
LOGIN_REFRESH = "artifact_index_login_refresh_timestamp_seconds"
LATENESS = "artifact_index_refresh_lateness_seconds"
MINTS = "artifact_index_mints_total"
LOOKUPS = "artifact_index_endpoint_lookups_total"
REQUESTS = "artifact_index_api_requests_total"
OBJECTS = "artifact_index_objects"


@pytest.fixture(scope="module")
def mark(world: World) -> int:
    """Where the audit log ended before the operator began."""
    return world.plane.audit_mark()


@pytest.fixture(scope="module")
def operator(world: World, mark: int) -> Iterator[OperatorProcess]:
    """An operator whose CodeArtifact tokens live for seconds, after a whole path through it."""
    world.aws.cap_seconds = TOKEN_LIFE
    margins = ("--outage-budget", "0s", "--write-time", "0s", "--propagation-time", "1s",
               "--pod-start-time", "0s", "--clock-skew", "0s",
               "--min-refresh-interval", "1s")  # fmt: skip
    world.namespace(NAMESPACE)
    world.aws.inject(
        "GetAuthorizationToken",
        Fault(status=403, code="AccessDeniedException", message="canary-message-of-the-cloud"),
        domain="metrics-denied",
    )
    try:
        with world.operator("--namespace", NAMESPACE, *margins) as running:
            serve(world)
            yield running
    finally:
        world.aws.cap_seconds = None
        world.aws.clear("GetAuthorizationToken")


def serve(world: World) -> None:
    world.apply(
        access_key_secret(world, "aws", PRINCIPAL),
        # Without the label: such a Secret is read by name.
        google_key_secret(world, "google", EMAIL, labelled=False),
        artifact_index("ca", codeArtifact=code_artifact("aws", domain="metrics")),
        artifact_index("gar", googleArtifactRegistry=artifact_registry("google")),
        artifact_index(
            "denied",
            codeArtifact=code_artifact("aws", domain="metrics-denied"),
            whenUnavailable="Omit",
        ),
        namespace=NAMESPACE,
    )
    outputs = [{"kind": "Secret", "name": "private"}, {"kind": "ConfigMap", "name": "public"}]
    world.apply(index_options("uv-config", outputs=outputs), namespace=NAMESPACE)
    for name, reason in (("ca", "Available"), ("gar", "Available"), ("denied", "AccessDenied")):
        world.wait_condition("artifactindex", NAMESPACE, name, reason=reason)


def annotated_expiry(world: World) -> int:
    found = world.get("secret", NAMESPACE, "private")
    assert found is not None
    return parse_time(found["metadata"]["annotations"]["artifactindex.dev/expires-at"])


def _ready(found: dict[str, Any]) -> dict[str, str]:
    conditions: list[dict[str, str]] = found["status"]["conditions"]
    return next(condition for condition in conditions if condition["type"] == "Ready")


def test_expiries_are_those_that_the_output_and_the_cloud_tell(
    world: World, operator: OperatorProcess
) -> None:
    def told_alike() -> bool:
        # A refresh may come between the two looks.
        before = annotated_expiry(world)
        scrape = Scrape(operator)
        newest = [token for token in world.aws.tokens.all() if token.principal == PRINCIPAL][-1]
        outputs = scrape.of(OUTPUT_EXPIRY)
        logins = scrape.of(LOGIN_EXPIRY, provider="codeartifact")
        return (
            before == annotated_expiry(world)
            and outputs == {("uv-config", "Secret", NAMESPACE, "private"): before}
            and logins
            == {("secret/aws", NAMESPACE, "codeartifact", "eu-west-1/111122223333/metrics"): before}
            and before == int(newest.expires_at or 0)
        )

    wait_until(told_alike, "metrics, annotation and cloud to tell one expiry", 60)
    scrape = Scrape(operator)
    [token] = [item for item in world.google.tokens.all() if item.principal == EMAIL]
    [(labels, expiry)] = scrape.of(LOGIN_EXPIRY, provider="google").items()
    assert labels == ("secret/google", NAMESPACE, "google", "")
    # Counted from before the question, which a busy machine may take a while to ask.
    assert token.expires_at - 60 < expiry <= token.expires_at
    assert 0 < scrape.of(LOGIN_REFRESH, provider="google")[labels] < expiry


def test_mints_are_those_that_the_clouds_granted(world: World, operator: OperatorProcess) -> None:
    def counted_alike() -> bool:
        granted = world.aws.mints("GetAuthorizationToken", principal=PRINCIPAL)
        counted = Scrape(operator).total(MINTS, provider="codeartifact", result="ok")
        return counted == granted == world.aws.mints("GetAuthorizationToken", principal=PRINCIPAL)

    wait_until(lambda: world.aws.mints(principal=PRINCIPAL) > 3, "a refresh", 60)
    wait_until(counted_alike, "both to count the same mints", 60)
    scrape = Scrape(operator)
    assert scrape.total(MINTS, provider="google", result="ok") == world.google.mints(
        principal=EMAIL
    )
    assert scrape.total(MINTS, provider="codeartifact", result="AccessDenied") >= 1
    assert scrape.total(LOOKUPS, result="ok") == world.aws.mints(
        "GetRepositoryEndpoint", principal=PRINCIPAL
    )


def test_api_requests_are_those_of_the_audit_log(
    world: World, operator: OperatorProcess, mark: int
) -> None:
    """All of them; the watches have another user agent, for they are another client's."""

    def audited() -> Counter[tuple[str, ...]]:
        events = world.plane.audit_events(OPERATOR_USER, since=mark)
        return Counter(
            (str(event.code), event.resource.partition(".")[0], event.subresource, event.verb)
            for event in events
            if event.user_agent.startswith("artifact-index-operator")
            # The end of an operator before this one may be written after the mark.
            and event.namespace in (NAMESPACE, OPERATOR_NAMESPACE)
        )

    def counted() -> Counter[tuple[str, ...]]:
        return Counter({key: int(value) for key, value in Scrape(operator).of(REQUESTS).items()})

    def alike() -> bool:
        before = audited()
        return counted() == before == audited()

    wait_until(alike, "both to count the same requests", 60)
    found = counted()
    assert found["201", "secrets", "", "create"] >= 1
    assert found["200", "indexoptions", "status", "patch"] >= 1
    assert found["200", "secrets", "", "get"] >= 1  # the one without the label


def test_objects_are_counted_as_kubectl_shows_them(world: World, operator: OperatorProcess) -> None:
    """The index that was denied is left out of the file, so that the IndexOptions is ready."""

    def shown() -> Counter[tuple[str, ...]]:
        objects = [
            item
            for kind in ("artifactindexes", "indexoptions")
            for item in world.items(kind, NAMESPACE)
        ]
        ready = ((item, _ready(item)) for item in objects)
        return Counter(
            (item["kind"], NAMESPACE, found["status"], found["reason"]) for item, found in ready
        )

    wait_until(lambda: Scrape(operator).of(OBJECTS) == shown(), "the same counts", 60)
    assert shown()["ArtifactIndex", NAMESPACE, "False", "AccessDenied"] == 1


def test_work_and_the_process_are_measured(operator: OperatorProcess) -> None:
    scrape = Scrape(operator)
    for kind in ("IndexOptions", "ArtifactIndex"):
        passes = scrape.total("artifact_index_reconciles_total", kind=kind)
        timed = scrape.total("artifact_index_reconcile_duration_seconds_count", kind=kind)
        assert passes == timed > 0
    assert scrape.total("artifact_index_reconciles_total", result="internal_error") == 0
    for name in ("queue_depth", "queue_oldest_age_seconds"):
        assert scrape.of(f"artifact_index_{name}").keys() == {()}
    lags = scrape.total("artifact_index_event_loop_lag_seconds_count")
    wait_until(
        lambda: Scrape(operator).total("artifact_index_event_loop_lag_seconds_count") > lags,
        "another look at the event loop",
        60,
    )
    assert scrape.total("artifact_index_build_info") == 1
    assert scrape.total("process_resident_memory_bytes") > 30_000_000


def test_a_slow_cloud_shows_as_lateness(world: World, operator: OperatorProcess) -> None:
    def late() -> float:
        """How many refreshes came more than five seconds late."""
        scrape = Scrape(operator)
        every = scrape.total(f"{LATENESS}_count", provider="codeartifact")
        return every - scrape.total(f"{LATENESS}_bucket", provider="codeartifact", le="5.0")

    def refreshed() -> bool:
        return Scrape(operator).total(f"{LATENESS}_count", provider="codeartifact") >= 1

    wait_until(refreshed, "a refresh", 60)
    before = late()
    world.aws.inject(
        "GetAuthorizationToken",
        Fault(status=500, code="InternalServerException", hang_seconds=SLOWNESS),
        times=1,
        domain="metrics",
    )
    wait_until(lambda: late() > before, "a late refresh", 90)


def test_no_secret_value_is_in_it(world: World, operator: OperatorProcess) -> None:
    text = Scrape(operator).text
    secrets = [token.value for token in world.aws.tokens.all() if token.principal == PRINCIPAL]
    secrets += [token.value for token in world.google.tokens.all() if token.principal == EMAIL]
    assert len(secrets) > 2
    assert not [item for item in [*secrets, "canary", "://", "AKIA"] if item in text]


def test_series_end_with_their_objects(world: World, operator: OperatorProcess) -> None:
    world.delete("artifactindex", NAMESPACE, "gar")
    wait_until(lambda: not Scrape(operator).of(LOGIN_EXPIRY, provider="google"), "its end", 60)
    assert Scrape(operator).of(LOGIN_EXPIRY, provider="codeartifact")

    world.delete("indexoptions", NAMESPACE, "uv-config")
    gone = (OUTPUT_EXPIRY, LOGIN_EXPIRY, LOGIN_REFRESH)
    wait_until(lambda: not any(Scrape(operator).of(item) for item in gone), "the others' end", 60)
    wait_until(
        lambda: not Scrape(operator).of(OBJECTS, kind="IndexOptions"), "none to be counted", 60
    )
    assert Scrape(operator).total(OBJECTS, kind="ArtifactIndex") == 2
