"""/metrics while the API server refuses, and without the series of single objects."""

from collections.abc import Iterator

import pytest

from support.control_plane import wait_until
from support.emulated_world import OURS, EmulatedWorld, anonymous, emulated_world
from support.operator_process import OperatorProcess
from support.scrapes import Scrape
from support.world import PATIENCE, artifact_index, code_artifact, index_options

pytestmark = pytest.mark.emulated

REQUESTS = "artifact_index_api_requests_total"
PASSES = "artifact_index_reconciles_total"


@pytest.fixture(scope="module")
def world() -> Iterator[EmulatedWorld]:
    with emulated_world() as opened:
        yield opened


@pytest.fixture(scope="module")
def operator(world: EmulatedWorld) -> Iterator[OperatorProcess]:
    # A file that goes without a login which is on its way is written once more.
    flags = ("--relist-interval=1h", "--object-metrics=false", "--mint-patience=2m")
    with world.operator(*flags) as running:
        yield running


def test_without_series_of_objects_their_names_are_not_told(
    world: EmulatedWorld, operator: OperatorProcess
) -> None:
    source = code_artifact("key", endpoint="https://aws.example/pypi/python/")
    world.add(
        "quiet",
        world.access_key("key", "quiet"),
        artifact_index("acme", name="acme", codeArtifact=source),
        index_options("uv-config"),
    )
    world.wait_served("quiet", "acme")
    world.wait_reason("indexoptions", "quiet", "uv-config", "Available")
    wait_until(
        lambda: (
            Scrape(operator).total("artifact_index_objects", namespace="quiet", ready="True") == 2
        ),
        "both to be counted",
        PATIENCE,
    )
    text = Scrape(operator).text
    assert not [name for name in ("uv-config", "secret/key", "acme") if name in text]


def test_refused_writes_show_by_their_code_and_as_passes_that_come_again(
    world: EmulatedWorld, operator: OperatorProcess
) -> None:
    world.emulator.fail("create", "secrets", 500, count=None)
    world.add("refused", artifact_index("a", **anonymous("a")), index_options("uv-config"))
    world.wait_reason("indexoptions", "refused", "uv-config", "WriteFailed")

    def counted_alike() -> bool:
        refused = world.emulator.requests.matching("create", "secrets", user_agent=OURS, status=500)
        where = {"verb": "create", "resource": "secrets", "code": "500"}
        return len(refused) >= 3 and Scrape(operator).total(REQUESTS, **where) == len(refused)

    wait_until(counted_alike, "both to count the same refusals", PATIENCE)
    assert Scrape(operator).total(PASSES, kind="IndexOptions", result="retry") >= 2
    world.emulator.clear_faults()
    world.wait_served("refused", "a")
    world.wait_reason("indexoptions", "refused", "uv-config", "Available")


def test_a_file_is_not_looked_at_for_each_of_its_first_answers(
    world: EmulatedWorld, operator: OperatorProcess
) -> None:
    indexes = [
        artifact_index(f"i{number}", name=f"i{number}", codeArtifact=repository(number))
        for number in range(30)
    ]
    world.add("answers", world.access_key("key", "answers"), *indexes)
    for number in range(30):
        world.wait_reason("artifactindexes", "answers", f"i{number}", "NotSelected")
    world.settle()
    before = Scrape(operator).total(PASSES, kind="IndexOptions")
    world.add("answers", index_options("uv-config"))
    world.wait_served("answers", *(f"i{number}" for number in range(30)))
    world.wait_reason("indexoptions", "answers", "uv-config", "Available")
    # One asks, one writes; a third is that of an answer between the two.
    assert Scrape(operator).total(PASSES, kind="IndexOptions") - before <= 3


def repository(number: int) -> dict[str, object]:
    return code_artifact("key", repository=f"team-{number}")
