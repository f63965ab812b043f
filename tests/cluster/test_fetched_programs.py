"""Published programs, fetched from an index on loopback by the real setup-envtest."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.control_plane import ControlPlane, ControlPlaneUnavailable
from support.control_plane.binaries import find_binaries
from support.control_plane.builder import cache_folder, ensure_built
from support.control_plane.fetched import PROGRAMS, TOOLS, ensure_fetched
from support.control_plane.releases import DEFAULT
from support.envtest_index import Index, open_index

pytestmark = pytest.mark.cluster

PATCH = f"v{DEFAULT.minor}.1"


@pytest.fixture
def index(
    control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Index]:
    """An empty index, and a machine that has built setup-envtest and nothing else."""
    tool = ensure_built(["setup-envtest"], TOOLS) / "setup-envtest"
    monkeypatch.setenv("ARTIFACT_INDEX_CACHE", str(tmp_path / "cache"))
    folder = cache_folder(TOOLS)
    folder.mkdir(parents=True)
    (folder / "setup-envtest").symlink_to(tool)
    for name in ("KUBEBUILDER_ASSETS", "CI", "KUBERNETES"):
        monkeypatch.delenv(name, raising=False)
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text("#!/bin/sh\necho nothing is built here\nexit 3\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", str(go.parent))
    served = tmp_path / "index"
    served.mkdir()
    with open_index(served) as opened:
        monkeypatch.setenv("ENVTEST_INDEX", opened.url)
        yield opened


@pytest.fixture
def stubs(tmp_path: Path) -> dict[str, Path]:
    """Programs that are none: what only compares checksums needs no more."""
    found = {}
    for name in PROGRAMS:
        found[name] = tmp_path / f"stub-{name}"
        found[name].write_text(f"#!/bin/sh\necho {name}\n")
        found[name].chmod(0o755)
    return found


def fetched(index: Index) -> list[str]:
    """What the cache holds of it."""
    folder = index.folder.parent / "cache" / "envtest"
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.stat().st_size)


def test_fetched_programs_run_a_control_plane_and_are_fetched_once(
    control_plane: ControlPlane, index: Index
) -> None:
    built = control_plane.binaries
    index.publish(
        PATCH,
        {"etcd": built.etcd, "kube-apiserver": built.kube_apiserver, "kubectl": built.kubectl},
    )
    index.publish("v1.99.0", {})

    with ControlPlane() as plane:
        assert not plane.has_garbage_collection
        assert plane.kubectl("get", "ns", "-o", "name").stdout.split() != []
        folder = plane.binaries.kube_apiserver.parent

    asked = len(index.asked)
    assert find_binaries().etcd == folder / "etcd"
    assert len(index.asked) == asked
    # Its owner can remove the folder.
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_the_newest_patch_version_is_taken(index: Index, stubs: dict[str, Path]) -> None:
    index.publish(PATCH, stubs)
    index.publish(f"v{DEFAULT.minor}.10", stubs)
    ensure_fetched(DEFAULT.minor)
    (archive,) = [path for path in index.asked if path.endswith(".tar.gz")]
    assert f"-v{DEFAULT.minor}.10-" in archive


def test_another_checksum_is_refused_and_a_build_begins(
    index: Index, stubs: dict[str, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    index.publish(PATCH, stubs, checksum="0" * 128)
    with pytest.raises(ControlPlaneUnavailable, match="nothing is built here"):
        find_binaries()
    said = capfd.readouterr().err
    assert f"Kubernetes {DEFAULT.minor} is not fetched but built" in said
    assert "checksum mismatch" in said
    assert fetched(index) == []


def test_an_incomplete_archive_is_refused(index: Index, stubs: dict[str, Path]) -> None:
    del stubs["kubectl"]
    index.publish(PATCH, stubs)
    with pytest.raises(ControlPlaneUnavailable, match="the archive has no kubectl"):
        ensure_fetched(DEFAULT.minor)
    assert fetched(index) == []


def test_an_index_without_the_release_is_no_help(index: Index) -> None:
    with pytest.raises(ControlPlaneUnavailable, match="unable to find a version"):
        ensure_fetched(DEFAULT.minor)


def test_a_machine_without_the_index_builds(
    index: Index, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ENVTEST_INDEX", "http://127.0.0.1:9/envtest-releases.yaml")
    with pytest.raises(ControlPlaneUnavailable, match="nothing is built here"):
        find_binaries()
    assert "unable to perform request to get index" in capfd.readouterr().err


def test_ci_fetches_nothing(
    index: Index, stubs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests of garbage collection would be skipped."""
    index.publish(PATCH, stubs)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(ControlPlaneUnavailable, match="nothing is built here"):
        find_binaries()
    assert index.asked == []
