"""Index names: one for each index of an IndexOptions, unique and never changed by a neighbour.

uv and Poetry find credentials in the environment by a form of the name in which `a-b` and `A.B` are
one (uv: `IndexName::to_env_var`), so that form is what must be unique.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from artifact_index.formats.urls import is_ip_address

MAX_NAME_LENGTH: Final = 63
"""A name is also a DNS label: the blocked entry's host starts with it (RFC 1035)."""

_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_FALLBACK: Final = "index"


@dataclass(frozen=True, slots=True)
class NameRequest:
    """One index that wants a name.

    `created` is the object's creationTimestamp, RFC 3339 or POSIX seconds. `explicit_name` is
    `spec.name`. `host` is the host of the index URL, None while it is not known. `assigned_name`
    is the name that this UID was given earlier (an `NameAssignment` with `assigned`).
    """

    uid: str
    object_name: str
    created: str | float
    explicit_name: str | None = None
    host: str | None = None
    assigned_name: str | None = None


@dataclass(frozen=True, slots=True)
class NameAssignment:
    """The name of an index.

    `assigned` means that the name stays with the UID, so the caller must remember it. Otherwise it
    stands in until the host is known, and must not be remembered.
    """

    name: str
    assigned: bool


@dataclass(frozen=True, slots=True)
class NameTaken:
    """The explicit name belongs to another index: object name of the `holder`.

    `holder` is None where the public index of the IndexOptions has the name.
    """

    name: str
    holder: str | None


@lru_cache(maxsize=512)
def environment_form(name: str) -> str:
    """The name as it stands in a variable like `UV_INDEX_<NAME>_PASSWORD`."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in name).upper()


def assign_names(
    candidates: Iterable[NameRequest], *, public_name: str | None
) -> dict[str, NameAssignment | NameTaken]:
    """Give every candidate a name, or say whose name it asked for: uid -> answer.

    Who comes first: the public index; then who has its name already; then explicit names; then
    derived ones; then stand-ins, which hold nobody up. Within each, the older object, then the
    object's name. So adding, removing or relabelling an index never renames another. The answer
    depends on the set of candidates only, not on their order.

    An edit of `spec.name` replaces the earlier allotment. The one case where a derived name is
    allotted anew is that the public index of the same IndexOptions was given that very name.
    """
    queue = sorted(candidates, key=_seniority)
    desk = _Desk(public_name)
    answers: dict[str, NameAssignment | NameTaken] = {}

    waiting = []
    for candidate in queue:
        name = _kept_name(candidate)
        if name is not None and desk.take(name, candidate.object_name):
            answers[candidate.uid] = NameAssignment(name, assigned=True)
        else:
            waiting.append(candidate)

    for candidate in waiting:
        name = candidate.explicit_name
        if name is None:
            continue
        if desk.take(name, candidate.object_name):
            answers[candidate.uid] = NameAssignment(name, assigned=True)
        else:
            answers[candidate.uid] = NameTaken(name, desk.holder(name))

    unnamed = [c for c in waiting if c.explicit_name is None]
    for candidate in sorted(unnamed, key=lambda c: c.host is None):
        name = desk.take_free(_derived_name(candidate), candidate.object_name)
        answers[candidate.uid] = NameAssignment(name, assigned=candidate.host is not None)
    return answers


class _Desk:
    """Which names are taken, in their environment form, and by which object."""

    def __init__(self, public_name: str | None) -> None:
        self._holders: dict[str, str | None] = {}
        self._next_suffix: dict[str, int] = {}
        if public_name is not None:
            self._holders[environment_form(public_name)] = None

    def take(self, name: str, object_name: str) -> bool:
        form = environment_form(name)
        if form in self._holders:
            return False
        self._holders[form] = object_name
        return True

    def take_free(self, base: str, object_name: str) -> str:
        """Take the name, or the first of name-2, name-3, … that is free."""
        if self.take(base, object_name):
            return base
        # Names are only ever added, so the search goes on where it ended the last time.
        number = self._next_suffix.get(base, 2)
        while not self.take(_suffixed(base, number), object_name):
            number += 1
        self._next_suffix[base] = number + 1
        return _suffixed(base, number)

    def holder(self, name: str) -> str | None:
        return self._holders[environment_form(name)]


def _seniority(candidate: NameRequest) -> tuple[float, str, str]:
    return _epoch(candidate.created), candidate.object_name, candidate.uid


def _epoch(created: str | float) -> float:
    """POSIX seconds; a time that cannot be read counts as the youngest."""
    if not isinstance(created, str):
        return created
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return float("inf")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _kept_name(candidate: NameRequest) -> str | None:
    """The name that the candidate has from earlier and still asks for.

    It comes from a status, which somebody may have edited, so it must look like a name.
    """
    assigned, explicit = candidate.assigned_name, candidate.explicit_name
    if assigned is None or (explicit is not None and explicit != assigned):
        return None
    if explicit is None and (len(assigned) > MAX_NAME_LENGTH or not _NAME.fullmatch(assigned)):
        return None
    return assigned


def _derived_name(candidate: NameRequest) -> str:
    """The host's first label, else the object's name, as `[a-z0-9]([a-z0-9-]*[a-z0-9])?`."""
    host = candidate.host
    if host and not is_ip_address(host):
        label = re.sub(r"[^a-z0-9-]", "", host.partition(".")[0].lower())
        name = label[:MAX_NAME_LENGTH].strip("-")
        if name:
            return name
    name = re.sub(r"[^a-z0-9]", "-", candidate.object_name.lower())
    return name[:MAX_NAME_LENGTH].strip("-") or _FALLBACK


def _suffixed(base: str, number: int) -> str:
    suffix = f"-{number}"
    return base[: MAX_NAME_LENGTH - len(suffix)].rstrip("-") + suffix
