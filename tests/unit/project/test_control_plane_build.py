"""The table of Kubernetes releases, what a build of one shows, and what its programs inherit."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.control_plane import progress, releases
from support.control_plane.builder import Program, Toolchain, cache_folder, ensure_built
from support.control_plane.processes import environment
from support.control_plane.progress import compiled, estimate

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("release", releases.RELEASES.values(), ids=releases.RELEASES)
def test_a_release_is_pinned_with_every_module_of_its_own(release: releases.Release) -> None:
    pins = (release.toolchain.modules / "kubernetes" / "go.mod").read_text()
    staged = release.version.replace("v1.", "v0.")
    assert f"require k8s.io/kubernetes {release.version}\n" in pins
    replaced = re.findall(r"^\tk8s\.io/\S+ => k8s\.io/\S+ (\S+)$", pins, re.MULTILINE)
    assert len(replaced) > 25 and set(replaced) == {staged}


def test_each_release_has_a_cache_of_its_own() -> None:
    folders = {cache_folder(release.toolchain) for release in releases.RELEASES.values()}
    assert len(folders) == len(releases.RELEASES) > 1


def test_the_variable_chooses_a_release_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(releases.VARIABLE, raising=False)
    assert releases.chosen() == releases.DEFAULT
    monkeypatch.setenv(releases.VARIABLE, releases.NEWEST.minor)
    assert releases.chosen() == releases.NEWEST
    monkeypatch.setenv(releases.VARIABLE, "1.2")
    with pytest.raises(ValueError, match=r"KUBERNETES is '1\.2'; the table has 1\.34, 1\.37"):
        releases.chosen()


@pytest.mark.parametrize(
    ("begun", "seconds", "says"),
    [
        (0, 1, "0%, 0 of 2000 packages"),
        (100, 5, "5%, 100 of 2000 packages"),
        (500, 60, "25%, 500 of 2000 packages, about 3 min left"),
        (1600, 200, "80%, 1600 of 2000 packages, about 50 s left"),
        (1999, 240, "100%, 1999 of 2000 packages, about 10 s left"),
        (2000, 250, "100%, 2000 of 2000 packages, linking"),
    ],
)
def test_a_build_is_estimated_by_its_pace(begun: int, seconds: float, says: str) -> None:
    assert estimate(begun, 2000, seconds) == says


def test_only_packages_of_this_build_count(tmp_path: Path) -> None:
    log = tmp_path / "build.log"
    log.write_text("of/an/earlier\nbuild\n")
    describe = compiled(log, log.stat().st_size, 4)
    with log.open("a") as file:
        file.write("go: downloading example.com/a v1.0.0\nfmt\n# example.com/a\nexample.com/a\n")
    assert describe(1) == "50%, 2 of 4 packages, about 10 s left"


def test_a_build_shows_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A go command that waits between its packages until its progress was shown."""
    shown = tmp_path / "shown"
    go = tmp_path / "go"
    go.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = list ]; then printf "unsafe\\nfmt\\na\\nb\\nc\\n"; exit; fi\n'
        "echo fmt; echo a\n"
        f'while [ ! -e "{shown}" ]; do sleep 0.05; done\n'
        "echo b; echo c\n"
        'for each; do if [ "$before" = -o ]; then echo made >"$each"; fi; before=$each; done\n'
    )
    go.chmod(0o755)
    real = estimate

    def noticed(begun: int, packages: int, seconds: float) -> str:
        if begun == 2:
            shown.touch()
        return real(begun, packages, seconds)

    monkeypatch.setattr(progress, "estimate", noticed)
    monkeypatch.setattr(progress, "PROGRESS_SECONDS", 0.05)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("ARTIFACT_INDEX_CACHE", str(tmp_path / "cache"))
    (tmp_path / "modules" / "m").mkdir(parents=True)
    tools = Toolchain("t", "v1", tmp_path / "modules", "-s", {"p": Program("example.com/p", "m")})

    assert (ensure_built(["p"], tools) / "p").read_text() == "made\n"

    said = capfd.readouterr().err
    assert "downloading Go modules (once): ended" in said
    assert re.search(r"^building p \(once\): \d+ s; 50%, 2 of 4 packages", said, re.MULTILINE)
    assert "building p (once): ended" in said


def test_a_variable_that_goes_while_they_are_read_is_no_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Going(dict[str, str]):
        def __iter__(self) -> Iterator[str]:
            yield from ("PATH", "PYTEST_CURRENT_TEST", "AWS_REGION")

    monkeypatch.setattr(os, "environ", Going(PATH="/bin", AWS_REGION="eu-west-1"))
    assert environment("AWS_") == {"PATH": "/bin", "PYTEST_CURRENT_TEST": ""}
