"""Assigns each index of an IndexOptions a unique name that no other index ever changes.

uv and Poetry find credentials in the environment by a form of the name in which `a-b` and `A.B` are
the same (uv: `IndexName::to_env_var`), so that form must be unique.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from artifact_index.formats.urls import is_ip_address

MAX_NAME_LENGTH: Final = 63
"""A name is also a DNS label: the blocked entry's host starts with it (RFC 1035)."""

_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class NameRequest:
    """One index that needs a name.

    `created` is the object's creationTimestamp, RFC 3339 or POSIX seconds. `explicit_name` is
    `spec.name`. `host` is the host of the index URL, None while it is unknown. `assigned_name` is
    the name that this UID was given earlier (a `NameAssignment` with `assigned`). One `of_cluster`
    is defined for many namespaces, none of which may take its name.
    """

    uid: str
    object_name: str
    created: str | float
    explicit_name: str | None = None
    host: str | None = None
    assigned_name: str | None = None
    of_cluster: bool = False


@dataclass(frozen=True, slots=True)
class NameAssignment:
    """The name of an index.

    `assigned` means that the UID keeps the name, so the caller must remember it. Otherwise the name
    is provisional until the host is known, and must not be remembered.
    """

    name: str
    assigned: bool


@dataclass(frozen=True, slots=True)
class NameTaken:
    """The explicit name belongs to another index: object name of the `holder`.

    `holder` is None if the public index of the IndexOptions has the name. `stand_in` is a name that
    nobody has, for the blocked entry; it must not be remembered. `by_cluster`: the holder is of
    cluster scope.
    """

    name: str
    holder: str | None
    stand_in: str
    by_cluster: bool = False


@lru_cache(maxsize=512)
def environment_form(name: str) -> str:
    """The name as a variable like `UV_INDEX_<NAME>_PASSWORD` contains it."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in name).upper()


def assign_names(
    requests: Iterable[NameRequest], *, public_name: str | None
) -> dict[str, NameAssignment | NameTaken]:
    """Give every index a name, or say which index has the name that it asks for; by UID.

    In order of precedence: the public index; indexes of cluster scope; the others. Of both in turn:
    indexes that have a name already; explicit names; derived names; provisional names. Stand-ins
    come last. Within each the older object comes first, then the
    object's name. So adding, removing or relabelling an index never renames another. The result
    depends only on the set of requests, not on their order.

    An edit of `spec.name` replaces the earlier name. A derived name is assigned anew only if the
    public index of the same IndexOptions, or an index of cluster scope, was given that very name.
    """
    taken = _TakenNames(public_name)
    answers: dict[str, NameAssignment | NameTaken] = {}
    in_order = sorted(requests, key=_seniority)
    refused = _assign([each for each in in_order if each.of_cluster], taken, answers)
    refused += _assign([each for each in in_order if not each.of_cluster], taken, answers)
    for request, name in refused:
        holder = taken.holders[environment_form(name)]
        stand_in = taken.add_free(_derived_name(replace(request, host=None)), request)
        of_cluster = holder is not None and holder.of_cluster
        holder_name = holder.object_name if holder is not None else None
        answers[request.uid] = NameTaken(name, holder_name, stand_in, by_cluster=of_cluster)
    return answers


def _assign(
    requests: Iterable[NameRequest],
    taken: "_TakenNames",
    answers: dict[str, NameAssignment | NameTaken],
) -> list[tuple[NameRequest, str]]:
    """Add the answers to requests of one rank; returns those whose explicit name is taken."""
    unnamed = []
    for request in requests:
        name = _earlier_name(request)
        if name is not None and taken.add(name, request):
            answers[request.uid] = NameAssignment(name, assigned=True)
        else:
            unnamed.append(request)

    refused = []
    for request in unnamed:
        if (name := request.explicit_name) is None:
            continue
        if taken.add(name, request):
            answers[request.uid] = NameAssignment(name, assigned=True)
        else:
            refused.append((request, name))

    derived = [request for request in unnamed if request.explicit_name is None]
    for request in sorted(derived, key=lambda request: request.host is None):
        name = taken.add_free(_derived_name(request), request)
        answers[request.uid] = NameAssignment(name, assigned=request.host is not None)
    return refused


class _TakenNames:
    """The names that are taken.

    `holders` are the objects that have them, None for the public index, by environment form.
    """

    def __init__(self, public_name: str | None) -> None:
        self.holders: dict[str, NameRequest | None] = {}
        self._next_suffix: dict[str, int] = {}
        if public_name is not None:
            self.holders[environment_form(public_name)] = None

    def add(self, name: str, request: NameRequest) -> bool:
        """Take the name; False if another object has it."""
        form = environment_form(name)
        if form in self.holders:
            return False
        self.holders[form] = request
        return True

    def add_free(self, base: str, request: NameRequest) -> str:
        """Take the name, or the first of name-2, name-3, … that is free."""
        if self.add(base, request):
            return base
        # Names are never removed, so the search continues where the last one ended.
        number = self._next_suffix.get(base, 2)
        while not self.add(_suffixed(base, number), request):
            number += 1
        self._next_suffix[base] = number + 1
        return _suffixed(base, number)


def _seniority(request: NameRequest) -> tuple[float, str, str]:
    return _epoch(request.created), request.object_name, request.uid


def _epoch(created: str | float) -> float:
    """POSIX seconds; an unreadable time counts as the youngest."""
    if not isinstance(created, str):
        return created
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return float("inf")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _earlier_name(request: NameRequest) -> str | None:
    """The name that the index was given earlier, unless its spec now asks for another.

    It comes from a status, which somebody may have edited, so it must look like a name.
    """
    assigned, explicit = request.assigned_name, request.explicit_name
    if explicit is not None:
        return assigned if assigned == explicit else None
    if assigned is None or len(assigned) > MAX_NAME_LENGTH or not _NAME.fullmatch(assigned):
        return None
    return assigned


def _derived_name(request: NameRequest) -> str:
    """The host's first label, else the object's name, as `[a-z0-9]([a-z0-9-]*[a-z0-9])?`."""
    host = request.host
    if host and not is_ip_address(host):
        label = re.sub(r"[^a-z0-9-]", "", host.partition(".")[0].lower())
        if name := label[:MAX_NAME_LENGTH].strip("-"):
            return name
    name = re.sub(r"[^a-z0-9]", "-", request.object_name.lower())
    return name[:MAX_NAME_LENGTH].strip("-") or "index"


def _suffixed(base: str, number: int) -> str:
    suffix = f"-{number}"
    return base[: MAX_NAME_LENGTH - len(suffix)].rstrip("-") + suffix
