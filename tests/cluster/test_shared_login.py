"""One login under many indexes: one mint at start and at each rotation, one write per output."""

from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest

from support.control_plane import wait_until
from support.control_plane.audit import AuditEvent
from support.operator_process import OperatorProcess
from support.refreshes import ask, later_than_the_token
from support.world import (
    OPERATOR_USER,
    PATIENCE,
    World,
    access_key_secret,
    artifact_index,
    code_artifact,
    condition_in,
    index_options,
)

pytestmark = pytest.mark.cluster

INDEXES = 200
OUTPUTS = 5
FIRST_LIFE = 72
"""Seconds. With the margins below the first token is replaced after a third of its life: that long
all outputs may take to hold it. Those that follow last."""

NAMESPACE = "shared-login"
PRINCIPAL = "arn:aws:iam::111122223333:user/shared-login"


@pytest.fixture(scope="module")
def operator(world: World) -> Iterator[OperatorProcess]:
    """An operator whose first token lives for seconds, and which waits for all endpoints."""
    world.aws.cap_seconds = FIRST_LIFE
    margins = ("--outage-budget", "0s", "--write-time", "0s", "--propagation-time", "1s",
               "--pod-start-time", "0s", "--clock-skew", "0s",
               "--min-refresh-interval", "1s", "--mint-patience", "60s")  # fmt: skip
    try:
        with world.operator("--namespace", NAMESPACE, *margins) as running:
            yield running
    finally:
        world.aws.cap_seconds = None


def test_two_hundred_indexes_in_five_outputs_share_one_mint_at_start_and_at_each_rotation(
    world: World, operator: OperatorProcess
) -> None:
    world.namespace(NAMESPACE)
    mark = world.plane.audit_mark()
    groups = [f"g{number % OUTPUTS}" for number in range(INDEXES)]
    world.apply(
        access_key_secret(world, "key", PRINCIPAL),
        *(
            artifact_index(
                f"index-{number}",
                name=f"index-{number}",
                labels={"group": group},
                codeArtifact=code_artifact(
                    "key", domain="shared-login", repository=f"repository-{number}"
                ),
            )
            for number, group in enumerate(groups)
        ),
        namespace=NAMESPACE,
    )

    def unselected() -> int:
        indexes = world.items("artifactindexes", NAMESPACE)
        return sum(condition_in(index).get("reason") == "NotSelected" for index in indexes)

    # Everything is selected only now: what is counted is not how fast kubectl applies.
    wait_until(lambda: unselected() == INDEXES, "every index to be seen", PATIENCE)
    world.apply(
        *(
            index_options(f"uv-{group}", indexSelector={"matchLabels": {"group": group}})
            for group in sorted(set(groups))
        ),
        namespace=NAMESPACE,
    )

    def mints() -> int:
        return world.aws.mints("GetAuthorizationToken", principal=PRINCIPAL)

    def writes() -> list[AuditEvent]:
        events = world.operator_writes(mark)
        return [
            event
            for event in events
            if event.resource == "secrets" and event.namespace == NAMESPACE
        ]

    def rotated(times: int) -> bool:
        """Every output holds the newest token of so many."""
        if mints() < times:
            return False
        newest = [token for token in world.aws.tokens.all() if token.principal == PRINCIPAL][
            -1
        ].value
        texts = [world.uv_toml(NAMESPACE, f"uv-g{number}") or "" for number in range(OUTPUTS)]
        return all(text.count(newest) == INDEXES // OUTPUTS for text in texts)

    wait_until(partial(rotated, 1), "the first token in every output", PATIENCE)
    assert mints() == 1
    world.aws.cap_seconds = None
    wait_until(partial(rotated, 2), "the second token, by its time", PATIENCE)
    assert mints() == 2
    ask(world, "indexoptions", NAMESPACE, "uv-g0", later_than_the_token())
    wait_until(partial(rotated, 3), "the third token, by request", PATIENCE)
    assert mints() == 3
    operator.stop()
    wait_until(lambda: len(writes()) >= 3 * OUTPUTS, "the audit log to be written", PATIENCE)

    assert mints() == 3
    assert Counter((write.verb, write.name) for write in writes()) == Counter(
        {("create", f"uv-g{number}"): 1 for number in range(OUTPUTS)}
        | {("patch", f"uv-g{number}"): 2 for number in range(OUTPUTS)}
    )
    assert world.aws.mints("GetRepositoryEndpoint", principal=PRINCIPAL) == INDEXES


def test_a_rotation_costs_one_status_for_each_object_and_no_read(world: World) -> None:
    """Of the same run: the operator has been stopped, so nothing moves any more."""
    events = world.plane.audit_events(OPERATOR_USER)
    own = [event for event in events if event.namespace == NAMESPACE]
    statuses = Counter(
        (item.resource.partition(".")[0], item.name) for item in own if item.subresource == "status"
    )
    assert len(statuses) == INDEXES + OUTPUTS
    # Not selected yet, served, and two rotations; the last may have been cut off by the stop.
    assert set(statuses.values()) <= {2, 3, 4}
    # The Secret was seen before an index named keys of it, so its values were not kept then. From
    # the first index on the watch brings them: neither outputs nor rotations cost a read.
    created = [item for item in own if (item.verb, item.resource) == ("create", "secrets")]
    first_output = min(item.received_at for item in created)
    reads = [item for item in own if item.verb == "get"]
    assert [(item.resource, item.name) for item in reads] in ([], [("secrets", "key")])
    assert all(item.answered_at < first_output for item in reads)
    for number in range(OUTPUTS):
        found = world.condition("indexoptions", NAMESPACE, f"uv-g{number}")
        assert found["reason"] == "Available"
        assert f"{INDEXES // OUTPUTS} indexes" in found["message"]
