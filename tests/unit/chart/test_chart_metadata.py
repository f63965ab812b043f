"""What the index sites show of the chart is what the tree has."""

import re
import tomllib
from typing import Any

import pytest
import yaml

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.base import ApiModel
from artifact_index.api.index_options import IndexOptionsSpec
from support.chart import CHART
from support.operator_process import REPOSITORY

pytestmark = pytest.mark.unit

HOME = "https://github.com/artifact-index/artifact-index-operator"
MAIN = f"{HOME}/blob/main/"
RAW = f"{HOME.replace('//github.com', '//raw.githubusercontent.com')}/main/"
MODELS: dict[str, type[ApiModel]] = {
    "ArtifactIndex": ArtifactIndexSpec,
    "IndexOptions": IndexOptionsSpec,
}
README = (REPOSITORY / "README.md").read_text()


@pytest.fixture
def described() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CHART / "Chart.yaml").read_text())
    return found


def of_hub(described: dict[str, Any], name: str) -> Any:
    """An annotation for Artifact Hub, parsed."""
    return yaml.safe_load(described["annotations"][f"artifacthub.io/{name}"])


def test_its_addresses_are_files_of_this_tree(described: dict[str, Any]) -> None:
    assert described["home"] == HOME and described["sources"] == [HOME]
    assert (REPOSITORY / described["icon"].removeprefix(RAW)).is_file()
    for link in of_hub(described, "links"):
        assert (REPOSITORY / link["url"].removeprefix(MAIN)).is_file()


def test_it_lists_the_definitions_that_are_there(described: dict[str, Any]) -> None:
    there = {}
    for path in (REPOSITORY / "crds").glob("*_*.yaml"):
        definition = yaml.safe_load(path.read_text())
        spec = definition["spec"]
        version = spec["versions"][0]["name"]
        there[definition["metadata"]["name"]] = (spec["names"]["kind"], version)
    listed = {each["name"]: (each["kind"], each["version"]) for each in of_hub(described, "crds")}
    assert listed == there


def test_its_examples_are_valid(described: dict[str, Any]) -> None:
    examples = of_hub(described, "crdsExamples")
    assert {example["kind"] for example in examples} == set(MODELS)
    for example in examples:
        MODELS[example["kind"]].model_validate(example["spec"])


def test_each_badge_of_the_readme_is_true(described: dict[str, Any]) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    (lowest,) = re.findall(r">= (\d+\.\d+)", described["kubeVersion"])
    texts = re.findall(r"img\.shields\.io/badge/([^-]+)-(.+)-\w+\)\]", README)
    assert dict(texts) == {
        "licence": project["license"].replace("-", "--"),
        "Kubernetes": f"%E2%89%A5%20{lowest}",
        "Python": project["requires-python"].replace(">=", "%E2%89%A5%20"),
    }
    workflows = re.findall(r"/actions/workflows/([\w.]+)/badge", README)
    assert workflows == ["checks.yml"]
    assert all((REPOSITORY / ".github" / "workflows" / each).is_file() for each in workflows)
