"""What `check` prints: text, JSON, workflow commands of GitHub, SARIF; and how it exits."""

import json
from pathlib import Path

import pytest

from artifact_index.cli import main
from support.manifests import document
from support.reconcile_builders import NAMESPACE, source

pytestmark = pytest.mark.unit


ELSEWHERE = document({}, "IndexOptions").replace(NAMESPACE, "elsewhere")
BAD = document({**source("anonymous"), "priorty": 3}) + "---\n" + ELSEWHERE


@pytest.fixture
def bad(tmp_path: Path) -> str:
    path = tmp_path / "bad, 1.yaml"
    path.write_text(BAD)
    return str(path)


def test_text(bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-f", bad]) == 1

    first, _, last = capsys.readouterr().out.splitlines()
    assert first == (
        f"{bad}:9  error  ArtifactIndex builders/acme: Invalid: "
        "spec.priorty is no field; did you mean priority?"
    )
    assert last == "2 objects, 1 error, 1 warning"


def test_json(bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-f", bad, "-o", "json"]) == 1

    report = json.loads(capsys.readouterr().out)
    assert (report["apiVersion"], report["kind"]) == ("cli.artifactindex.dev/v1", "CheckReport")
    assert report["objects"] == 2
    assert report["findings"][0] == {
        "file": bad,
        "line": 9,
        "severity": "error",
        "object": "ArtifactIndex builders/acme",
        "reason": "Invalid",
        "message": "spec.priorty is no field; did you mean priority?",
    }


def test_github(bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-f", bad, "-o", "github"]) == 1

    first = capsys.readouterr().out.splitlines()[0]
    assert first == (
        f"::error file={bad.replace(',', '%2C')},line=9,title=Invalid::"
        "ArtifactIndex builders/acme: spec.priorty is no field; did you mean priority?"
    )


def test_sarif(bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-f", bad, "-o", "sarif"]) == 1

    log = json.loads(capsys.readouterr().out)
    (run,) = log["runs"]
    assert log["version"] == "2.1.0"
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == {"Invalid", "NoIndexes"}
    assert [(result["ruleId"], result["level"]) for result in run["results"]] == [
        ("Invalid", "error"),
        ("NoIndexes", "warning"),
    ]
    (location,) = run["results"][0]["locations"]
    assert location["physicalLocation"]["region"] == {"startLine": 9}


def test_warnings_fail_with_strict(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(document({}, "IndexOptions"))

    assert main(["check", "-f", str(tmp_path)]) == 0
    assert main(["check", "-f", str(tmp_path), "--strict"]) == 1


@pytest.mark.parametrize("output", ["text", "github", "json"])
def test_no_object_is_bad(output: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text("a: 1")

    assert main(["check", "-f", str(tmp_path), "-o", output]) == 1
    assert "no ArtifactIndex and no IndexOptions" in capsys.readouterr().err


def test_what_a_manifest_says_commands_neither_terminal_nor_ci(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(document({"\x1b]0;t\x07\n::stop-commands::x": 1}, name="a\x1b[2J\n::error::b"))

    for command in ("check", "render"):
        assert main([command, "-f", str(path)]) == 1
        shown = capsys.readouterr()
        lines = (shown.out + shown.err).splitlines()
        assert any(r"a\x1b[2J\n::error::b" in line for line in lines)
        assert all(line.isprintable() and not line.startswith("::") for line in lines)
