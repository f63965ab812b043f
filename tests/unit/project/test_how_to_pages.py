"""What the how-to pages give to paste: our objects and the chart's values are valid."""

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from tools.monitoring.rules import ALERTS

from artifact_index.api.base import ApiModel
from artifact_index.api.reasons import Reason
from artifact_index.crdgen.kinds import KINDS
from support.chart import render
from support.operator_process import REPOSITORY

pytestmark = pytest.mark.unit

HOW_TO = REPOSITORY / "docs" / "how-to"
PAGES = (
    "cloudsmith", "cluster-kinds", "jfrog", "migrate", "multi-tenancy", "operate", "registries",
    "token-exchange", "troubleshooting",
)  # fmt: skip
MODELS: dict[str, type[ApiModel]] = {kind.kind: kind.spec for kind in KINDS}
HOSTS = ("Artifactory", "Nexus", "GitLab", "Azure DevOps", "Gemfury", "Cloudsmith", "devpi")


def blocks(page: str, language: str) -> list[str]:
    text = (HOW_TO / f"{page}.md").read_text()
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    return [re.sub(f"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def documents(page: str) -> Iterator[dict[str, Any]]:
    for block in blocks(page, "yaml"):
        yield from yaml.safe_load_all(block)


def fields(value: Any, path: str = "") -> set[str]:
    """The paths of all fields below a value; what labels are called is the user's."""
    if not isinstance(value, dict) or path.endswith("matchLabels"):
        return {path}
    return {path}.union(*(fields(item, f"{path}.{name}") for name, item in value.items()))


@pytest.mark.parametrize("page", PAGES)
def test_every_object_of_ours_is_valid_and_has_no_other_field(page: str) -> None:
    for found in documents(page):
        model = MODELS.get(found.get("kind", ""))
        if model is not None:
            assert found["apiVersion"] == "artifactindex.dev/v1alpha1"
            known = model.model_validate(found["spec"]).model_dump(by_alias=True)
            assert fields(found["spec"]) <= fields(known)


@pytest.mark.usefixtures("helm")
def test_every_other_piece_is_values_that_the_chart_takes() -> None:
    pieces = [found for page in PAGES for found in documents(page) if "kind" not in found]
    assert pieces
    settings = {name: each for piece in pieces for name, each in piece.get("settings", {}).items()}
    joined = {name: value for piece in pieces for name, value in piece.items()}
    image = {"repository": "registry.example.com/artifact-index-operator"}
    assert render({**joined, "settings": settings, "image": image})


@pytest.mark.parametrize("page", PAGES)
def test_every_shell_block_can_be_parsed(page: str) -> None:
    for block in blocks(page, "sh"):
        subprocess.run(["bash", "-n"], input=block, text=True, check=True)


def test_each_registry_has_a_row_a_section_and_an_index_of_its_own() -> None:
    text = (HOW_TO / "registries.md").read_text()
    for host in HOSTS:
        assert re.search(rf"^\| \[{host}\]\(#", text, re.MULTILINE)
        assert f"\n## {host}\n" in text
    indexes = [each for each in documents("registries") if each["kind"] == "ArtifactIndex"]
    assert len(indexes) == len(HOSTS)


def test_every_reason_and_alert_that_a_table_names_is_one() -> None:
    known = {str(reason) for reason in Reason} | {each["alert"] for each in ALERTS}
    text = (HOW_TO / "troubleshooting.md").read_text()
    named = re.findall(r"^\| ((?:`[A-Z]\w+`(?:, )?)+) \|", text, re.MULTILINE)
    assert len(named) > 15
    assert {reason for row in named for reason in re.findall(r"`(\w+)`", row)} <= known
