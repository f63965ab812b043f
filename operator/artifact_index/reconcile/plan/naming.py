"""Names the indexes of one IndexOptions, and refuses those whose spec.name is taken. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from artifact_index.api.constants import ARTIFACT_INDEX_KIND, CLUSTER_ARTIFACT_INDEX_KIND
from artifact_index.api.reasons import Reason
from artifact_index.formats.names import NameAssignment, NameRequest, NameTaken, assign_names
from artifact_index.formats.urls import host_of
from artifact_index.reconcile.cache.objects import kind_of
from artifact_index.reconcile.plan.fallback import Published
from artifact_index.reconcile.resolve.token_view import IndexState
from artifact_index.sources.policy import Problem


def name_indexes(
    indexes: Sequence[IndexState],
    published: Mapping[str, Published],
    assigned: Mapping[str, str],
    public_name: str | None,
) -> tuple[dict[str, NameAssignment], dict[str, IndexState]]:
    """The name of each index, and those whose spec.name is taken, each with its problem; by UID.

    The latter have a name all the same, for their blocked entry: were they left out, their packages
    would be looked for on the indexes that are left.
    """
    names: dict[str, NameAssignment] = {}
    refused: dict[str, IndexState] = {}
    requests = (_name_request(index, published, assigned) for index in indexes)
    answers = assign_names(requests, public_name=public_name)
    for index in indexes:
        uid, answer = index.selected.uid, answers[index.selected.uid]
        if isinstance(answer, NameTaken):
            refused[uid] = replace(index, problem=_conflict(index, answer))
            answer = NameAssignment(answer.stand_in, assigned=False)
        names[uid] = answer
    return names, refused


def _name_request(
    index: IndexState, published: Mapping[str, Published], assigned: Mapping[str, str]
) -> NameRequest:
    record = index.selected
    host = host_of(index.url) if index.url is not None else None
    before = published.get(record.uid)
    if host is None and before is not None and before.destination == index.destination:
        host = host_of(before.entry.url)
    return NameRequest(
        uid=record.uid,
        object_name=record.ref.name,
        of_cluster=not record.ref.namespace,
        created=record.created,
        explicit_name=record.spec.name if record.spec else None,
        host=host,
        assigned_name=assigned.get(record.uid),
    )


def _conflict(index: IndexState, taken: NameTaken) -> Problem:
    namespace, name = index.selected.ref
    where, kind = f"-n {namespace} " if namespace else "", kind_of(index.selected.ref).lower()
    holder, other_way = "the public index", "set spec.publicIndex.name of the IndexOptions"
    if taken.holder is not None:
        kinds = ARTIFACT_INDEX_KIND, CLUSTER_ARTIFACT_INDEX_KIND
        holder = f"{kinds[taken.by_cluster]} {taken.holder!r}"
        other_way = "select the two by different IndexOptions"
    patch = f'{{"spec":{{"name":"{taken.stand_in}"}}}}'
    return Problem(
        Reason.NAME_CONFLICT,
        f"spec.name {taken.name!r} is taken by {holder} in the same file (names are the same if "
        "their environment variables are), so this index is not served; choose another name, for "
        f"example with kubectl {where}patch {kind} {name} --type=merge -p "
        f"'{patch}', or {other_way}",
    )
