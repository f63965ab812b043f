"""What a release is made of: the same bytes each time, and refusals that say what to do."""

import argparse
import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from tools.release.__main__ import save_image
from tools.release.checks import ReleaseError, check_tagged, check_version
from tools.release.containers import Builder
from tools.release.files import TOP, build_chart, build_package, write_checksums
from tools.release.inventory import Image, digest_of, read_image
from tools.release.notes import ChangelogError, close, section, with_links
from tools.release.sbom import Bill
from tools.release.scan import by_source
from tools.version_lines import version_files

from artifact_index import __version__
from support.chart import HELM_VERSIONS, run_helm

pytestmark = pytest.mark.unit

EPOCH = 1_750_000_000
CHANGELOG = """\
# Changelog

## [Unreleased]

The next version is 0.2.0.

### Added

- A [thing](docs/thing.md), see [elsewhere](https://example.com).

## [0.1.0] - 2026-11-21

### Added

- Everything.
"""
CLOSED = CHANGELOG.replace("The next version is 0.2.0.\n", "## [0.2.0] - 2026-12-01\n")


# -- the same bytes


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout elsewhere, with other times and other permissions."""
    other = tmp_path_factory.mktemp("elsewhere") / "copy of the checkout"
    listed = subprocess.run(
        ["git", "-C", str(TOP), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (TOP / name).is_file():
            (other / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(TOP / name, other / name)
            (other / name).chmod(0o600)
            os.utime(other / name, (1, 1))
    return other


@pytest.mark.parametrize("target", ["wheel", "sdist"])
def test_a_package_is_the_same_wherever_and_whenever_it_is_built(
    target: str, copy: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    one = build_package(target, tmp_path, epoch=EPOCH)
    other = build_package(target, tmp_path / "other", top=copy, epoch=EPOCH)
    assert one.name == other.name
    assert __version__ in one.name
    assert one.read_bytes() == other.read_bytes()


def test_the_chart_is_the_same_and_helm_takes_it(copy: Path, tmp_path: Path) -> None:
    chart = build_chart(tmp_path / "chart.tgz", epoch=EPOCH)
    assert chart.read_bytes() == build_chart(tmp_path / "2", top=copy, epoch=EPOCH).read_bytes()
    image = ("--set", "image.repository=registry.example.com/operator")
    rendered = run_helm("template", "name", chart, *image).stdout
    assert (
        rendered
        == run_helm("template", "name", TOP / "helm/artifact-index-operator", *image).stdout
    )
    assert f'image: "registry.example.com/operator:{__version__}"' in rendered
    for version in HELM_VERSIONS:
        assert f"version: {__version__}" in run_helm("show", "chart", chart, version=version).stdout


def test_the_chart_of_a_release_knows_its_image(tmp_path: Path) -> None:
    chart = build_chart(tmp_path / "chart.tgz", repository="registry.example.com/operator")
    rendered = run_helm("template", "name", chart).stdout
    assert f'image: "registry.example.com/operator:{__version__}"' in rendered


STATUS = """\
Package: libc6
Status: install ok installed
Architecture: arm64
Source: glibc
Version: 2.41-12
Description: the library
 of everything

Package: libx1
Architecture: arm64
Source: x (1:1.0-1)
Version: 1.0-1+b2

