"""A release in a registry on loopback, as `make release` builds it and `make publish` pushes it."""

import gzip
import hashlib
import io
import json
import os
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools.release.containers import PLATFORM
from tools.release.files import build_chart
from tools.release.inventory import digest_of, read_image
from tools.release.sbom import Bill

from artifact_index import __version__
from support.chart import CHART, helm
from support.control_plane.certificates import KeyPair
from support.control_plane.processes import run_noted
from support.oci_registry import OciRegistry
from support.operator_process import REPOSITORY
from support.release_tools import programs

NAME: Final = CHART.name
_SECONDS: Final = 300.0
_OCI: Final = "application/vnd.oci.image"


@dataclass(frozen=True)
class Published:
    """The registry, the folder of `make release`, and what a reader has on PATH to verify both."""

    registry: OciRegistry
    dist: Path
    public_key: Path
    tools: Path
    image_digest: str
    chart_digest: str

    @property
    def to(self) -> str:
        """The registry and the path below which everything is."""
        return f"{self.registry.address}/acme"

    @property
    def image(self) -> str:
        """The image by its digest."""
        return f"{self.to}/{NAME}@{self.image_digest}"

    @property
    def chart(self) -> str:
        """The chart by its digest."""
        return f"{self.to}/charts/{NAME}@{self.chart_digest}"

    def bundles(self, repository: str, digest: str) -> list[Path]:
        """The files of what was signed of a manifest: signatures and statements."""
        listed = self.registry.tagged(repository, digest.replace(":", "-"))
        manifests = [each["digest"] for each in self.registry.content(listed)["manifests"]]
        layers = [self.registry.content(each)["layers"][0]["digest"] for each in manifests]
        return [self.registry.blob(layer) for layer in layers]

    def environment(self, home: Path) -> dict[str, str]:
        """A reader's: the programs, a home, and the authority of the registry."""
        return {
            "PATH": f"{self.tools}:/usr/bin:/bin",
            "HOME": str(home),
            "SSL_CERT_FILE": str(self.registry.ca),
        }


@contextmanager
def publish(folder: Path, docker_archive: Path, pair: KeyPair, ca: Path) -> Iterator[Published]:
    """Start a registry and publish a release to it, signed with a new key.

    Its image is the one of the archive with one layer more, which no node has yet.
    """
    tools, dist, keys = folder / "bin", folder / "dist", folder / "keys"
    for each in (tools, dist, keys, folder / "registry"):
        each.mkdir()
    for program in ("cosign", "crane"):
        (tools / program).symlink_to(programs("cosign", "crane") / program)
    (tools / "helm").symlink_to(helm())
    with OciRegistry(folder / "registry", pair, ca) as registry:
        _write_dist(dist, docker_archive, f"{registry.address}/acme/{NAME}")
        environment = {
            "PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(keys), "SSL_CERT_FILE": str(ca),
            "COSIGN_PASSWORD": "", "PYTHONPATH": str(REPOSITORY),
        }  # fmt: skip
        run_noted([tools / "cosign", "generate-key-pair", f"--output-key-prefix={keys / 'cosign'}"],
                  env=environment, seconds=_SECONDS)  # fmt: skip
        said = run_noted(
            [sys.executable, "-m", "tools.release.publish", "--dist", dist,
             "--version", __version__, "--to", f"{registry.address}/acme",
             "--key", keys / "cosign.key"],
            env=environment, seconds=_SECONDS,
        ).stdout  # fmt: skip
        digests = dict(line.split("=", 1) for line in said.splitlines())
        yield Published(
            registry=registry, dist=dist, public_key=keys / "cosign.pub", tools=tools,
            image_digest=digests["image-digest"], chart_digest=digests["chart-digest"],
        )  # fmt: skip


def _write_dist(dist: Path, docker_archive: Path, image: str) -> None:
    begin = f"{NAME}-{__version__}-{PLATFORM}"
    write_oci_archive(dist / f"{begin}.oci.tar", docker_archive, {"tmp/release": os.urandom(4096)})
    build_chart(dist / f"{NAME}-{__version__}.tgz", repository=image)
    bill = Bill(read_image(docker_archive), __version__, digest_of(dist / f"{begin}.oci.tar"), 0)
    bill.write_cyclonedx(dist / f"{begin}.cdx.json")
    bill.write_spdx(dist / f"{begin}.spdx.json")


def write_oci_archive(to: Path, docker_archive: Path, added: Mapping[str, bytes]) -> None:
    """Write an image that `docker save` wrote as an OCI archive, with one more layer of files."""
    with tarfile.open(docker_archive) as saved, tarfile.open(to, "w") as archive:

        def read(name: str) -> bytes:
            content = saved.extractfile(name)
            assert content is not None
            return content.read()

        def blob(content: bytes, media_type: str) -> dict[str, Any]:
            value = hashlib.sha256(content).hexdigest()
            _add(archive, f"blobs/sha256/{value}", content)
            return {"mediaType": media_type, "digest": f"sha256:{value}", "size": len(content)}

        (image,) = json.loads(read("manifest.json"))
        config = json.loads(read(image["Config"]))
        layer = _tar(added)
        config["rootfs"]["diff_ids"].append(f"sha256:{hashlib.sha256(layer).hexdigest()}")
        config.setdefault("history", []).append({"created_by": "a test"})
        # Compressed or not is the same to a node; not compressed they are written in a second.
        layers = [blob(read(name), f"{_OCI}.layer.v1.tar") for name in image["Layers"]]
        layers.append(blob(gzip.compress(layer), f"{_OCI}.layer.v1.tar+gzip"))
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{_OCI}.manifest.v1+json",
            "config": blob(json.dumps(config).encode(), f"{_OCI}.config.v1+json"),
            "layers": layers,
        }
        listed = blob(json.dumps(manifest).encode(), f"{_OCI}.manifest.v1+json")
        index = {"schemaVersion": 2, "manifests": [listed]}
        _add(archive, "index.json", json.dumps(index).encode())
        _add(archive, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')


def flip(path: Path) -> None:
    """Change one bit in the middle of a file; again, and it is what it was."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _tar(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            _add(archive, name, content)
    return packed.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
