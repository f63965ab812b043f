"""What goes wrong on demand, and the log of what was asked."""

import asyncio
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Outcome: TypeAlias = Literal["status", "reset", "lost"]
"""Answer a status; drop the connection before acting; act and then drop the connection."""

ANY = "*"

_LOOK_SECONDS = 0.02


@dataclass(slots=True)
class Request:
    """One HTTP request for objects: `verb` is get, list, watch, create, patch, update or delete.

    `status` is 0 until it is answered, and stays so where the connection was dropped.
    """

    verb: str
    resource: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    user_agent: str = ""
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    status: int = 0

    @property
    def writes(self) -> bool:
        return self.verb in ("create", "patch", "update", "delete")


@dataclass(slots=True)
class Fault:
    """A fault for the next `count` requests that match (None: for all, until it is cleared)."""

    verb: str
    resource: str
    status: int
    count: int | None = 1
    retry_after: float | None = None
    message: str = ""
    outcome: Outcome = "status"
    continued: bool = False
    """Only for the later pages of a list."""
    subresource: str | None = None
    name: str | None = None

    def matches(self, request: Request) -> bool:
        return (
            self.count != 0
            and self.verb in (ANY, request.verb)
            and self.resource in (ANY, request.resource)
            and (not self.continued or "continue" in request.query)
            and self.subresource in (None, request.subresource)
            and self.name in (None, request.name)
        )


class Faults:
    """The faults in waiting, the delays, and which watches are to stay silent."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []
        self.delays: dict[tuple[str, str, str], float] = {}
        self.silent: set[str] = set()

    def take(self, request: Request) -> Fault | None:
        """Give the fault for a request, if there is one, and count it off."""
        for fault in self.waiting:
            if fault.matches(request):
                if fault.count is not None:
                    fault.count -= 1
                    if fault.count == 0:
                        self.waiting.remove(fault)
                return fault
        return None

    async def hold(self, request: Request) -> None:
        """Wait before the request is acted on, until its delay is over or taken back."""
        clock = asyncio.get_running_loop().time
        begun = clock()
        # It is taken back from another thread.
        while (left := begun + self._delay(request) - clock()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(min(left, _LOOK_SECONDS))

    def _delay(self, request: Request) -> float:
        keys = itertools.product(
            (request.namespace, ANY), (request.verb, ANY), (request.resource, ANY)
        )
        return next((self.delays[key] for key in keys if key in self.delays), 0.0)


class RequestLog(list[Request]):
    """All requests since the start or the last `clear()`, in the order they came in."""

    def matching(
        self,
        verb: str | Iterable[str] = ANY,
        resource: str = ANY,
        *,
        subresource: str | None = None,
        user_agent: str = "",
        status: int | None = None,
    ) -> list[Request]:
        """Select requests; `user_agent` is a part of it, `subresource` "" means the object."""
        verbs = {verb} if isinstance(verb, str) else set(verb)
        return [
            request
            for request in self
            if (ANY in verbs or request.verb in verbs)
            and resource in (ANY, request.resource)
            and subresource in (None, request.subresource)
            and user_agent in request.user_agent
            and status in (None, request.status)
        ]

    def count(self, *args: Any, **kwargs: Any) -> int:
        """Count what `matching` selects."""
        return len(self.matching(*args, **kwargs))

    def writes(self, *, user_agent: str = "") -> list[Request]:
        """Select the requests that would change something."""
        return [entry for entry in self if entry.writes and user_agent in entry.user_agent]
