"""The page about compatibility names what the CRDs use, and the releases that the tests run."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.control_plane.releases import DEFAULT, RELEASES

pytestmark = pytest.mark.unit

TOP = Path(__file__).parents[3]
PAGE = TOP / "docs" / "reference" / "compatibility.md"
CRDS = sorted((TOP / "crds").glob("artifactindex.dev_*.yaml"))
OTHERS = ("docs/how-to/install.md", "tools/chart/README.md.in")
ALWAYS = {"rule", "message"}
"""Keys of a rule that came with the rules."""
PLAIN = {
    *("type", "description", "properties", "required", "items", "additionalProperties"),
    *("enum", "pattern", "format", "minimum", "maximum", "minLength", "maxLength"),
    *("minItems", "maxItems", "minProperties", "maxProperties", "nullable"),
}
"""Keys of a schema since `apiextensions.k8s.io/v1`."""


def used(definition: dict[str, Any]) -> Iterator[str]:
    """Names of what a definition uses beyond the keys that are as old as its API version."""
    plain = {"group", "names", "scope", "versions"}
    yield from definition["spec"].keys() - plain
    for version in definition["spec"]["versions"]:
        yield from version.keys() - {"name", "served", "storage", "schema"}
        yield from of_schema(version["schema"]["openAPIV3Schema"])


def of_schema(schema: dict[str, Any]) -> Iterator[str]:
    yield from schema.keys() - PLAIN
    for rule in schema.get("x-kubernetes-validations", ()):
        yield from rule.keys() - ALWAYS
        # Without the text of strings, in which parentheses are parts of patterns.
        code = re.sub(r"'(?:[^'\\]|\\.)*'", "''", rule["rule"])
        yield from (f"{name}()" for name in re.findall(r"(\w+)\(", code))
        if ".?" in code or "[?" in code:
            yield "optional fields"
    for inner in schema.get("properties", {}).values():
        yield from of_schema(inner)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from of_schema(schema[key])


def listed() -> dict[str, tuple[int, int]]:
    """What the page lists, and since which release."""
    table = PAGE.read_text().partition("| Used in the CRDs |")[2].partition("\n\n")[0]
    found: dict[str, tuple[int, int]] = {}
    for names, major, minor in re.findall(r"^\| (`.*?) \| (\d+)\.(\d+) \|", table, re.MULTILINE):
        found |= {name: (int(major), int(minor)) for name in re.findall(r"`([^`]+)`", names)}
    return found


def test_the_page_lists_what_the_crds_use() -> None:
    definitions = [yaml.safe_load(path.read_text()) for path in CRDS]
    assert len(definitions) == 4
    assert {name for each in definitions for name in used(each)} == set(listed())


def test_the_chart_requires_a_release_that_knows_all_of_it() -> None:
    chart = (TOP / "helm" / "artifact-index-operator" / "Chart.yaml").read_text()
    required = re.search(r'kubeVersion: ">= (\d+)\.(\d+)\.0-0"', chart)
    assert required is not None
    assert max(listed().values()) <= (int(required[1]), int(required[2]))


def test_a_newer_feature_would_be_found() -> None:
    rule = {"rule": "url(self).getHost() == 'f(x)'", "messageExpression": "'a'"}
    schema = {"properties": {"a": {"type": "string", "x-kubernetes-validations": [rule]}}}
    definition = {
        "spec": {"versions": [{"schema": {"openAPIV3Schema": schema}, "selectableFields": []}]}
    }
    assert set(used(definition)) == {
        *("selectableFields", "x-kubernetes-validations", "messageExpression"),
        *("url()", "getHost()"),
    }


def test_the_page_names_each_release_of_the_table() -> None:
    text = PAGE.read_text()
    rows = re.findall(r"^\| (1\.\d+\.\d+) \|", text, re.MULTILINE)
    assert rows == [release.version.removeprefix("v") for release in RELEASES.values()]
    assert "`tests/support/control_plane/releases.py` is the one table" in text


@pytest.mark.parametrize("name", OTHERS)
def test_another_page_names_the_same_releases(name: str) -> None:
    (claim,) = re.findall(r"[Tt]he tests run.*", (TOP / name).read_text())
    assert DEFAULT.minor in claim
    text = (TOP / name).read_text()
    assert all(minor in text for minor in RELEASES)
