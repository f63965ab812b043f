"""The partition of a region is the one that the SDK says, of which each version may know more."""

import json
from pathlib import Path
from typing import Any

import botocore
import pytest

from artifact_index.credentials.aws.call import partition_of

pytestmark = pytest.mark.unit

DATA = Path(botocore.__file__).parent / "data"
PARTITIONS: list[dict[str, Any]] = json.loads((DATA / "partitions.json").read_text())["partitions"]
REGIONS = [
    (region, partition["id"])
    for partition in PARTITIONS
    for region in partition["regions"]
    if not region.endswith("-global")
]


@pytest.mark.parametrize(("region", "partition"), REGIONS)
def test_every_region_of_the_sdk_is_in_its_partition(region: str, partition: str) -> None:
    assert partition_of(region) == partition


@pytest.mark.parametrize("partition", PARTITIONS, ids=lambda each: each["id"])
def test_a_new_region_is_in_the_partition_that_its_name_tells(partition: dict[str, Any]) -> None:
    pattern = partition["regionRegex"].removeprefix("^").removesuffix("$").replace("\\-", "-")
    one = pattern.replace(r"\w+", "nowhere").replace(r"\d+", "99")
    for prefix in one.partition("(")[2].partition(")")[0].split("|"):
        region = f"{one.partition('(')[0]}{prefix}{one.partition(')')[2]}" if prefix else one
        assert partition_of(region) == partition["id"]


def test_a_region_that_the_sdk_does_not_know_is_in_the_first_partition() -> None:
    assert partition_of("nz-south-1") == "aws"
