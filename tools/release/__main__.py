"""Build a release of this checkout in `dist/`: `make release VERSION=1.2.3`.

Nothing is pushed, tagged or signed, so it can be tried at any time. One commit on one base image
gives the same bytes. The image is of this machine's architecture, and needs root and buildah.
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from tools.plugin.build import PROGRAM, files
from tools.plugin.build import archive as plugin_archive
from tools.release.checks import (
    ReleaseError,
    check_tagged,
    check_version,
    commit_time,
    revision,
)
from tools.release.containers import PLATFORM, Builder, BuildError, default_store, say
from tools.release.files import CHART, TOP, build_chart, build_package, write_checksums
from tools.release.inventory import digest_of, read_image
from tools.release.notes import ChangelogError, section, with_links

DIST: Final = TOP / "dist"
PARTS: Final = ("packages", "chart", "image", "notes")


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="make release", description=__doc__)
    parser.add_argument("version", help="as in operator/artifact_index/__init__.py")
    parser.add_argument("--tagged", action="store_true", help="refuse what is not a tagged commit")
    parser.add_argument("--base", help="the base image; default: Debian, bootstrapped")
    parser.add_argument("--only", choices=PARTS, action="append", help="default: everything")
    parser.add_argument(
        "--twice", action="store_true", help="build the image once more, and compare"
    )
    parser.add_argument("--url", default="", help="where the repository is, for labels and links")
    parser.add_argument("--image", default="", help="where the image will be, for the chart")
    chosen = parser.parse_args()
    try:
        check_version(chosen.version)
        if chosen.tagged:
            check_tagged(chosen.version)
        build(chosen)
    except (ReleaseError, ChangelogError, BuildError) as error:
        sys.stderr.write(f"make release: {error}\n")
        return 1
    return 0


def build(chosen: argparse.Namespace) -> None:
    """Build the chosen parts. Raises BuildError, ChangelogError, CalledProcessError."""
    to, version, parts = DIST, chosen.version, chosen.only or PARTS
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or commit_time())
    if not chosen.only:
        shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True, exist_ok=True)
    if "packages" in parts:
        build_package("wheel", to, epoch=epoch)
        build_package("sdist", to, epoch=epoch)
        (to / f"{PROGRAM}-v{version}.tar.gz").write_bytes(plugin_archive(files()))
    if "chart" in parts:
        build_chart(to / f"{CHART}-{version}.tgz", epoch=epoch, repository=chosen.image)
    if "notes" in parts:
        changelog = (TOP / "CHANGELOG.md").read_text()
        notes = section(changelog, version, dated=chosen.tagged)
        where = f"{chosen.url}/blob/v{version}" if chosen.url else ""
        (to / "release-notes.md").write_text(with_links(notes, where) if where else notes)
    if "image" in parts:
        build_image(to, version, epoch=epoch, chosen=chosen)
    write_checksums(to)


def build_image(to: Path, version: str, *, epoch: int, chosen: argparse.Namespace) -> None:
    """Build the image as an archive of OCI, and its bills of materials. Raises BuildError."""
    # Its libraries take two seconds to import.
    from tools.release.sbom import Bill  # noqa: PLC0415

    name = f"{CHART}-{version}-{PLATFORM}"
    archive = to / f"{name}.oci.tar"
    digest = save_image(archive, version, epoch=epoch, chosen=chosen)
    if chosen.twice:
        with tempfile.TemporaryDirectory(dir=to) as scratch:
            again = Path(scratch, archive.name)
            other = save_image(again, version, epoch=epoch, chosen=chosen)
        if other != digest:
            raise BuildError(f"the image is {digest}, and built once more {other}")
    bill = Bill(read_image(archive), version, digest, epoch)
    bill.write_cyclonedx(to / f"{name}.cdx.json")
    bill.write_spdx(to / f"{name}.spdx.json")
    say(f"{archive.name} is {digest}")


def save_image(archive: Path, version: str, *, epoch: int, chosen: argparse.Namespace) -> str:
    """Build the image into a file; returns its digest. Raises BuildError.

    Without the layers of earlier builds, whose files have other times.
    """
    builder, tag = Builder(default_store()), f"localhost/{CHART}:{version}"
    labels = {"VERSION": version, "REVISION": revision(), "URL": chosen.url}
    builder.build(tag, TOP, epoch=epoch, base=chosen.base, arguments=labels, cached=False)
    builder.save(tag, archive, "oci-archive")
    return digest_of(archive)


if __name__ == "__main__":
    sys.exit(main())
