"""The audit log as the judge: who had the Lease when, and who wrote what meanwhile."""

from collections.abc import Collection
from typing import Final

from support.control_plane import ControlPlane
from support.control_plane.audit import AuditEvent
from support.world import WRITES

LEASES: Final = "leases.coordination.k8s.io"


class Judge:
    """Reads what some users, who share one Lease, have written since it was made."""

    def __init__(self, plane: ControlPlane, users: Collection[str]) -> None:
        self._plane = plane
        self._users = frozenset(users)
        self._begun = plane.audit_mark()

    def writes(self, since: int, *users: str) -> list[AuditEvent]:
        """Accepted writes to anything but the Lease after a mark, of some of them or of all."""
        wanted = set(users or self._users)
        accepted = self._accepted(since)
        return [each for each in accepted if each.resource != LEASES and each.user in wanted]

    def leader(self) -> str | None:
        """Whose change of the Lease was the last one."""
        changes = [each for each in self._accepted(self._begun) if each.resource == LEASES]
        return changes[-1].user if changes else None

    def taken(self, since: int, user: str) -> AuditEvent | None:
        """The first change of the Lease by somebody after a mark."""
        changes = [each for each in self._accepted(since) if each.resource == LEASES]
        return next((each for each in changes if each.user == user), None)

    def out_of_term(self, since: int = 0) -> list[str]:
        """Each write by one of them while the last change of the Lease was another's.

        Where there is none, no old leader wrote after the new one's first write, to any object.
        """
        term: AuditEvent | None = None
        found = []
        for event in self._accepted(since or self._begun):
            if event.resource == LEASES:
                term = event if term is None or term.user != event.user else term
            elif term is not None and term.user != event.user:
                found.append(
                    f"{event.received_at:%T.%f} {event.user}: {event.verb} {event.resource} "
                    f"{event.name}; {term.user} took the Lease at {term.received_at:%T.%f}"
                )
        return found

    def _accepted(self, since: int) -> list[AuditEvent]:
        accepted = [
            event
            for user in self._users
            for event in self._plane.audit_events(user, verbs=WRITES, since=since)
            if event.code < 300
        ]
        return sorted(accepted, key=lambda event: event.received_at)