Package: tzdata
Architecture: all
Version: 2026f-0
"""
CONTENT = {
    "usr/lib/os-release": 'ID=debian\nVERSION_ID="13"\n\n',
    "var/lib/dpkg/status": STATUS,
    "var/lib/dpkg/info/libc6:arm64.list": "/usr/lib/libc.so.6\n",
    "var/lib/dpkg/info/libx1:arm64.list": "/usr/lib/libx.so.1\n",
    "var/lib/dpkg/info/tzdata.list": "/usr/share/zoneinfo/UTC\n",
    "opt/x/pyvenv.cfg": "home = /usr/local/bin\nversion = 3.13.7\n",
    "opt/x/lib/thing-1.0.dist-info/METADATA": "Name: thing\nVersion: 1.0\nLicense: MIT AND ISC\n",
    "opt/x/lib/thing-1.0.dist-info/RECORD": 'thing.py,,\n../bin/thing,,\n"a, b.py",,\n',
    "opt/x/lib/words-2.dist-info/METADATA": "Name: words\nVersion: 2\nLicense: do (as you like\n",
    "opt/x/lib/words-2.dist-info/RECORD": "words.py,,\n",
}


def tar(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def image_archive(path: Path, **more: str) -> Path:
    """An archive of OCI with one layer."""
    layer = tar({name: text.encode() for name, text in (CONTENT | more).items()})
    manifest = json.dumps({"layers": [{"digest": "sha256:aa"}]}).encode()
    index = json.dumps({"manifests": [{"digest": f"sha256:{'b' * 64}"}]}).encode()
    blobs = {"blobs/sha256/aa": layer, f"blobs/sha256/{'b' * 64}": manifest}
    path.write_bytes(tar({"index.json": index, **blobs}))
    return path


def packages(image: Image) -> dict[str, tuple[str, set[str]]]:
    return {each.name: (each.version, set(each.files)) for each in image.packages()}


def test_an_inventory_names_debian_packages_and_distributions_with_their_files(
    tmp_path: Path,
) -> None:
    archive = image_archive(tmp_path / "image.tar")
    assert packages(read_image(archive)) == {
        "libc6": ("2.41-12", {"/usr/lib/libc.so.6"}),
        "libx1": ("1.0-1+b2", {"/usr/lib/libx.so.1"}),
        "tzdata": ("2026f-0", {"/usr/share/zoneinfo/UTC"}),
        "thing": ("1.0", {"/opt/x/lib/thing.py", "/opt/x/bin/thing", "/opt/x/lib/a, b.py"}),
        "words": ("2", {"/opt/x/lib/words.py"}),
    }
    assert digest_of(archive) == f"sha256:{'b' * 64}"


def test_python_that_is_of_no_debian_package_is_named_as_well(tmp_path: Path) -> None:
    binary = {"usr/local/bin/python3.13": "ELF"}
    found = packages(read_image(image_archive(tmp_path / "image.tar", **binary)))
    assert found["python"] == ("3.13.7", {"/usr/local/bin/python3.13"})


def test_bills_of_materials_are_the_same_each_time(tmp_path: Path) -> None:
    archive = image_archive(tmp_path / "image.tar")
    texts = []
    for _ in range(2):
        bill = Bill(read_image(archive), "1.2.3", digest_of(archive), EPOCH)
        bill.write_cyclonedx(tmp_path / "cdx")
        bill.write_spdx(tmp_path / "spdx")
        texts.append(((tmp_path / "cdx").read_text(), (tmp_path / "spdx").read_text()))
    assert texts[0] == texts[1]
    cyclonedx, spdx = map(json.loads, texts[0])
    assert {each.get("purl", each["name"]) for each in cyclonedx["components"]} == {
        "debian",
        "pkg:deb/debian/libc6@2.41-12?arch=arm64&distro=debian-13&upstream=glibc",
        "pkg:deb/debian/libx1@1.0-1%2Bb2?arch=arm64&distro=debian-13&upstream=x%401:1.0-1",
        "pkg:deb/debian/tzdata@2026f-0?arch=all&distro=debian-13",
        "pkg:pypi/thing@1.0",
        "pkg:pypi/words@2",
    }
    assert cyclonedx["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": "b" * 64}]
    scanned = {(each["name"], each["version"]) for each in by_source(cyclonedx)["components"]}
    assert scanned >= {("glibc", "2.41-12"), ("x", "1:1.0-1"), ("tzdata", "2026f-0")}
    assert not {"libc6", "libx1"} & {name for name, _ in scanned}
    sources = {each["name"]: each.get("sourceInfo") for each in spdx["packages"]}
    assert sources["libx1"] == "built package from: x 1:1.0-1"
    assert sources["debian"] is sources["thing"] is None
    licences = {each["name"]: each["licenseDeclared"] for each in spdx["packages"]}
    assert licences["thing"] == "MIT AND ISC"
    assert licences["words"] == "NOASSERTION"


def test_an_image_of_a_release_takes_nothing_from_another_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files in layers of the cache have the times of an earlier commit, or of the tests."""
    program, calls = tmp_path / "buildah", tmp_path / "calls"
    program.write_text(f'#!/bin/sh\necho "$@" >>{calls}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("tools.release.__main__.digest_of", lambda _: "sha256:0")
    monkeypatch.setattr(Builder, "save", lambda *_: None)
    chosen = argparse.Namespace(base="debian", url="")
    save_image(tmp_path / "archive", __version__, epoch=EPOCH, chosen=chosen)
    (build,) = calls.read_text().splitlines()
    assert "--no-cache" in build.split()
    # They would be left for builds of tests.
    assert "--layers" not in build.split()


def test_checksums_name_every_other_file(tmp_path: Path) -> None:
    for name in ("b.whl", "a.tgz"):
        (tmp_path / name).write_text(name)
    for _ in range(2):
        write_checksums(tmp_path)
    check = ["sha256sum", "--check", "--strict", "checksums.txt"]
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "a.tgz: OK\nb.whl: OK\n"


# -- versions and the changelog


def test_notes_are_the_versions_section_and_before_it_has_one_what_is_unreleased() -> None:
    assert section(CHANGELOG, "0.1.0", dated=True) == "### Added\n\n- Everything.\n"
    assert section(CHANGELOG, "0.2.0", dated=False).startswith("The next version is 0.2.0.\n")
    assert close(CHANGELOG, "0.2.0", "2026-12-01") == CLOSED
    assert section(CLOSED, "0.2.0", dated=True) == section(CLOSED, "0.2.0", dated=False)
    assert section(CLOSED, "0.2.0", dated=True).startswith("### Added\n\n- A [thing]")


def test_a_release_without_a_dated_section_says_what_makes_one() -> None:
    with pytest.raises(ChangelogError, match=r"make version VERSION=0\.2\.0"):
        section(CHANGELOG, "0.2.0", dated=True)


def test_a_version_gets_its_section_once() -> None:
    with pytest.raises(ChangelogError, match=r"section of 0\.2\.0 already"):
        close(CLOSED, "0.2.0", "2026-12-02")


def test_links_of_the_notes_lead_to_the_repository() -> None:
    notes = with_links(section(CLOSED, "0.2.0", dated=True), "https://git.example.com/blob/v0.2.0/")
    assert "[thing](https://git.example.com/blob/v0.2.0/docs/thing.md)" in notes
    assert "[elsewhere](https://example.com)" in notes


def test_the_changelog_has_a_section_of_the_last_version_and_one_of_the_next() -> None:
    changelog = (TOP / "CHANGELOG.md").read_text()
    assert section(changelog, "0.1.0", dated=True)
    assert section(changelog, __version__, dated=False)


@pytest.mark.parametrize("version", ["", "0.0.1", f"v{__version__}"])
def test_another_version_than_that_of_the_checkout_is_refused(version: str) -> None:
    check_version(__version__)
    with pytest.raises(ReleaseError, match=f"give VERSION={__version__}"):
        check_version(version)


def test_a_tagged_release_needs_a_clean_checkout_of_the_tag(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True)

    with pytest.raises(ReleaseError, match="clone with git"):
        check_tagged("1.2.3", tmp_path)
    git("init", "--quiet")
    (tmp_path / "file").write_text("text")
    with pytest.raises(ReleaseError, match=r"has changes: commit or remove\n\?\? file"):
        check_tagged("1.2.3", tmp_path)
    git("add", "file")
    git("commit", "--quiet", "-m", "One")
    git("tag", "v1.2.2")
    with pytest.raises(ReleaseError, match=r"no tag v1\.2\.3 \(it has v1\.2\.2\)"):
        check_tagged("1.2.3", tmp_path)
    git("tag", "v1.2.3")
    check_tagged("1.2.3", tmp_path)


def test_lines_with_the_version_follow_it(copy: Path) -> None:
    changed = version_files(copy, "12.34.56")
    assert {path.relative_to(copy).as_posix() for path in changed} >= {
        "README.md", "helm/artifact-index-operator/Chart.yaml",
    }  # fmt: skip
    chart = changed[copy / "helm" / "artifact-index-operator" / "Chart.yaml"]
    assert "\nversion: 12.34.56\nappVersion: 12.34.56\n" in chart
    assert all(__version__ not in text or path.suffix == ".md" for path, text in changed.items())


def test_a_file_that_no_longer_names_the_version_is_noticed(copy: Path) -> None:
    (copy / "README.md").write_text("nothing")
    with pytest.raises(LookupError, match=r"README\.md has no line"):
        version_files(copy)
