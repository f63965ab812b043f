"""What is in an image: each file, and the Debian package or Python distribution that it is of."""

import csv
import json
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from email.parser import Parser
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import IO, Any, Final, Literal

_READ: Final = re.compile(
    r"/var/lib/dpkg/(status$|info/.*\.list$)|\.dist-info/(METADATA|RECORD)$|/pyvenv\.cfg$"
    r"|/usr/lib/os-release$"
)


@dataclass(frozen=True)
class Package:
    """A Debian package or a Python distribution."""

    kind: Literal["deb", "pypi", "generic"]
    """Its type in a package URL (purl)."""
    name: str
    version: str
    files: frozenset[str]
    licence: str | None = None
    """As the package says it, where it does so in a line."""
    architecture: str | None = None
    source: tuple[str, str] | None = None
    """Debian's source package and its version, by which its advisories name what is affected."""


@dataclass
class Image:
    """The content of an image; paths are absolute."""

    files: dict[str, tarfile.TarInfo] = field(default_factory=dict)
    """Files and links."""
    texts: dict[str, str] = field(default_factory=dict)
    """The content of those that say what is in it."""

    @property
    def distribution(self) -> tuple[str, str]:
        """Debian's name and release: `debian` and `13`."""
        said = dict(
            line.split("=", 1) for line in self.texts["/usr/lib/os-release"].splitlines() if line
        )
        return said["ID"].strip('"'), said["VERSION_ID"].strip('"')

    @property
    def python(self) -> str:
        """The version of Python."""
        (config,) = (text for path, text in self.texts.items() if path.endswith("/pyvenv.cfg"))
        found = re.search(r"^version = (\S+)$", config, re.M)
        if found is None:
            raise ValueError("pyvenv.cfg tells no version of Python")
        return found[1]

    def packages(self) -> list[Package]:
        """All that is in it; every file but those that are made while it is built is of one."""
        entries = self.texts["/var/lib/dpkg/status"].strip().split("\n\n")
        debian = [self._debian(Parser().parsestr(entry)) for entry in entries]
        distributions = [
            self._distribution(PurePosixPath(path).parent, Parser().parsestr(text))
            for path, text in self.texts.items()
            if path.endswith(".dist-info/METADATA")
        ]
        own_python = frozenset(path for path in self.files if path.startswith("/usr/local/"))
        if own_python:
            debian.append(Package("generic", "python", self.python, own_python, "PSF-2.0"))
        return sorted(debian + distributions, key=lambda each: (each.kind, each.name))

    def _debian(self, entry: Message) -> Package:
        name, version, architecture = entry["Package"], entry["Version"], entry["Architecture"]
        folder = "/var/lib/dpkg/info/"
        names = (f"{folder}{name}.list", f"{folder}{name}:{architecture}.list")
        (listed,) = (self.texts[path] for path in names if path in self.texts)
        files = frozenset(listed.splitlines())
        source, _, source_version = entry.get("Source", name).partition(" ")
        built_from = (source, source_version.strip("()") or version)
        return Package("deb", name, version, files, architecture=architecture, source=built_from)

    def _distribution(self, info: PurePosixPath, metadata: Message) -> Package:
        rows = csv.reader(self.texts[f"{info}/RECORD"].splitlines())
        files = frozenset(normpath(info.parent / row[0]) for row in rows)
        licence = metadata["License-Expression"] or metadata["License"]
        return Package("pypi", metadata["Name"], metadata["Version"], files, licence)


def read_image(archive: Path) -> Image:
    """Read an archive of an image, in the format of Docker or of OCI, layer by layer."""
    image = Image()
    with tarfile.open(archive) as outer:
        for name in _layers(outer):
            with _opened(outer, name) as content, tarfile.open(fileobj=content) as layer:
                for entry in layer:
                    path = normpath(f"/{entry.name}")
                    if not entry.isdir():
                        image.files[path] = entry
                    if entry.isfile() and _READ.search(path):
                        text = layer.extractfile(entry)
                        image.texts[path] = text.read().decode() if text else ""
    return image


def digest_of(archive: Path) -> str:
    """The digest of the manifest in an archive of OCI, by which a registry names the image."""
    with tarfile.open(archive) as outer:
        return _manifest_digest(outer)


def _layers(archive: tarfile.TarFile) -> Iterator[str]:
    """The names of the layers in an archive."""
    if "index.json" not in archive.getnames():
        (image,) = _json(archive, "manifest.json")
        yield from image["Layers"]
        return
    for layer in _json(archive, _blob(_manifest_digest(archive)))["layers"]:
        yield _blob(layer["digest"])


def _manifest_digest(archive: tarfile.TarFile) -> str:
    (described,) = _json(archive, "index.json")["manifests"]
    return str(described["digest"])


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


@contextmanager
def _opened(archive: tarfile.TarFile, name: str) -> Iterator[IO[bytes]]:
    content = archive.extractfile(name)
    if content is None:
        raise ValueError(f"{name} is no file")
    with content:
        yield content


def _json(archive: tarfile.TarFile, name: str) -> Any:
    with _opened(archive, name) as content:
        return json.load(content)
