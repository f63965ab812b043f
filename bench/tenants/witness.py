"""What the good tenant's builds would read: every version of its files, and the tokens in them."""

import base64
import re
import threading
import time
import tomllib
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from bench.tenants.plan import GOOD, NEW
from support.chaos.fleet import PLURALS
from support.clouds import AwsStandIn
from support.kube_proxy import KubeProxy, Unanswered

_LOGIN = re.compile(r"//aws:([^@]+)@")
_OUTPUTS = "labelSelector=artifactindex.dev%2Frole%3Doutput"


@dataclass
class Seen:
    """Of the lasting files, since the last look: tokens `replaced`, and entries that lost theirs.

    `least_life` is what a token in a file had left, in seconds: when it was replaced, or now.
    `held` is how many entries have a token now.
    """

    replaced: int = 0
    withdrawn: int = 0
    held: int = 0
    least_life: float = float("inf")


@dataclass
class Witness:
    """Watches the good tenant's outputs; `served` is when each first held a token (POSIX)."""

    proxy: KubeProxy
    aws: AwsStandIn
    served: dict[str, float] = field(default_factory=dict)
    trouble: str = ""

    def __post_init__(self) -> None:
        self._held: dict[str, dict[str, str]] = {}
        self._seen = Seen()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> "Witness":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(30)

    def take(self) -> Seen:
        """What happened since it was asked last. Raises RuntimeError where it could not watch."""
        if self.trouble:
            raise RuntimeError(self.trouble)
        with self._lock:
            for held in self._held.values():
                self._seen.held += len(held)
                for token in held.values():
                    self._note_life(token, time.time())
            seen, self._seen = self._seen, Seen()
        return seen

    def _follow(self) -> None:
        path = PLURALS["Secret"].format(GOOD)
        since = ""
        while not self._ended.is_set():
            try:
                since = since or self._list(path)
                for event in self.proxy.watch(path, _OUTPUTS, since):
                    body = event["object"]
                    if event["type"] == "ERROR":
                        since = ""
                        break
                    since = body["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        self._observe(body, deleted=event["type"] == "DELETED")
                    if self._ended.is_set():
                        return
            except Unanswered:
                self._ended.wait(0.05)
            except Exception as error:
                self.trouble = f"the good tenant's files could not be read: {error!r}"
                return

    def _list(self, path: str) -> str:
        _, answer = self.proxy.request("GET", f"{path}?{_OUTPUTS}")
        for body in answer["items"]:
            self._observe(body, deleted=False)
        return str(answer["metadata"]["resourceVersion"])

    def _observe(self, body: dict[str, Any], *, deleted: bool) -> None:
        output, now = body["metadata"]["name"], time.time()
        found = {} if deleted else _tokens_in(body)
        with self._lock:
            for name, token in self._held.pop(output, {}).items():
                if found.get(name) == token or deleted:
                    continue
                self._note_life(token, now)
                self._seen.replaced += name in found
                self._seen.withdrawn += name not in found
            if found:
                self.served.setdefault(output, now)
                # A new file that the bench deletes while it is written anew has no owner any more,
                # and here is no garbage collector.
                if not output.startswith(NEW):
                    self._held[output] = found

    def _note_life(self, value: str, now: float) -> None:
        token = self.aws.tokens.issued(value)
        if token is None:
            self.trouble = "a file holds a token that the cloud did not issue"
            return
        self._seen.least_life = min(self._seen.least_life, token.expires_at - now)


def _tokens_in(body: dict[str, Any]) -> dict[str, str]:
    """The token of each entry that has one, by the entry's name."""
    tables = tomllib.loads(base64.b64decode(body["data"]["uv.toml"]).decode())["index"]
    found = {table["name"]: _LOGIN.search(table["url"]) for table in tables}
    return {name: unquote(match[1]) for name, match in found.items() if match}
