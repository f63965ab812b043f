"""The partition of a region is the one that the SDK says, of which each version may know more."""

import json
from pathlib import Path
from typing import Any

import botocore
import botocore.session
import pytest

from artifact_index.credentials.aws.call import partition_of, unknown_region

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


def test_the_regions_with_codeartifact_are_those_of_the_sdk_and_a_typo_is_told() -> None:
    regions = botocore.session.get_session().get_available_regions("codeartifact")
    assert not [region for region in regions if unknown_region(region)]
    for typo in ("eu-wst-1", "eu-west1"):
        told = f"{typo!r} has no CodeArtifact known to this version; did you mean 'eu-west-1'? "
        assert unknown_region(typo).endswith(told)
    assert unknown_region("moon-1").endswith("known to this version. ")
