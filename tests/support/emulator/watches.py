"""Watch streams: what each connected watcher is sent."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from support.emulator.kinds import Kind
from support.emulator.refusals import expired
from support.emulator.selectors import Predicate
from support.emulator.store import Change, Store


class Watch:
    """One open watch of a kind, in one namespace or in all of them.

    `lines()` yields the stream's events as JSON lines. `muted` watches stay open and say nothing
    any more, as behind a load balancer that lost the connection.
    """

    def __init__(
        self,
        store: Store,
        kind: Kind,
        *,
        namespace: str | None,
        predicate: Predicate,
        since: int | None,
        bookmark_every: float | None,
        user_agent: str = "",
    ) -> None:
        self.kind = kind
        self.user_agent = user_agent
        self.muted = False
        self._store = store
        self._namespace = namespace
        self._predicate = predicate
        self._since = since
        self._bookmark_every = bookmark_every
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._sent = since or 0

    def begin(self) -> None:
        """Queue what the watcher has missed, and listen from here on."""
        if self._since is None:
            for record in self._store.select(self.kind, self._namespace, self._predicate):
                self._put("ADDED", record.text)
        elif self._since < self._store.floor:
            self.expire()
            return
        else:
            for change in self._store.log:
                if change.version > self._since:
                    self.observe(change)
        self._sent = self._store.version
        self._store.listeners.append(self.observe)

    def end(self) -> None:
        """Stop listening and finish the stream."""
        if self.observe in self._store.listeners:
            self._store.listeners.remove(self.observe)
        self._lines.put_nowait(None)

    def expire(self) -> None:
        """Tell the watcher that its version is too old, and finish the stream."""
        gone = expired(f"too old resource version: {self._sent} ({self._store.version})")
        self.fail(gone.body)

    def fail(self, status: dict[str, Any]) -> None:
        """Send an ERROR event with a Status, and finish the stream."""
        self._put("ERROR", json.dumps(status))
        self.end()

    def observe(self, change: Change) -> None:
        """Queue a change as it looks through the watch's selectors."""
        if change.kind is not self.kind or self.muted:
            return
        if self._namespace not in (None, change.record.key[0]):
            return
        before = change.previous is not None and self._predicate(change.previous.body)
        after = change.type != "DELETED" and self._predicate(change.record.body)
        self._sent = change.version
        if after:
            self._put("MODIFIED" if before else "ADDED", change.record.text)
        elif before and change.previous is not None:
            # The last state that matched, at the version of the change that ended it.
            body = change.previous.body
            version = {"resourceVersion": str(change.version)}
            gone = {**body, "metadata": {**body["metadata"], **version}}
            self._put("DELETED", json.dumps(gone))

    async def lines(self, duration: float | None) -> AsyncIterator[bytes]:
        """Yield lines until the watch ends or its duration (seconds) is over."""
        loop = asyncio.get_running_loop()
        deadline = None if duration is None else loop.time() + duration
        while True:
            left = None if deadline is None else deadline - loop.time()
            waits = [wait for wait in (left, self._bookmark_every) if wait is not None]
            try:
                async with asyncio.timeout(max(0.0, min(waits)) if waits else None):
                    line = await self._lines.get()
            except TimeoutError:
                if deadline is not None and loop.time() >= deadline:
                    return
                if not self.muted:
                    yield self._bookmark()
                continue
            if line is None:
                return
            yield line

    def _put(self, type_: str, text: str) -> None:
        if not self.muted:
            self._lines.put_nowait(f'{{"type":"{type_}","object":{text}}}\n'.encode())

    def _bookmark(self) -> bytes:
        body = {
            "kind": self.kind.kind,
            "apiVersion": self.kind.api_version,
            "metadata": {"resourceVersion": str(self._store.version), "creationTimestamp": None},
        }
        return json.dumps({"type": "BOOKMARK", "object": body}).encode() + b"\n"
