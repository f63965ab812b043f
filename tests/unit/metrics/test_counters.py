"""What is counted where it happens, as /metrics shows it."""

import pytest

from artifact_index.metrics.catalogue import PREFIX
from artifact_index.metrics.counters import Counters
from support.scrapes import measured, scraped, state, values

pytestmark = pytest.mark.unit


async def test_mints_are_counted_by_provider_and_result_and_endpoints_apart() -> None:
    counters = Counters("1")
    for provider, result in (
        ("codeartifact-token", "ok"),
        ("codeartifact-token", "ok"),
        ("codeartifact-token", "AccessDenied"),
        ("codeartifact-endpoint", "ok"),
    ):
        counters.cloud_answered(provider=provider, result=result, seconds=0.3)
    found = await scraped(state(), counters)
    assert values(found[f"{PREFIX}mints"], "provider", "result") == {
        ("codeartifact", "ok"): 2,
        ("codeartifact", "AccessDenied"): 1,
        ("azure", "ok"): 0,
        ("exchange", "ok"): 0,
        ("google", "ok"): 0,  # there from the start, so that the first one is an increase
    }
    assert values(found[f"{PREFIX}endpoint_lookups"], "result") == {("ok",): 1}
    duration = found[f"{PREFIX}mint_duration_seconds"]
    count, total, _ = measured(duration, provider="codeartifact")
    assert count == 3 and total == pytest.approx(0.9)


async def test_lateness_is_a_histogram_by_provider() -> None:
    counters = Counters("1")
    counters.refreshed(provider="google-token", late=250)
    found = await scraped(state(), counters)
    count, total, holding = measured(found[f"{PREFIX}refresh_lateness_seconds"], provider="google")
    assert (count, total, holding[0]) == (1, 250, "300.0")


async def test_passes_are_counted_by_kind_and_result_and_timed_by_kind() -> None:
    counters = Counters("1")
    counters.reconciled(kind="IndexOptions", result="ok", seconds=0.02)
    counters.reconciled(kind="IndexOptions", result="retry", seconds=0.04)
    found = await scraped(state(), counters)
    assert values(found[f"{PREFIX}reconciles"], "kind", "result") == {
        ("IndexOptions", "ok"): 1,
        ("IndexOptions", "retry"): 1,
    }
    duration = found[f"{PREFIX}reconcile_duration_seconds"]
    count, total, _ = measured(duration, kind="IndexOptions")
    assert count == 2 and total == pytest.approx(0.06)


async def test_api_requests_are_counted_by_all_that_rbac_knows_and_by_their_outcome() -> None:
    counters = Counters("1")
    for code in (200, 200, 0):
        counters.api_request(
            verb="patch", resource="indexoptions", subresource="status", code=code, seconds=0.01
        )
    found = await scraped(state(), counters)
    requests = found[f"{PREFIX}api_requests"]
    assert values(requests, "verb", "resource", "subresource", "code") == {
        ("patch", "indexoptions", "status", "200"): 2,
        ("patch", "indexoptions", "status", "0"): 1,
    }
    duration = found[f"{PREFIX}api_request_duration_seconds"]
    assert measured(duration, verb="patch")[0] == 3


async def test_the_lag_of_the_event_loop_is_a_histogram() -> None:
    counters = Counters("1")
    counters.loop_lag(0.07)
    found = await scraped(state(), counters)
    assert measured(found[f"{PREFIX}event_loop_lag_seconds"])[2][0] == "0.1"


async def test_build_and_process_are_told() -> None:
    found = await scraped(state(), Counters("1.2.3"))
    assert values(found[f"{PREFIX}build_info"], "version") == {("1.2.3",): 1}
    assert found["process_resident_memory_bytes"].samples[0].value > 10_000_000
