"""/metrics as a whole: its names, its formats, and how it is written."""

import asyncio
import threading
from typing import Any

import pytest
from prometheus_client.openmetrics import parser as openmetrics

from artifact_index.api.constants import ARTIFACT_INDEX_KIND
from artifact_index.credentials.tokens.token_state import HeldToken
from artifact_index.metrics.catalogue import CATALOGUE, LABELS, PREFIX
from artifact_index.metrics.counters import Counters
from artifact_index.metrics.exposition import Exposition
from artifact_index.metrics.live import Snapshot
from support.scrapes import (
    EXPIRY,
    SECRET,
    cluster_options,
    code_artifact,
    condition,
    exposition,
    index,
    options,
    output,
    scraped,
    state,
)

pytestmark = pytest.mark.unit


async def test_a_scrape_and_the_catalogue_name_the_same_metrics() -> None:
    counters = Counters("1")
    counters.cloud_answered(provider="google-token", result="ok", seconds=1)
    counters.cloud_answered(provider="codeartifact-endpoint", result="ok", seconds=1)
    counters.api_request(verb="get", resource="secrets", subresource="", code=200, seconds=1)
    counters.reconciled(kind=ARTIFACT_INDEX_KIND, result="ok", seconds=1)
    counters.leadership("won")
    conditions = [condition("Ready", "False", "A"), condition("Stalled", "True", "A")]
    login = HeldToken(code_artifact(SECRET), EXPIRY, EXPIRY)
    snapshot = state(
        indexes=[index("a", status={"conditions": conditions})],
        options=[options(), cluster_options(namespaces={"selected": 1})],
        outputs=[output("a")],
        logins=[login],
    )
    ours = {
        name: item
        for name, item in (await scraped(snapshot, counters)).items()
        if name.startswith(PREFIX)
    }
    assert set(ours) == {item.name.removesuffix("_total") for item in CATALOGUE}
    for item in CATALOGUE:
        family = ours[item.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (item.type, item.summary)
        assert family.samples, item.name
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(item.labels)


def test_names_and_units_are_as_prometheus_wants_them() -> None:
    for item in CATALOGUE:
        assert item.name.startswith(PREFIX) and item.name.endswith("_total") == (
            item.type == "counter"
        )
        assert ("s" in item.unit.split(", ")[-1].split()) == item.name.endswith("_seconds")
        assert bool(item.buckets) == (item.type == "histogram")
        assert list(item.buckets) == sorted(set(item.buckets))
        assert item.summary.endswith(".")
    assert set(LABELS) == {label for item in CATALOGUE for label in item.labels}


async def test_whoever_asks_for_open_metrics_gets_it() -> None:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    body, content_type = await exposition(state()).scrape(accept)
    assert content_type.startswith("application/openmetrics-text")
    families = list(openmetrics.text_string_to_metric_families(body.decode()))  # type: ignore[no-untyped-call]
    assert f"{PREFIX}mints" in {family.name for family in families}


async def test_the_text_is_written_beside_the_event_loop_from_a_state_taken_on_it() -> None:
    threads: dict[str, int] = {}

    def snapshot() -> Snapshot:
        threads["state"] = threading.get_ident()
        return state(logins=Logins())

    class Logins(list[HeldToken]):
        def __iter__(self) -> Any:
            threads["text"] = threading.get_ident()
            return super().__iter__()

    await Exposition(Counters("1"), snapshot).scrape("")
    assert threads["state"] == threading.get_ident() != threads["text"]


async def test_scrapes_at_once_take_their_turns() -> None:
    two_at_once = threading.Barrier(2)
    met: list[bool] = []

    class Logins(list[HeldToken]):
        def __iter__(self) -> Any:
            try:
                two_at_once.wait(timeout=0.1)
                met.append(True)
            except threading.BrokenBarrierError:
                two_at_once.reset()
                met.append(False)
            return super().__iter__()

    whole = exposition(state(logins=Logins()))
    await asyncio.gather(*(whole.scrape("") for _ in range(3)))
    assert met == [False, False, False]
