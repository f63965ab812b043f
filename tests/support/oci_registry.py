"""The CNCF's distribution, an OCI registry, on loopback and over TLS."""

import json
import ssl
import urllib.request
from pathlib import Path
from socket import create_server
from types import TracebackType
from typing import Any, Final, Self

from support.control_plane.certificates import KeyPair
from support.control_plane.errors import PortTaken
from support.control_plane.processes import Server
from support.release_tools import programs

_START_SECONDS: Final = 60.0
_STARTS: Final = 5


class OciRegistry:
    """A context manager; everything that is pushed lies in files below `folder`.

    `pair` is a certificate for 127.0.0.1, `ca` the file of its authority.
    """

    def __init__(self, folder: Path, pair: KeyPair, ca: Path) -> None:
        self.ca = ca
        self._folder = folder
        self._pair = pair
        self._server: Server | None = None
        self.address = ""

    def __enter__(self) -> Self:
        for left in reversed(range(_STARTS)):
            try:
                self._start()
                break
            except PortTaken:
                if not left:
                    raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.kill()

    def blob(self, digest: str) -> Path:
        """The file of what has this digest."""
        algorithm, _, value = digest.partition(":")
        return self._root / "blobs" / algorithm / value[:2] / value / "data"

    def tagged(self, repository: str, tag: str) -> str:
        """The digest of what a tag refers to."""
        tags = self._root / "repositories" / repository / "_manifests" / "tags"
        return (tags / tag / "current" / "link").read_text()

    def content(self, digest: str) -> Any:
        """The same, a manifest or a configuration, parsed."""
        return json.loads(self.blob(digest).read_bytes())

    @property
    def _root(self) -> Path:
        return self._folder / "docker" / "registry" / "v2"

    def _start(self) -> None:
        with create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        configuration = {
            "version": 0.1,
            "log": {"level": "warn"},
            "storage": {"filesystem": {"rootdirectory": str(self._folder)}},
            "http": {
                "addr": self.address,
                "tls": {"certificate": str(self._pair.certificate), "key": str(self._pair.key)},
            },
        }
        file = self._folder / "registry.json"
        file.write_text(json.dumps(configuration))
        program = programs("registry") / "registry"
        self._server = Server("registry", [program, "serve", file], self._folder / "registry.log")
        self._server.start(self._answers, _START_SECONDS)

    def _answers(self) -> bool:
        trusted = ssl.create_default_context(cafile=str(self.ca))
        try:
            with urllib.request.urlopen(
                f"https://{self.address}/v2/", context=trusted, timeout=2
            ) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
