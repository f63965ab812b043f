"""Push what `make release` wrote to a registry, attest its bills of materials, and sign all of it.

Standard output has one `name=value` a line, as the next step of a workflow takes it. cosign, crane
and Helm are found on PATH; they log in as Docker does.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.release.files import CHART, CHECKSUMS, SIGNATURE, write_checksums

BILLS: Final = {"cyclonedx": "cdx.json", "spdxjson": "spdx.json"}
"""The bills of materials of an image: cosign's word for the format, and the end of the file."""
_PROGRAMS: Final = ("cosign", "crane", "helm")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


class PublishError(Exception):
    """Something is missing, or a program failed; the message ends with what that one said."""


@dataclass(frozen=True)
class Release:
    """What to publish: the folder of `make release`, its version, and the registry with a path."""

    dist: Path
    version: str
    to: str

    @property
    def image(self) -> str:
        """The image of all platforms, by its tag."""
        return f"{self.to}/{CHART}:{self.version}"

    @property
    def chart(self) -> str:
        """The chart, by its tag."""
        return f"{self.to}/charts/{CHART}:{self.version}"

    def archives(self) -> dict[str, Path]:
        """The OCI archive of each platform's image. Raises PublishError without any."""
        begin, end = f"{CHART}-{self.version}-", ".oci.tar"
        found = {
            path.name.removeprefix(begin).removesuffix(end): path
            for path in sorted(self.dist.glob(f"{begin}*{end}"))
        }
        if not found:
            raise PublishError(f"no {begin}PLATFORM{end} in {self.dist}: run make release")
        return found

    @property
    def package(self) -> Path:
        """The chart as a file."""
        return self.dist / f"{CHART}-{self.version}.tgz"

    def bill(self, platform: str, kind: str) -> Path:
        """A bill of materials of the platform's image."""
        return self.dist / f"{CHART}-{self.version}-{platform}.{BILLS[kind]}"

    def check(self) -> None:
        """Raise PublishError where something would be missing after half of it was pushed."""
        if not self.to or "://" in self.to:
            raise PublishError(f"TO={self.to} is no registry and path: registry.example.com/acme")
        bills = [self.bill(platform, kind) for platform in self.archives() for kind in BILLS]
        if missing := [path.name for path in (self.package, *bills) if not path.exists()]:
            raise PublishError(f"no {', '.join(missing)} in {self.dist}: run make release")


class Signer:
    """Signs by a private key, or, without one, by the identity that a workflow proves by OIDC.

    Only the latter is written into Sigstore's public log.
    """

    def __init__(self, key: Path | None) -> None:
        self._options = ["--yes"]
        if key is not None:
            self._options += [f"--key={key}", "--use-signing-config=false", "--tlog-upload=false"]

    def sign(self, reference: str, version: str) -> None:
        """Sign what a digest refers to; of an index each platform's image as well.

        The version is signed, too: a tag that is moved to an older release is refused.
        """
        annotation = f"--annotations=version={version}"
        _run("cosign", "sign", *self._options, annotation, "--recursive", reference)

    def attest(self, reference: str, kind: str, bill: Path) -> None:
        """Attach a bill of materials as a signed statement."""
        _run("cosign", "attest", *self._options, "--type", kind, "--predicate", bill, reference)

    def sign_file(self, path: Path) -> None:
        """Write the signature beside the file."""
        _run("cosign", "sign-blob", *self._options, "--bundle", f"{path}{SIGNATURE}", path)


def publish(release: Release, signer: Signer) -> dict[str, str]:
    """Push and sign everything; returns names and digests of image and chart.

    Raises PublishError.
    """
    images = {
        platform: _push_image(f"{release.image}-{platform}", archive)
        for platform, archive in release.archives().items()
    }
    appended = [word for image in images.values() for word in ("--manifest", image)]
    index = _push(release.image, "crane", "index", "append", *appended, "--tag", release.image)
    registry = f"oci://{release.chart.rpartition('/')[0]}"
    chart = _push(release.chart, "helm", "push", release.package, registry)

    for platform, image in images.items():
        for kind in BILLS:
            signer.attest(image, kind, release.bill(platform, kind))
    digests = {}
    for what, reference in (("image", index), ("chart", chart)):
        digests[f"{what}-name"], _, digests[f"{what}-digest"] = reference.partition("@")
        signer.sign(reference, release.version)
    write_checksums(release.dist)
    signer.sign_file(release.dist / CHECKSUMS)
    return digests


def _push_image(reference: str, archive: Path) -> str:
    """Push the image of one platform as it is; returns it by its digest."""
    with tempfile.TemporaryDirectory(prefix="publish-") as folder:
        with tarfile.open(archive) as content:
            content.extractall(folder, filter="data")
        return _push(reference, "crane", "push", folder, reference)


def _push(reference: str, *command: str | Path) -> str:
    """Push by a tag; returns what was pushed by its digest, which the program tells.

    The registry is not asked what the tag refers to: somebody may have moved it since.
    """
    (digest,) = _DIGEST.findall(_run(*command))
    return f"{reference.rpartition(':')[0]}@{digest}"


def _run(*command: str | Path) -> str:
    # cosign asks on standard error: for a key's passphrase, or where to log in without a key.
    stderr = None if command[0] == "cosign" else subprocess.PIPE
    done = subprocess.run(  # noqa: S603 - our own commands
        command, stdout=subprocess.PIPE, stderr=stderr, text=True, check=False
    )
    if done.returncode != 0:
        why = f": {done.stderr.strip()}" if done.stderr else ""
        raise PublishError(f"{command[0]} {command[1]} failed{why}")
    # Helm 3 tells what it pushed on standard error.
    return done.stdout or done.stderr


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit status: 1, with the reason, where nothing can be published."""
    parser = argparse.ArgumentParser(prog="make publish", description=__doc__)
    parser.add_argument("--version", required=True, help="as in make release")
    parser.add_argument("--to", required=True, help="registry and path: registry.example.com/acme")
    parser.add_argument("--key", type=Path, help="cosign's private key; without it, keyless")
    parser.add_argument("--dist", type=Path, default=Path("dist"), help="default: %(default)s")
    given = parser.parse_args(arguments)
    try:
        if missing := [name for name in _PROGRAMS if shutil.which(name) is None]:
            raise PublishError(f"{', '.join(missing)} not on PATH")
        if given.key and not given.key.exists():
            raise PublishError(f"no key {given.key}: make one with cosign generate-key-pair")
        release = Release(given.dist, given.version, given.to)
        release.check()
        digests = publish(release, Signer(given.key))
    except PublishError as error:
        sys.stderr.write(f"make publish: {error}\n")
        return 1
    sys.stdout.writelines(f"{name}={value}\n" for name, value in digests.items())
    return 0


if __name__ == "__main__":
    sys.exit(main())
