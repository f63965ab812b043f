"""Finds indexes whose URL is a prefix of another's, which uv does not keep apart. Pure.

uv remembers a login for an index's root (its URL without `/simple` or `/+simple`) and, of several
that match a request, uses the one with the shortest path. So uv would send the login of an index at
a host's root to every other index of that host.
"""

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from operator import itemgetter
from typing import Final, NamedTuple

from pydantic import SecretStr

from artifact_index.api.reasons import Reason
from artifact_index.formats.base import named
from artifact_index.formats.urls import has_userinfo, place_of, without_simple, without_userinfo
from artifact_index.reconcile.plan.fallback import Published
from artifact_index.reconcile.resolve.token_view import IndexState
from artifact_index.sources.policy import Problem
from artifact_index.sources.registry import of

_SLASHES: Final = re.compile("//+")


class _Root(NamedTuple):
    """The origin of an index, the path of its root, and the one below which its pages are."""

    origin: str
    path: str
    pages: str


def shadowing_problems(
    indexes: Sequence[IndexState], published: Mapping[str, Published]
) -> dict[str, IndexState]:
    """The indexes that must not be published beside these siblings, by UID, each with its problem.

    An index with a login and an index below its root exclude each other. The younger gives way, so
    that a new index never blocks one that is served: `published` (entries by UID) goes before
    creation, and of two that were created in the same second the lower one stays. Two with the same
    root are no conflict: uv tells their logins apart by URL or name.
    """
    rooted = [(index, root) for index in indexes if (root := _root(index, published)) is not None]
    hosts: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    pages: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for number, (_, root) in enumerate(rooted):
        hosts[root.origin].append((root.path, number))
        if root.pages != root.path:
            pages[root.origin, root.pages].append(number)
    for numbered_paths in hosts.values():
        numbered_paths.sort()
    above: defaultdict[int, set[int]] = defaultdict(set)
    below: dict[int, set[int]] = {}
    for number, (index, (host, path, _)) in enumerate(rooted):
        # The root of `…/simple/simple/` is where another index has its pages.
        under = _below(path, hosts[host]) + pages.get((host, path), [])
        if under and _has_login(index, published):
            below[number] = set(under)
            for each in under:
                above[each].add(number)
    if not below:
        return {}

    def seniority(number: int) -> tuple[bool, bool, str, bool, str]:
        index = rooted[number][0]
        created, (namespace, name) = index.selected.created, index.selected.ref
        # An index of cluster scope gives way to none of a namespace.
        return bool(namespace), not _is_served(index, published), created, number in below, name

    refused: dict[str, IndexState] = {}
    stands: set[int] = set()
    for number in sorted(below.keys() | above.keys(), key=seniority):
        lower, upper = below.get(number, set()), above.get(number, set())
        if not stands & (lower | upper):
            stands.add(number)
            continue
        is_above = bool(stands & lower)
        others = lower if is_above else stands & upper
        names = sorted(rooted[other][0].selected.ref.name for other in others)
        index = rooted[number][0]
        # Without a login there is no fallback either: not even the published entry stays.
        refused[index.selected.uid] = replace(
            index, key=None, login=None, credential=None, problem=_problem(index, names, is_above)
        )
    return refused


def _below(path: str, numbered_paths: Sequence[tuple[str, int]]) -> list[int]:
    """The numbers of the paths below a path, which follow it directly in sorted order."""
    first = end = bisect_right(numbered_paths, path, key=itemgetter(0))
    while end < len(numbered_paths) and numbered_paths[end][0].startswith(path):
        end += 1
    return [number for _, number in numbered_paths[first:end]]


def _root(index: IndexState, published: Mapping[str, Published]) -> _Root | None:
    if index.url:
        return _root_of(index.url)
    before = published.get(index.selected.uid)
    return _published_root(before) if before is not None else None


def _published_root(published: Published) -> _Root | None:
    verbatim = published.entry.verbatim_url
    url = verbatim.get_secret_value() if verbatim is not None else published.entry.url
    return _root_of(without_userinfo(url)) if url else None


@lru_cache(maxsize=256)
def _root_of(url: str) -> _Root | None:
    """The root of an index; None for an unusable URL."""
    place = place_of(url)
    if place is None:
        return None
    # uv compares paths by their segments and passes over empty ones.
    pages = _SLASHES.sub("/", place.path)
    origin = f"{place.scheme}://{place.address}"
    return _Root(origin, _folder(without_simple(pages)), _folder(pages))


def _folder(path: str) -> str:
    return path if path.endswith("/") else f"{path}/"


def _is_served(index: IndexState, published: Mapping[str, Published]) -> bool:
    """Whether an output holds the index with this root already, and with a login if it has one."""
    before = published.get(index.selected.uid)
    return (
        before is not None
        and _published_root(before) == _root(index, published)
        and _holds_login(before) == _has_login(index, published)
    )


def _has_login(index: IndexState, published: Mapping[str, Published]) -> bool:
    if index.login is not None:
        return index.login.credentialed or _has_userinfo(index.login.verbatim_url)
    before = published.get(index.selected.uid)
    return before is not None and _holds_login(before)


def _holds_login(published: Published) -> bool:
    entry = published.entry
    has_login = entry.credentialed or entry.credential is not None
    return published.bare or has_login or _has_userinfo(entry.verbatim_url)


def _has_userinfo(verbatim: SecretStr | None) -> bool:
    return verbatim is not None and has_userinfo(verbatim.get_secret_value())


def _problem(index: IndexState, names: Sequence[str], is_above: bool) -> Problem:
    field, listed = _field(index), named(names, at_most=3)
    if is_above:
        cause = (
            f"the URL in {field} is a prefix of the URLs of ArtifactIndex {listed} in the same "
            "file, and uv would send its login there"
        )
    else:
        cause = (
            f"the URL in {field} begins with the URL of ArtifactIndex {listed} in the same file, "
            "and uv would send that login to it"
        )
    return Problem(
        Reason.SHADOWS_SIBLINGS,
        f"{cause}; give {field} a URL with a path of its own, or select them by different "
        "IndexOptions",
    )


def _field(index: IndexState) -> str:
    """The field of the spec that holds the URL, or from which the URL follows."""
    if index.selected.spec is None:
        return "the spec"
    source = of(index.selected.spec)
    return next((field for field, _ in source.urls()), source.field)
