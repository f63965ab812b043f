"""What is equal in ten thousand specs is held once, and what differs is never mixed up."""

from typing import Any

import pytest

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.base import parse_spec
from artifact_index.api.interning import intern_equal

pytestmark = pytest.mark.unit


def spec(secret: str = "aws-login", **more: Any) -> ArtifactIndexSpec:
    source = {
        "domain": "acme",
        "domainOwner": "111122223333",
        "region": "eu-west-1",
        "repository": "releases",
        "tokenDuration": "12h",
        "auth": {"secretRef": {"name": secret}},
        **more,
    }
    return parse_spec(ArtifactIndexSpec, {"codeArtifact": source})


def test_equal_sources_of_two_indexes_are_one_object() -> None:
    assert spec().code_artifact is spec().code_artifact


def test_sources_that_differ_share_only_what_is_equal() -> None:
    one, other = spec().code_artifact, spec(repository="snapshots").code_artifact
    assert one is not None and other is not None
    assert (one.repository, other.repository) == ("releases", "snapshots")
    assert one.auth is other.auth
    assert one.token_duration is other.token_duration
    another = spec("other-login").code_artifact
    assert another is not None and another.auth != one.auth


def test_a_source_with_tags_is_parsed_all_the_same() -> None:
    role = {"roleARN": "arn:aws:iam::111122223333:role/builders", "tags": {"team": "a"}}
    assert spec(assumeRole=role) == spec(assumeRole=role)


def test_equal_values_of_different_types_stay_apart() -> None:
    assert intern_equal(1) is not intern_equal(True)
    assert intern_equal(1.0) is not intern_equal(1)
