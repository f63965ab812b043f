"""The operator's image, file by file, and its bills of materials; no pod runs."""

import json
import os
import re
from pathlib import Path

import pytest
from tools.release.inventory import Image, Package, read_image
from tools.release.sbom import Bill

from support.node.images import EPOCH

pytestmark = pytest.mark.node

MEGABYTES = 137 * 1.05
DIGEST = f"sha256:{'5' * 64}"
# Made while packages are installed, or by the build: no package lists them.
MADE = re.compile(
    r"/(dev|etc/ssl/certs|var/lib/dpkg)/"
    r"|/etc/(group|host(name|s)|ld\.so\.cache|localtime|nsswitch\.conf|passwd|pip\.conf|resolv\.conf)$"
    r"|/opt/artifact-index/(pyvenv\.cfg|\.gitignore|lib64|bin/(python[\d.]*|[Aa]ctivate[^/]*))$"
)
COMPILED = re.compile(r"/__pycache__/([^/]+)\.cpython-\d+\.pyc$")
PROGRAMS = re.compile(r"/usr/bin/python3(\.\d+)?$|/opt/artifact-index/bin/[^/]+$")
# Its libraries and data; a package's own tests or compilers would stand elsewhere.
SYSTEM_FOLDERS = {"dev", "etc", "opt", "usr", "var"}


@pytest.fixture(scope="module")
def archive() -> Path:
    return Path(os.environ["NODE_OPERATOR"])


@pytest.fixture(scope="module")
def image(archive: Path) -> Image:
    return read_image(archive)


def test_every_file_is_of_a_package_that_both_bills_name(image: Image, tmp_path: Path) -> None:
    packages = image.packages()
    owned = {path for package in packages for path in package.files}
    assert [
        path
        for path in image.files
        if path not in owned and COMPILED.sub(r"/\1.py", path) not in owned and not MADE.match(path)
    ] == []
    # And none of them is named without being there.
    assert [each.name for each in packages if not each.files & image.files.keys()] == []

    bill = Bill(image, "1.2.3", DIGEST, EPOCH)
    names = {(each.name, each.version) for each in packages}
    assert {"artifact-index-operator", "kopf", "cryptography", "libc6", "libssl3t64"} < {
        name for name, _ in names
    }
    bill.write_cyclonedx(tmp_path / "cyclonedx.json")
    told = json.loads((tmp_path / "cyclonedx.json").read_text())["components"]
    names.add(("debian", "13"))
    assert {(each["name"], each["version"]) for each in told} == names
    bill.write_spdx(tmp_path / "spdx.json")
    told = json.loads((tmp_path / "spdx.json").read_text())["packages"]
    assert {(each["name"], each["versionInfo"]) for each in told} == names | {
        ("artifact-index-operator", "1.2.3")
    }


def test_there_is_no_program_but_python_and_what_the_distributions_install(image: Image) -> None:
    folders = {"bin", "sbin", "libexec"}
    programs = [
        path
        for path, entry in image.files.items()
        if folders & set(path.split("/")[:-1]) and not entry.issym()
    ]
    assert [path for path in programs if not PROGRAMS.match(path)] == []
    assert {path.split("/")[1] for path, entry in image.files.items() if not entry.issym()} <= (
        SYSTEM_FOLDERS
    )


def test_no_file_changes_the_user_and_all_are_of_root_and_of_one_time(image: Image) -> None:
    assert [path for path, entry in image.files.items() if entry.mode & 0o6000] == []
    assert {(entry.uid, entry.gid) for entry in image.files.values()} == {(0, 0)}
    assert {entry.mtime for entry in image.files.values()} == {EPOCH}


def test_scanners_are_told_of_the_packages_that_are_left_and_their_licences(image: Image) -> None:
    def licence(package: Package) -> str:
        return f"/usr/share/doc/{package.name}"

    debian = [each for each in image.packages() if each.kind == "deb"]
    assert {"apt", "bash", "coreutils", "dpkg", "perl-base"} & {
        each.name for each in debian
    } == set()
    assert [
        each.name
        for each in debian
        if not {licence(each), f"{licence(each)}/copyright"} & image.files.keys()
    ] == []


def test_its_size_stays_within_the_bound(archive: Path) -> None:
    assert archive.stat().st_size / 1e6 <= MEGABYTES
