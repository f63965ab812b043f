"""One candidate of a leader election as a state machine: what it has seen, and what it does next.

No I/O. A leader trusts the time since it sent its last successful renewal, by a clock that counts
suspended time; a standby trusts the time since it saw the last change. So the clocks of two
machines are never compared, and the leader is silent before another one may follow
(https://pkg.go.dev/k8s.io/client-go/tools/leaderelection has the same rule, without the gate).
"""

import math
import random
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

from artifact_index.gate import Gate
from artifact_index.kube.errors import ApiError
from artifact_index.kube.port import Object

_LONGEST_RETRY: Final = 30.0


def new_identity() -> str:
    """What a Lease calls this process: the pod, and a random part, since a name may come back."""
    return f"{socket.gethostname()}_{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class Timing:
    """The times of an election, in seconds; `lease` is a whole number of them.

    A leader that has not renewed for `deadline` is silent; another one follows after `lease`; a
    leader renews once in `retry`.
    """

    lease: float = 15.0
    deadline: float = 10.0
    retry: float = 2.0

    @property
    def request(self) -> float:
        """What one request may take: three that hang fit before the deadline."""
        return self.deadline / 4

    @property
    def pause(self) -> float:
        """The least time between a failure and the next attempt."""
        return self.retry / 4

    @property
    def grace(self) -> float:
        """From the deadline to the end of the last write; a fifth is left for clocks that drift."""
        return 0.8 * (self.lease - self.deadline)


