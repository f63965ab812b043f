"""Reads every version of the file that one definition writes into many namespaces."""

import base64
import threading
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from support.kube_proxy import KubeProxy, Unanswered

OUTPUT: Final = "platform-uv"
EDITED: Final = "index = []\n"
"""What somebody else writes into an output."""

OUTPUTS: Final = f"fieldSelector=metadata.name%3D{OUTPUT}"
"""Selects all outputs."""

_PATH: Final = "/api/v1/secrets"

Bounds = Callable[[str], tuple[frozenset[str], frozenset[str]]]
"""The indexes that the file of a namespace must have, and those that it may have."""


@dataclass(frozen=True)
class Content:
    """A file: its resourceVersion, and the URLs of its private indexes by name."""

    version: str
    urls: Mapping[str, str]


Contents = Mapping[str, Content]
"""By namespace."""


def secret_path(namespace: str) -> str:
    """The output of a namespace."""
    return f"/api/v1/namespaces/{namespace}/secrets/{OUTPUT}"


class PlatformReader:
    """Watches the outputs in all namespaces; `violations` says what should not have been.

    Every version must parse, have one login only, and hold no index without consent, and each that
    has had it all the time.
    """

    def __init__(self, proxy: KubeProxy, bounds: Bounds) -> None:
        self.violations: list[str] = []
        self.versions = 0
        self.contents: dict[str, Content] = {}
        self._proxy = proxy
        self._bounds = bounds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join(30)

    def _follow(self) -> None:
        since = ""
        while not self._ended.is_set():
            try:
                since = since or self._list()
                for event in self._proxy.watch(_PATH, OUTPUTS, since):
                    if event["type"] == "ERROR":
                        since = ""
                        break
                    since = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] in ("ADDED", "MODIFIED"):
                        self._observe(event["object"])
                    if self._ended.is_set():
                        return
            except Unanswered:
                self._ended.wait(0.05)
            except Exception as error:
                self.violations.append(f"the reader failed: {error!r}")
                return

    def _list(self) -> str:
        _, answer = self._proxy.request("GET", f"{_PATH}?{OUTPUTS}")
        for body in answer["items"]:
            self._observe(body)
        version: str = answer["metadata"]["resourceVersion"]
        return version

    def _observe(self, body: dict[str, Any]) -> None:
        namespace, version = body["metadata"]["namespace"], body["metadata"]["resourceVersion"]
        before = self.contents.get(namespace)
        if before is not None and before.version == version:
            return  # listed anew, as after a watch that came to its end
        try:
            text = base64.b64decode(body["data"]["uv.toml"]).decode()
            tables = tomllib.loads(text)["index"]
        except (KeyError, ValueError) as error:
            self.violations.append(f"the file of {namespace} does not parse: {error!r}")
            return
        urls = {table["name"]: table["url"] for table in tables if table["name"] != "pypi"}
        if text != EDITED:
            self.versions += 1
            self._judge(namespace, urls)
        self.contents[namespace] = Content(version, urls)

    def _judge(self, namespace: str, urls: Mapping[str, str]) -> None:
        blocked = {name for name, url in urls.items() if ".unavailable.invalid" in url}
        logins = {urlsplit(url).password for name, url in urls.items() if name not in blocked}
        if len(logins) > 1 or (blocked and logins):
            self.violations.append(f"the file of {namespace} is torn: {len(logins)} logins")
        least, most = self._bounds(namespace)
        if not least <= urls.keys() <= most:
            self.violations.append(
                f"{namespace} had {sorted(urls)}: at least {sorted(least)}, at most {sorted(most)}"
            )
