"""Ordinary mistakes of a first day: each message names object, field, what is wrong, next step.

Mistakes at a start are in test_starts.py, those in manifests in test_check.py.
"""

import pytest

from artifact_index.logs import redact
from artifact_index.reconcile.status.index_status import index_status
from support.engine import Engine
from support.mistakes import MISTAKES
from support.reconcile_builders import (
    CANARY,
    NAMESPACE,
    NOW,
    index,
    index_state,
    plans_from,
    secret_body,
    source,
)
from support.statuses import GOOD, OMITTED, message_of, status_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_message_names_object_field_and_next_step(mistake: str) -> None:
    case = MISTAKES[mistake]
    message = case.message()
    assert message.startswith(case.begins), message
    rest = message
    for part in case.says:
        _, found, rest = rest.partition(part)
        assert found, f"{part!r} is not in, or not in its place in: {message}"
    assert CANARY not in message and "referenced Secret" not in message
    # The log's filter takes a quoted 'password' and what follows its comma for a pair.
    assert redact(message) == message


async def test_a_secret_without_the_label_is_said_with_what_follows() -> None:
    engine = Engine()
    engine.port.put("secrets", secret_body("basic", {"username": "u", "password": CANARY}))
    engine.index("acme", {**source("basicAuth"), "name": "acme"})
    engine.options()
    await engine.settle()
    status, _, message = engine.ready("artifactindexes", "acme")
    assert status == "True" and CANARY not in message
    assert "a change of Secret 'basic' is seen within 5m" in message
    assert f"kubectl -n {NAMESPACE} label secret basic artifactindex.dev/role=source" in message


def test_no_two_conditions_of_one_object_contradict_each_other() -> None:
    """What is blocked is not left out, and the other way round; a name taken twice is blocked."""
    basic = {**source("basicAuth"), "name": "twin"}
    twins = plans_from(*(index_state(index(name, basic)) for name in ("m8a", "m8b")))
    status = status_of(*twins, OMITTED, GOOD, spec={"maxBuildDuration": "12h"})
    ready, risk = message_of(status), message_of(status, "DependencyConfusionRisk")
    assert "'m8b': NameConflict: spec.name 'twin' is taken by ArtifactIndex 'm8a'" in ready
    assert "kubectl -n builders patch artifactindex m8b --type=merge" in ready
    assert "'omitted'" in risk and "whenUnavailable to Block" in risk
    assert "'m8b'" not in risk and "'omitted'" not in ready
    own = message_of(index_status(index("m8b", basic), twins[1], NOW))
    assert own.startswith("spec.name 'twin'") and own in ready


async def test_the_time_in_a_message_costs_no_write_while_it_is_waited_for() -> None:
    engine = Engine()
    engine.time += 0.7
    engine.index("acme", {**source("basicAuth"), "name": "acme"})
    engine.options()
    await engine.settle()
    _, reason, message = engine.ready("artifactindexes", "acme")
    assert (
        reason == "SecretNotFound" and "Stalled if it is missing at 2027-01-15T08:05:00Z" in message
    )
    writes = engine.record_writes()
    for seconds in (0.1, 7.3, 200):
        engine.time += seconds
        await engine.settle()
    assert not writes
    engine.time += 100
    await engine.settle()
    assert writes and "Stalled if" not in engine.ready("artifactindexes", "acme")[2]
