"""The form of the reports: other programs read them, so a version of it only grows."""

import json
from pathlib import Path

import pytest

from artifact_index.cli import reports

pytestmark = pytest.mark.unit

GOLDEN = Path(__file__).parents[2] / "golden" / "cli" / "reports.json"
"""The JSON schema of each report. After a change on purpose, write what the test prints."""


def test_the_schemas_are_those_that_were_promised() -> None:
    schemas = {
        kind.__name__: kind.model_json_schema(mode="serialization")
        for kind in reports.Report.__subclasses__()
    }
    text = json.dumps(schemas, indent=2, sort_keys=True) + "\n"

    assert text == GOLDEN.read_text()
