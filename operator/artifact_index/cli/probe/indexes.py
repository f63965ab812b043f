"""Reads the files of a cluster, and asks their indexes with the very logins in them."""

import asyncio
import time
from collections.abc import Mapping, Set
from itertools import product
from typing import Any

from pydantic import SecretStr

from artifact_index.api.constants import CLUSTER_ARTIFACT_INDEX_KIND
from artifact_index.cli.cluster.caller_api import CallerApi
from artifact_index.cli.cluster.connection import list_ours
from artifact_index.cli.cluster.objects import Observed, listed_indexes, outputs_of, source_of
from artifact_index.cli.console import CommandError
from artifact_index.cli.probe.asking import Asker
from artifact_index.cli.probe.files import Places, files_of
from artifact_index.cli.probe.pages import first_project, normalized
from artifact_index.cli.probe.verdicts import Answers, Question, judge
from artifact_index.cli.reports import IndexProbe, ObjectRef
from artifact_index.formats.document import IndexEntry
from artifact_index.formats.registry import read_logins
from artifact_index.formats.urls import UnusableURLError, has_query_or_fragment, split_userinfo
from artifact_index.formats.uv_toml import UvToml, read_entries
from artifact_index.kube.resources import SECRETS

_ANONYMOUS_TELLS = (200, 404)
"""Answers that the same question without a login explains."""


async def probe(
    api: CallerApi,
    namespace: str | None,
    wanted: Set[tuple[str, str]] = frozenset(),
    *,
    place: str | None = None,
    package: str | None = None,
) -> list[IndexProbe]:
    """Ask the indexes of a namespace, or of all, that are wanted by kind and name; if none, all.

    One of cluster scope is asked with the file of the namespace `place`, else of the first that has
    it. Raises CommandError.
    """
    of_cluster = any(kind == CLUSTER_ARTIFACT_INDEX_KIND for kind, _ in wanted)
    indexes, options = await list_ours(api, namespace, of_cluster=of_cluster)
    chosen = [each for each in indexes if not wanted or (each.kind, each.name) in wanted]
    questions = await _questions(api, chosen, options, place)
    async with Asker() as asking:
        return await asyncio.gather(*(_probe(asking, each, package) for each in questions))


async def _questions(
    api: CallerApi, indexes: list[Observed], options: list[Observed], place: str | None
) -> list[Question]:
    """A question for each index whose spec can be read, by the first file that holds it."""
    by_ref = {each.ref: each for each in indexes}
    places = Places(api, place)
    found: dict[ObjectRef, Question] = {}
    unread: dict[ObjectRef, str] = {}
    for each in options:
        selected = _selected(each, by_ref)
        try:
            namespaces = await places.of(each, selected.values())
        except CommandError as error:
            unread |= {index.ref: str(error) for index in selected.values()}
            continue
        for namespace, output in product(namespaces, outputs_of(each)):
            if all(index.ref in found for index in selected.values()):
                break
            kind, _, name = output.partition("/")
            ref = ObjectRef(kind=kind, namespace=namespace, name=name)
            try:
                files = await files_of(api, ref)
            except CommandError as error:
                unread |= {index.ref: str(error) for index in selected.values()}
                continue
            for name, question in _in_files(ref, files, selected).items():
                found.setdefault(selected[name].ref, question)
    return [
        found.get(each.ref) or Question(each, source, None, unread=unread.get(each.ref))
        for each in indexes
        if (source := source_of(each)) is not None
    ]


def _selected(options: Observed, by_ref: Mapping[ObjectRef, Observed]) -> dict[str, Observed]:
    """The indexes that a file holds, by their names in it."""
    found: dict[str, Observed] = {}
    for (kind, name), item in listed_indexes(options):
        namespace = "" if kind == CLUSTER_ARTIFACT_INDEX_KIND else options.namespace
        index = by_ref.get(ObjectRef(kind=kind, namespace=namespace, name=name))
        if index is not None and item.get("name"):
            found[item["name"]] = index
    return found


def _in_files(
    ref: ObjectRef, files: Mapping[str, SecretStr], selected: Mapping[str, Observed]
) -> dict[str, Question]:
    """The questions that the files of an output allow, by the name of the index in them."""
    sources = {
        name: source
        for name, index in selected.items()
        if (source := source_of(index)) is not None
        # Without its login an index in a ConfigMap tells nothing.
        and (ref.kind == SECRETS.kind or not source.model.has_login)
    }
    if (text := files.get(UvToml.key)) is not None:
        verbatim = [name for name, source in sources.items() if source.whole_url]
        entries = read_entries(text, verbatim=verbatim)
        return {
            name: _question(selected[name], source, ref, entries[name])
            for name, source in sources.items()
            if name in entries
        }
    urls = {
        name: url for name in sources if isinstance(url := selected[name].status.get("url"), str)
    }
    logins = read_logins(files, urls)
    return {
        name: Question(selected[name], sources[name], ref, url, logins.get(name))
        for name, url in urls.items()
        if name in logins or not sources[name].model.has_login
    }


def _question(index: Observed, source: Any, ref: ObjectRef, entry: IndexEntry) -> Question:
    url, login = entry.url, entry.credential
    if entry.verbatim_url is not None:
        try:
            url, login = split_userinfo(entry.verbatim_url.get_secret_value())
        except UnusableURLError:
            return Question(index, source, None)
    return Question(
        index, source, ref, url, login,
        blocked=entry.blocked, flat=entry.flat, cut_off_exempt=entry.exclude_newer == "false",
    )  # fmt: skip


async def _probe(asking: Asker, asked: Question, package: str | None) -> IndexProbe:
    if asked.file is None or asked.blocked:
        return judge(asked, None, time.time())
    # Nothing is put behind a query, which may be the login.
    as_it_is = asked.flat or has_query_or_fragment(asked.url)
    root = asked.url if as_it_is else f"{asked.url.rstrip('/')}/"
    project = None if as_it_is else package
    url = root if project is None else f"{root}{normalized(project)}/"
    first = await asking.ask(url, asked.login)
    page = anonymous = None
    if first.good and url == root and not as_it_is and (name := first_project(first.body)):
        page = await asking.ask(f"{root}{name}/", asked.login)
    if asked.login is not None and first.status in _ANONYMOUS_TELLS:
        anonymous = await asking.ask(url, None)
    return judge(asked, Answers(first, page, anonymous, project), time.time())
