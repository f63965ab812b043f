"""What the bench says of tenants: which limits of the good one are broken, and what is created."""

import base64
import time
from dataclasses import replace

import pytest
from bench.tenants.live import ALONE, ARRIVING, BESIDE, Watched
from bench.tenants.plan import A_FEW, EVERYBODY, GOOD, NAMESPACES, Limits, Tenants
from bench.tenants.probes import HealthAsked, NewFiles
from bench.tenants.report import broken_limits, tenants_table
from bench.tenants.witness import Seen, Witness

from support.clouds import AwsStandIn
from support.clouds.tokens import IssuedToken
from support.kube_proxy import KubeProxy

pytestmark = pytest.mark.unit

PLAN = Tenants("tenants", limits=Limits(life=400.0))


@pytest.fixture
def witness() -> Witness:
    # Neither is asked for anything here.
    return Witness(KubeProxy.__new__(KubeProxy), AwsStandIn())


@pytest.fixture
def alone(witness: Witness) -> Watched:
    files = NewFiles(witness.proxy, witness, waits=[0.2] * 100)
    health = HealthAsked(asked=200)
    return Watched(
        ALONE, 100.0, files, health, Seen(held=50, least_life=410.0), 0.05, 100.0, 1.0, 100
    )


def beside(alone: Watched, waits: list[float]) -> Watched:
    return replace(alone, name=BESIDE, files=replace(alone.files, waits=waits))


def test_a_good_tenant_that_notices_nothing_breaks_no_limit(alone: Watched) -> None:
    phases = [alone, beside(alone, [0.3] * 100)]

    assert broken_limits(PLAN, phases) == []
    assert "beside others over alone: p50 1.50, p99 1.50" in tenants_table(PLAN, phases)


def test_what_a_bare_loop_takes_longer_is_not_the_operators(alone: Watched) -> None:
    bare = replace(alone.files, waits=[0.1] * 100)
    busy = replace(bare, waits=[0.3] * 100)
    phases = [replace(alone, bare=bare), replace(beside(alone, [0.6] * 100), bare=busy)]

    assert broken_limits(PLAN, phases) == []
    shown = tenants_table(PLAN, phases)
    assert "over alone: p50 raw 3.00, p50 1.50, p99 raw 3.00, p99 1.50" in shown

    waits = [*[4.0] * 98, 8.0, 8.0]
    arriving = replace(alone, name=ARRIVING, files=replace(bare, waits=waits), bare=None)
    slow = replace(bare, waits=[wait - 1.9 for wait in waits])
    assert len(broken_limits(PLAN, [*phases, arriving])) == 1
    assert broken_limits(PLAN, [*phases, replace(arriving, bare=slow)]) == []
    assert broken_limits(PLAN, [*phases, replace(arriving, bare=replace(slow, waits=waits[::-1]))])


def test_each_limit_is_watched(alone: Watched) -> None:
    bad = replace(
        beside(alone, [0.2] * 98 + [3.0, 3.0]),
        lag_p99=0.25, memory=251.0, mints=2000, lookups=99_999,
        health=HealthAsked(asked=200, bad=1), seen=Seen(withdrawn=2, held=48, least_life=399.0),
    )  # fmt: skip

    assert broken_limits(PLAN, [alone, bad]) == [
        "tenants, beside others: 3.00 s to a new file at p99, more than 2.00",
        "tenants, beside others: 2.00 tokens withdrawn, more than 0.00",
        "tenants, beside others: 2.00 tokens missing at the end, more than 0.00",
        "tenants, beside others: 1.00 bad answers of /healthz, more than 0.00",
        "tenants, beside others: 250.00 ms of lag at p99, more than 100.00",
        "tenants, beside others: 251.00 MiB, more than 250.00",
        "tenants, beside others: 20.00 mints in a second, more than 10.50",
        "tenants, beside others: 99999.00 lookups of URLs, more than 21324.00",
        "tenants, beside others: a token had 399.0 s left, promised were 400.0",
        "tenants: p99 beside others is 15.00 times that alone, more than 1.5",
    ]


def test_every_tenant_has_what_the_scene_says() -> None:
    aws = AwsStandIn()

    hostile = list(A_FEW.hostile_objects(aws))

    found = [(namespace, resource.plural) for resource, namespace, _ in hostile]
    assert {namespace for namespace, _ in found} == set(NAMESPACES) - {GOOD}
    assert found.count(("refused", "artifactindexes")) == A_FEW.refused
    assert found.count(("hung", "artifactindexes")) == A_FEW.hung
    assert found.count(("large", "indexoptions")) == A_FEW.large_files
    assert found.count(("slow", "indexoptions")) == A_FEW.slow
    assert found.count(("hoard", "secrets")) == A_FEW.hoard
    regions = {
        body["spec"]["codeArtifact"]["region"]
        for resource, namespace, body in hostile
        if (resource.plural, namespace) == ("artifactindexes", "hung")
    }
    assert len(regions) == A_FEW.regions
    good = [resource.plural for resource, _, _ in EVERYBODY.good_objects(aws)]
    assert good.count("artifactindexes") == 50


def test_a_token_that_is_replaced_or_lost_is_noted_with_what_it_had_left(witness: Witness) -> None:
    tokens = [mint(witness.aws, life) for life in (100, 200)]

    for token in tokens:
        witness._observe(output(f"https://aws:{token}@acme.example/"), deleted=False)
    first = witness.take()
    witness._observe(output("https://acme.unavailable.invalid/simple/"), deleted=False)
    second = witness.take()

    assert (first.replaced, first.withdrawn) == (1, 0)
    assert 90 < first.least_life <= 100
    assert (second.replaced, second.withdrawn) == (0, 1)
    assert 190 < second.least_life <= 200
    assert witness.served.keys() == {"uv-config"}


def mint(aws: AwsStandIn, life: float) -> str:
    now = time.time()
    token = IssuedToken(f"token-of-{life}", "ci", "acme", now, now + life)
    return aws.tokens.add(token).value


def output(url: str) -> dict[str, object]:
    text = f'[[index]]\nname = "acme"\nurl = "{url}"\n'
    data = {"uv.toml": base64.b64encode(text.encode()).decode()}
    return {"metadata": {"name": "uv-config"}, "data": data}
