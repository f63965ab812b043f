"""What the pages on the clouds give to paste: policies are JSON, objects are valid."""

import json
import re
from typing import Any

import pytest
import yaml

from artifact_index.api.artifact_index import ArtifactIndexSpec
from support.operator_process import REPOSITORY

pytestmark = pytest.mark.unit

PAGES = ("aws.md", "google.md", "azure.md")
NEEDED = {
    "codeartifact:GetAuthorizationToken",
    "codeartifact:GetRepositoryEndpoint",
    "codeartifact:ReadFromRepository",
    "sts:GetServiceBearerToken",
}


def blocks(page: str, language: str) -> list[str]:
    text = (REPOSITORY / "docs" / "how-to" / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def actions(policy: dict[str, Any]) -> set[str]:
    given = [item["Action"] for item in policy["Statement"]]
    return {name for item in given for name in ([item] if isinstance(item, str) else item)}


def fields(value: Any, path: str = "") -> set[str]:
    """The paths of all fields; what a user may name at will (tags) counts as one."""
    if not isinstance(value, dict) or path.endswith(".tags"):
        return {path}
    return {path}.union(*(fields(item, f"{path}.{name}") for name, item in value.items()))


def test_the_aws_policies_are_json_and_the_first_is_all_that_an_identity_needs() -> None:
    policies = [json.loads(text) for text in blocks("aws.md", "json")]
    assert actions(policies[0]) == NEEDED
    assert actions(policies[1]) == {"sts:AssumeRoleWithWebIdentity"}
    assert policies[2]["Action"] == "sts:AssumeRole"


@pytest.mark.parametrize("page", PAGES)
def test_every_index_on_a_page_is_valid_and_so_is_every_piece_of_one(page: str) -> None:
    whole, pieces = None, []
    for text in blocks(page, "yaml"):
        for part in yaml.safe_load_all(text):
            if part.get("kind") == "ArtifactIndex":
                whole = part
            elif "kind" not in part:
                pieces.append(part)
    assert whole is not None and pieces
    (source,) = [name for name in whole["spec"] if name != "name"]
    for piece in [{}, *pieces]:
        more = {"auth": piece} if "serviceAccountRef" in piece else piece
        spec = {**whole["spec"], source: {**whole["spec"][source], **more}}
        known = ArtifactIndexSpec.model_validate(spec).model_dump(by_alias=True)
        assert fields(spec) <= fields(known)
