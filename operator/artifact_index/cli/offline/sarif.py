"""Findings in SARIF 2.1.0, which GitHub, GitLab and editors read."""

import json
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from artifact_index import __version__
from artifact_index.cli.reports import CheckFinding

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(findings: Sequence[CheckFinding]) -> str:
    """The findings as one run."""
    rules = [{"id": reason} for reason in sorted({each.reason for each in findings})]
    driver = {"name": "artifact-index", "version": __version__, "rules": rules}
    run = {"tool": {"driver": driver}, "results": [_result(each) for each in findings]}
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _result(finding: CheckFinding) -> dict[str, Any]:
    location = {
        "artifactLocation": {"uri": quote(finding.file)},
        "region": {"startLine": finding.line},
    }
    return {
        "ruleId": finding.reason,
        "level": finding.severity,
        "message": {"text": f"{finding.object}: {finding.message}"},
        "locations": [{"physicalLocation": location}],
    }
