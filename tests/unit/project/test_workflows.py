"""The workflows take the least rights, keep no secret, and call targets that exist."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.interpreters import SUPPORTED
from support.operator_process import REPOSITORY

pytestmark = pytest.mark.unit

WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
PINNED = re.compile(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
WRITES = {
    ("release", "publish"): {"attestations", "id-token", "packages"},
    ("release", "package"): {"id-token"},
    ("release", "announce"): {"contents"},
}
"""What a job may write, and nobody else; each line of it says for what."""


def jobs(workflow: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(workflow.read_text())["jobs"]
    return found


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_an_action_is_pinned_by_its_digest_and_names_its_version(workflow: Path) -> None:
    used = re.findall(r"uses: (.+)$", workflow.read_text(), re.MULTILINE)
    assert used
    assert [each for each in used if not each.startswith("./") and not PINNED.fullmatch(each)] == []


def test_one_version_of_each_action() -> None:
    texts = "\n".join(path.read_text() for path in WORKFLOWS)
    used = set(re.findall(r"uses: ([\w-].+)$", texts, re.MULTILINE))
    assert len({each.partition("@")[0] for each in used}) == len(used)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_job_has_only_the_rights_that_it_names(workflow: Path) -> None:
    found = yaml.safe_load(workflow.read_text())
    assert found["permissions"] == {} and found["defaults"] == {"run": {"shell": "bash"}}
    for name, job in jobs(workflow).items():
        writes = {right for right, kind in job["permissions"].items() if kind != "read"}
        assert writes == WRITES.get((workflow.stem, name), set())
        assert "timeout-minutes" in job or "uses" in job


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_no_secret_is_kept_and_every_target_is_there(workflow: Path) -> None:
    text = workflow.read_text()
    assert "secrets." not in text
    assert set(re.findall(r"\bmake ([a-z-]+)", text)) <= TARGETS


def version(text: str) -> tuple[int, int]:
    """Its first two numbers."""
    major, minor = text.split(".")[:2]
    return int(major), int(minor)


def test_the_go_of_the_workflows_builds_every_module() -> None:
    texts = "\n".join(path.read_text() for path in WORKFLOWS)
    (given,) = set(re.findall(r'go-version: "(\d+\.\d+)"', texts))
    modules = [path.read_text() for path in (REPOSITORY / "tests").rglob("go.mod")]
    needed = [re.findall(r"^go (\d+\.\d+)", module, re.MULTILINE)[0] for module in modules]
    assert max(map(version, needed)) <= version(given)


def test_every_python_that_is_supported_is_there_for_the_checks() -> None:
    checks = yaml.safe_load((REPOSITORY / ".github/workflows/checks.yml").read_text())
    (given,) = [
        step["with"]["python-version"]
        for step in checks["jobs"]["checks"]["steps"]
        if step.get("uses", "").startswith("actions/setup-python@")
    ]
    assert set(given.split()) == set(SUPPORTED)


def test_every_update_waits_a_week() -> None:
    updates = yaml.safe_load((REPOSITORY / ".github" / "dependabot.yml").read_text())["updates"]
    assert {each["cooldown"]["default-days"] for each in updates} == {7}
    for each in updates:
        for folder in each.get("directories", [each.get("directory")]):
            assert list(REPOSITORY.glob(folder.strip("/") or "Dockerfile"))