@dataclass(frozen=True, slots=True)
class Record:
    """A Lease as the API server has it. Anybody may have written it: nothing has to be there."""

    body: Object = field(repr=False)

    @property
    def spec(self) -> Mapping[str, Any]:
        """The whole spec; a change of it is a sign of life."""
        spec = self.body.get("spec")
        return spec if isinstance(spec, dict) else {}

    @property
    def holder(self) -> str:
        """Who holds it; empty: nobody, it has been released."""
        return str(self.spec.get("holderIdentity") or "")

    @property
    def duration(self) -> float:
        """How long it is held after a change, in seconds; 0 if it does not say."""
        return float(self.spec.get("leaseDurationSeconds") or 0)

    @property
    def renewed_at(self) -> float | None:
        """When it was renewed by its holder's clock, in POSIX seconds; None if that is no time."""
        try:
            return datetime.fromisoformat(str(self.spec.get("renewTime"))).timestamp()
        except ValueError:
            return None

    @property
    def version(self) -> int:
        """The resourceVersion."""
        return int(self.body["metadata"]["resourceVersion"])


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask the API server next."""

    verb: Literal["get", "create", "update"]
    body: Object | None = None


class Candidate:
    """Decides by what it is told; `now` is monotonic time in seconds, `gate.clock` counts suspends.

    `in_use` says whether there are outputs already: a candidate that had to create the Lease over
    them waits for the renew deadline before its first write: a leader may have lost its Lease.
    """

    def __init__(
        self,
        identity: str,
        timing: Timing,
        gate: Gate,
        *,
        in_use: Callable[[], bool],
        rng: random.Random,
    ) -> None:
        self.identity = identity
        self.timing = timing
        self.gate = gate
        gate.grace = timing.grace
        gate.close()
        self.record: Record | None = None
        """The Lease as it was seen last; None: there is none, or it was never read."""
        self.leads = False
        """Whether it holds the Lease as far as it knows; it may write if the gate is open, too."""
        self.deadline = -math.inf
        """Until when the last renewal counts, by the clock of the gate."""
        self.lost_by = ""
        """Why it no longer leads, in words."""
        self.failures = 0
        """Failed attempts in a row."""
        self._in_use = in_use
        self._rng = rng
        self._read = False
        self._acts_from = -math.inf
        self._free_at = -math.inf
        self._next_at = -math.inf

    @property
    def acts(self) -> bool:
        """Whether it leads, and may write."""
        return self.leads and self.gate.open

    @property
    def held_by(self) -> str:
        """Whose the Lease is, as far as it knows; empty: nobody's."""
        return self.record.holder if self.record is not None else ""

    def next_in(self, now: float) -> float:
        """Seconds until the next request is due; 0 or less: now."""
        if self.leads:
            return min(self._next_at - now, max(0.0, self.deadline - self.gate.clock()))
        return max(self._next_at, self._free_at if self._read else -math.inf) - now

    def expire(self) -> None:
        """Lead no more if the deadline is over; the gate is closed already then."""
        if self.leads and self.gate.clock() >= self.deadline:
            seconds = f"{self.timing.deadline:g} s"
            self._lose(f"it could not be renewed for {seconds}")

    def request(self, wall: float) -> Request:
        """The request that is due; `wall` is the wall clock in POSIX seconds, for people to read.

        While another one leads, call it only once `next_in` is over.
        """
        if not self._read:
            return Request("get")
        time = _micro_time(wall)
        before: Mapping[str, Any] = self.record.spec if self.record is not None else {}
        ours = self.held_by == self.identity
        spec = {
            **before,
            "holderIdentity": self.identity,
            "leaseDurationSeconds": int(self.timing.lease),
            "acquireTime": before.get("acquireTime") if ours else time,
            "renewTime": time,
            "leaseTransitions": int(before.get("leaseTransitions") or 0)
            + (self.record is not None and not ours),
        }
        return self._request_with(spec)

    def release(self, wall: float) -> Request | None:
        """The request that hands over to whoever waits; None if the Lease is not ours."""
        if self.record is None or self.held_by != self.identity:
            return None
        time = _micro_time(wall)
        times = {"acquireTime": time, "renewTime": time, "leaseDurationSeconds": 1}
        return self._request_with({**self.record.spec, **times, "holderIdentity": ""})

    def saw(self, record: Record | None, now: float, *, watched: bool = False) -> None:
        """Take in the Lease as a read or a watch shows it; None: there is none.

        A watch may tell late of what a request of ours has changed already.
        """
        before = self.record
        if watched and record and before and record.version < before.version:
            return
        self.record, self._read = record, True
        holder = self.held_by
        if watched and not self.leads and holder != self.identity:
            # The API server answers again, so a back-off has no reason any more.
            self.failures, self._next_at = 0, min(self._next_at, now)
        if self.leads and record is not None and holder != self.identity:
            self._lose(f"{holder} holds it" if holder else "somebody has emptied it")
        if self.leads:
            if record is None:
                self._next_at = now  # it was deleted: make it again before anybody else does
        elif record is None:
            pass  # deleted: what was seen last is waited for all the same
        elif holder in ("", self.identity):
            self._free_at = now
        elif before is None or before.spec != record.spec:
            self._free_at = now + max(record.duration, self.timing.lease)

    def succeeded(self, request: Request, record: Record, sent: float, now: float) -> None:
        """Take in the answer of a request that was sent at `sent`, by the clock of the gate."""
        if request.verb == "get":
            self.saw(record, now)
            if self.held_by not in ("", self.identity):
                self.failures = 0
            return
        self.failures = 0
        late = self.gate.clock() - sent
        self._next_at = max(now, now - late + self.timing.retry)
        if self.record is None or self.record.version <= record.version:
            self.record, self._free_at = record, now
        elif self.held_by != self.identity:
            return  # the watch was faster: somebody has taken or emptied it since
        if late >= self.timing.deadline:
            self.expire()
            return
        self._note_creation(request, sent)
        self.leads, self.deadline = True, sent + self.timing.deadline
        self.gate.closes_at = self.deadline if sent + late >= self._acts_from else -math.inf

    def failed(self, request: Request, error: ApiError, sent: float, now: float) -> None:
        """Take in a failure; one without an answer may have been acted on."""
        self._note_creation(request, sent)
        # That there is none yet is no failure: the next one, a refused creation, is the first.
        self.failures += not (error.not_found and request.verb == "get")
        wait = self.timing.pause if self.failures > 1 else 0.0
        if error.not_found and request.verb != "create":
            self.saw(None, now)
        elif error.conflict:
            self._read = False
        else:
            period = self.timing.retry - (self.gate.clock() - sent)
            if not self.leads:
                growing = self.timing.retry * 2.0 ** min(self.failures, 8)
                period = min(_LONGEST_RETRY, growing) * self._rng.uniform(0.5, 1.0)
            wait = max(self.timing.pause, period, error.retry_after or 0.0)
        self._next_at = now + wait

    def _note_creation(self, request: Request, sent: float) -> None:
        """Wait before the first write if this may have made the Lease, whether answered or not."""
        if request.verb == "create" and not self.leads and self._in_use():
            self._acts_from = sent + self.timing.deadline

    def _request_with(self, spec: dict[str, Any]) -> Request:
        if self.record is None:
            return Request("create", {"spec": spec})
        metadata = {k: v for k, v in self.record.body["metadata"].items() if k != "managedFields"}
        return Request("update", {"metadata": metadata, "spec": spec})

    def _lose(self, why: str) -> None:
        self.gate.close()
        self.leads, self.lost_by, self.deadline = False, why, -math.inf


def _micro_time(wall: float) -> str:
    """POSIX seconds as a `metav1.MicroTime`."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
