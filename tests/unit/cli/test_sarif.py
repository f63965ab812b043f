"""Findings in SARIF satisfy its schema, whatever a file or a message is called."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from artifact_index.cli.offline.sarif import sarif
from artifact_index.cli.reports import CheckFinding, Severity

pytestmark = pytest.mark.unit


class Strict(BaseModel):
    """An object of SARIF's schema that has no other fields."""

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class Message(Strict):
    text: Annotated[str, Field(min_length=1)]


class Region(Strict):
    start_line: Annotated[int, Field(ge=1)]


class ArtifactLocation(Strict):
    # RFC 3986: a reference, in which every other character is percent-encoded.
    uri: Annotated[str, Field(pattern=r"^([A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-F]{2})+$")]


class PhysicalLocation(Strict):
    artifact_location: ArtifactLocation
    region: Region


class Location(Strict):
    physical_location: PhysicalLocation


class Result(Strict):
    rule_id: str
    level: Literal["none", "note", "warning", "error"]
    message: Message
    locations: list[Location]


class Rule(Strict):
    id: str


class Driver(Strict):
    name: Annotated[str, Field(min_length=1)]
    version: str
    rules: list[Rule]


class Tool(Strict):
    driver: Driver


class Run(Strict):
    tool: Tool
    results: list[Result]


class Sarif(BaseModel):
    """What of SARIF 2.1.0 (OASIS, sarif-schema-2.1.0.json) is written, with its constraints."""

    model_config = ConfigDict(extra="forbid", strict=True)

    schema_: Annotated[str, Field(alias="$schema")]
    version: Literal["2.1.0"]
    runs: list[Run]


@pytest.mark.parametrize("severity", ["error", "warning"])
@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("deploy/index.yaml", "deploy/index.yaml"),
        ("-", "-"),
        ("/a b#1%\u00fc.yaml", "/a%20b%231%25%C3%BC.yaml"),
    ],
)
def test_what_is_written_is_sarif(file: str, uri: str, severity: Severity) -> None:
    finding = CheckFinding(
        file=file, line=1, severity=severity, object="o", reason="Invalid", message="m"
    )

    log = Sarif.model_validate_json(sarif([finding, finding]))

    (run,) = log.runs
    assert [rule.id for rule in run.tool.driver.rules] == ["Invalid"]
    for result in run.results:
        (location,) = result.locations
        assert location.physical_location.artifact_location.uri == uri
        assert (result.level, result.message.text) == (severity, "o: m")


def test_no_finding_is_sarif() -> None:
    assert Sarif.model_validate_json(sarif([])).runs[0].results == []
