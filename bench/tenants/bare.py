"""What a new file takes without an operator: the same requests and watches, and nothing else."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from artifact_index.kube.resources import INDEX_OPTIONS
from bench.scene import Object
from support.chaos.fleet import PLURALS
from support.kube_proxy import KubeProxy, Unanswered
from support.world import index_options

BARE = "bare"
"""The namespace, in which the operator has nothing to write but the status of what is suspended."""

_SIZE = 500
"""Characters of a file with one index."""


def bare_objects(name: str) -> tuple[Object, ...]:
    """The file that a bare loop is asked for."""
    return ((INDEX_OPTIONS, BARE, index_options(name, suspend=True)),)


@dataclass
class BareLoop:
    """Answers each IndexOptions of its namespace with a Secret, as soon as a watch shows it.

    `served` is when another watch showed that Secret (POSIX). The API server, the bench and the
    machine are as busy for this loop as they are for the operator.
    """

    proxy: KubeProxy
    served: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._follow, args=each, daemon=True)
            for each in (("IndexOptions", self._answer), ("Secret", self._note))
        ]

    def __enter__(self) -> "BareLoop":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(30)

    def _answer(self, name: str) -> None:
        body = {"metadata": {"name": name}, "stringData": {"uv.toml": "#" * _SIZE}}
        self.proxy.request("POST", PLURALS["Secret"].format(BARE), body)

    def _note(self, name: str) -> None:
        self.served.setdefault(name, time.time())

    def _follow(self, kind: str, act: Callable[[str], None]) -> None:
        path, since = PLURALS[kind].format(BARE), ""
        while not self._ended.is_set():
            try:
                since = since or self._list(path)
                since = self._watch(path, since, act)
            except Unanswered:
                self._ended.wait(0.05)

    def _list(self, path: str) -> str:
        _, answer = self.proxy.request("GET", f"{path}?limit=1")
        return str(answer["metadata"]["resourceVersion"])

    def _watch(self, path: str, since: str, act: Callable[[str], None]) -> str:
        """Act on what is new until the watch ends; returns from where the next one goes on."""
        for event in self.proxy.watch(path, "", since):
            if event["type"] == "ERROR":
                return ""
            metadata: dict[str, Any] = event["object"]["metadata"]
            since = metadata["resourceVersion"]
            if event["type"] == "ADDED":
                act(metadata["name"])
            if self._ended.is_set():
                break
        return since
