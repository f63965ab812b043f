"""Follows every version of some Secrets in a thread of its own, whatever happens to the watches."""

import base64
import threading
import tomllib
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any, Self

from support.kube_proxy import KubeProxy, Unanswered


class Follower(ABC):
    """Lists and watches `path` with a selector; `violations` says what should not have been.

    `observe` gets each body with its event, `LISTED` for one of a listing: also what it has seen
    already, as after a watch that came to its end.
    """

    def __init__(self, proxy: KubeProxy, path: str, selector: str) -> None:
        self.violations: list[str] = []
        self.versions = 0
        self._proxy = proxy
        self._path = path
        self._selector = selector
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

    @abstractmethod
    def observe(self, event: str, body: dict[str, Any]) -> None:
        """Judge a version."""

    def _follow(self) -> None:
        since = ""
        while not self._ended.is_set():
            try:
                since = since or self._list()
                for event in self._proxy.watch(self._path, self._selector, since):
                    if event["type"] == "ERROR":
                        since = ""
                        break
                    since = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        self.observe(event["type"], event["object"])
                    if self._ended.is_set():
                        return
            except Unanswered:
                self._ended.wait(0.05)
            except Exception as error:
                self.violations.append(f"the reader failed: {error!r}")
                return

    def _list(self) -> str:
        _, answer = self._proxy.request("GET", f"{self._path}?{self._selector}")
        for body in answer["items"]:
            self.observe("LISTED", body)
        version: str = answer["metadata"]["resourceVersion"]
        return version


def text_and_tables(body: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """The uv.toml of a Secret and its indexes. Raises KeyError, ValueError if it does not parse."""
    text = base64.b64decode(body["data"]["uv.toml"]).decode()
    return text, tomllib.loads(text)["index"]
