"""The operator of another commit: what is said where this checkout does not hold the commit."""

import subprocess
from pathlib import Path

import pytest

from support import other_operator
from support.other_operator import RevisionUnavailable, environment_of

pytestmark = pytest.mark.unit


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of two commits, without an operator."""
    folder = tmp_path / "full"
    folder.mkdir()
    git(folder, "init", "--quiet")
    for name in ("one", "two"):
        git(folder, "commit", "--quiet", "--allow-empty", "-m", name)
        git(folder, "tag", name)
    monkeypatch.setattr(other_operator, "_REPOSITORY", folder)
    monkeypatch.setenv("ARTIFACT_INDEX_CACHE", str(tmp_path / "cache"))
    return folder


@pytest.mark.usefixtures("repository")
def test_a_commit_that_nobody_knows() -> None:
    with pytest.raises(RevisionUnavailable, match="does not hold 1234567: `git fetch` may get it"):
        environment_of("1234567")


def test_a_shallow_clone(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{repository}", str(shallow))
    monkeypatch.setattr(other_operator, "_REPOSITORY", shallow)
    with pytest.raises(RevisionUnavailable, match=r"is shallow .*`git fetch --unshallow` gets it"):
        environment_of("HEAD~1")


def test_a_folder_without_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_operator, "_REPOSITORY", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(RevisionUnavailable, match="has none: use a clone of the repository"):
        environment_of("HEAD")


@pytest.mark.usefixtures("repository")
def test_a_commit_without_an_operator() -> None:
    with pytest.raises(
        RevisionUnavailable, match=r"has not all of operator, requirements/runtime\.txt"
    ):
        environment_of("one")
