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

from pydantic import SecretStr

from artifact_index.api.reasons import Reason
from artifact_index.formats.base import named
from artifact_index.formats.urls import has_userinfo, without_userinfo
from artifact_index.reconcile.plan.fallback import Published
from artifact_index.reconcile.resolve.token_view import IndexState
from artifact_index.sources.policy import Problem


def shadowing_problems(
    indexes: Sequence[IndexState], published: Mapping[str, Published]
) -> dict[str, IndexState]:
    """The indexes that must not be published beside these siblings, by UID, each with its problem.

    An index with a login is refused if its root is above a sibling's. Two with the same root are
    not: uv tells their logins apart by URL or name. `published` are entries by UID.
    """
    roots = [(index, root) for index in indexes if (root := _root(index, published)) is not None]
    hosts: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for index, (host, path) in roots:
        hosts[host].append((path, index.selected.ref.name))
    for named_paths in hosts.values():
        named_paths.sort()
    refused: dict[str, IndexState] = {}
    for index, (host, path) in roots:
        below = _below(path, hosts[host])
        if below and _has_login(index, published):
            # Without a login there is no fallback either: not even the published entry stays.
            problem = _problem(sorted(below))
            refused[index.selected.uid] = replace(
                index, key=None, login=None, credential=None, problem=problem
            )
    return refused


def _below(path: str, named_paths: Sequence[tuple[str, str]]) -> list[str]:
    """The names of the paths below a path, which follow it directly in sorted order."""
    first = end = bisect_right(named_paths, path, key=itemgetter(0))
    while end < len(named_paths) and named_paths[end][0].startswith(path):
        end += 1
    return [name for _, name in named_paths[first:end]]


def _root(index: IndexState, published: Mapping[str, Published]) -> tuple[str, str] | None:
    before = published.get(index.selected.uid)
    url = index.url
    if url is None and before is not None:
        verbatim = before.entry.verbatim_url
        url = verbatim.get_secret_value() if verbatim is not None else before.entry.url
    return _root_of(without_userinfo(url)) if url else None


@lru_cache(maxsize=256)
def _root_of(url: str) -> tuple[str, str]:
    """The host with its scheme, and the path of the root."""
    scheme, _, rest = url.partition("://")
    address, _, path = re.split("[?#]", rest)[0].partition("/")
    path = re.sub(r"/\+?simple\Z", "", f"/{path}".rstrip("/"))
    return f"{scheme}://{address.lower()}", f"{path}/"


def _has_login(index: IndexState, published: Mapping[str, Published]) -> bool:
    if index.login is not None:
        return index.login.credentialed or _has_userinfo(index.login.verbatim_url)
    before = published.get(index.selected.uid)
    if before is None:
        return False
    entry = before.entry
    return before.bare or entry.credential is not None or _has_userinfo(entry.verbatim_url)


def _has_userinfo(verbatim: SecretStr | None) -> bool:
    return verbatim is not None and has_userinfo(verbatim.get_secret_value())


def _problem(names: Sequence[str]) -> Problem:
    return Problem(
        Reason.SHADOWS_SIBLINGS,
        f"its URL is a prefix of the URLs of ArtifactIndex {named(names, at_most=3)} in the same "
        "file, and uv would send its login there; give it a URL with a path of its own, or select "
        "them by different IndexOptions",
    )
