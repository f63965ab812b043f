"""An index of published control-plane programs on loopback, as setup-envtest reads it."""

import hashlib
import http.server
import platform
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass
class Index:
    """A served folder: `url` is the index's; `asked` lists the paths of the requests."""

    folder: Path
    url: str
    asked: list[str] = field(default_factory=list)

    def publish(self, version: str, programs: Mapping[str, Path], *, checksum: str = "") -> None:
        """Pack the programs as release `version`, such as `v1.34.1`, and list the archive.

        `checksum` replaces the archive's own in the index.
        """
        architecture = _ARCHITECTURES[platform.machine()]
        name = f"envtest-{version}-linux-{architecture}.tar.gz"
        path = self.folder / name
        # Not compressed: real programs are large, and the network is loopback.
        with tarfile.open(path, "w:gz", compresslevel=0) as archive:
            for program, source in programs.items():
                archive.add(source.resolve(), f"controller-tools/envtest/{program}")
        with path.open("rb") as file:
            actual = hashlib.file_digest(file, "sha512").hexdigest()
        listed = self._index_file()
        content = yaml.safe_load(listed.read_text())
        link = f"{self.url.rpartition('/')[0]}/{name}"
        content["releases"][version] = {name: {"hash": checksum or actual, "selfLink": link}}
        listed.write_text(yaml.safe_dump(content))

    def _index_file(self) -> Path:
        return self.folder / "envtest-releases.yaml"


@contextmanager
def open_index(folder: Path) -> Iterator[Index]:
    """Serve an empty index from a folder."""
    (folder / "envtest-releases.yaml").write_text(yaml.safe_dump({"releases": {}}))
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(folder))  # type: ignore[arg-type]

        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host, port = server.server_address[:2]
        yield Index(folder, f"http://{host!s}:{port}/envtest-releases.yaml", asked)
        server.shutdown()
