"""Everything that a restart knows: controller state, read back from the objects it stands in."""

import base64
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final, TypeAlias

from pydantic import SecretStr

from artifact_index.api import constants
from artifact_index.api.conditions import READY, REFRESH_FAILING
from artifact_index.api.owners import is_of_cluster
from artifact_index.api.reasons import Reason
from artifact_index.api.timestamps import parse_time
from artifact_index.credentials.aws.endpoints import Endpoints
from artifact_index.credentials.requests import Token
from artifact_index.credentials.tokens.manager import TokenManager
from artifact_index.kube.port import Object
from artifact_index.reconcile.cache.feed import FedObject
from artifact_index.reconcile.cache.objects import (
    CustomObject,
    IndexObject,
    ObjectRef,
    OptionsObject,
    OutputObject,
)
from artifact_index.reconcile.cache.output_owners import owner_name
from artifact_index.reconcile.cache.status_parsing import condition_of, decoded_status
from artifact_index.reconcile.plan.blocked import Blocked
from artifact_index.reconcile.plan.checkpoint import Checkpoint
from artifact_index.reconcile.plan.fallback import Published, is_better
from artifact_index.reconcile.plan.sizes import LARGE
from artifact_index.reconcile.resolve.checks import missing_since_in
from artifact_index.reconcile.resolve.history import Histories
from artifact_index.reconcile.state.state import State, published_names
from artifact_index.runtime import beside_the_loop

_OPTIONS: Final = constants.INDEX_OPTIONS_PLURAL, constants.CLUSTER_INDEX_OPTIONS_PLURAL
_INDEXES: Final = constants.ARTIFACT_INDEX_PLURAL, constants.CLUSTER_ARTIFACT_INDEX_PLURAL
_MISSING: Final = frozenset(reason for reason in Reason if reason.missing_source)
_WORTH_DECODING: Final = tuple(f'"{word}"'.encode() for word in (REFRESH_FAILING, *_MISSING))
"""A status without any of these restores nothing: hardly one in ten thousand has to be decoded."""

_Contents: TypeAlias = tuple[dict[str, Published], Blocked]
"""What an output publishes, by UID of the index, and what it blocks."""


def restore(
    plural: str,
    listed: FedObject,
    body: Object,
    *,
    state: State,
    histories: Histories,
    tokens: TokenManager,
    endpoints: Endpoints,
    grace: float,
    outputs_of: Callable[[ObjectRef], list[OutputObject]] | None = None,
) -> Awaitable[None] | None:
    """Restore what an object of the first listing tells, and in a standby what the leader wrote.

    `outputs_of` is for a standby: what no output of an owner holds any more is forgotten.
    Returns what is left to await: a thread reads a large output back. `grace` is
    `--missing-secret-grace` in seconds.

    - The status of an IndexOptions: the names of its indexes.
    - The checkpoint of an output: the entries it publishes, their names, and their tokens and
      URLs, which are then held without a call to a cloud. Outputs are written before
      statuses, so their names replace those of the status; they are listed later, too.
    - The text of an output: the entries at which it stops builds.
    - The status of an ArtifactIndex: since when its Secret or key has been missing, and whether its
      last refresh failed.

    Which refresh requests are handled is not restored but read from the status whenever a request
    is looked at (`refresh_requests.refresh_request`): the status is where it is stored.
    """
    if plural in _OPTIONS and isinstance(listed, CustomObject):
        items = decoded_status(listed.status).get("indexes") or ()
        names = {item["uid"]: item["name"] for item in items if item.get("name")}
        state.names[listed.ref] = names | published_names(state.published.get(listed.ref, {}))
    elif plural in _INDEXES and isinstance(listed, CustomObject):
        _restore_conditions(listed, histories, grace)
    elif isinstance(listed, OutputObject) and (name := owner_name(listed)) is not None:
        if is_of_cluster(name):
            shared_owner = ObjectRef("", name.rpartition("/")[2])
            if _is_ours(listed) and listed.digest not in state.fan_outs[shared_owner].held:
                read_once = _contents_of(listed, body.get("data") or {})
                standing = partial(outputs_of, ObjectRef("", name)) if outputs_of else None
                state.fan_outs[shared_owner].hold(listed.digest, *read_once, standing)
                for published in read_once[0].values():
                    _restore_token(published, shared_owner, tokens, endpoints)
            return None
        owner = ObjectRef(listed.ref.namespace, name)
        data: dict[str, str | None] = body.get("data") or {}
        read = partial(_contents_of, listed, data)
        keep = partial(
            _keep, owner, listed,
            state=state, tokens=tokens, endpoints=endpoints, outputs_of=outputs_of,
        )  # fmt: skip
        if sum(len(value or "") for value in data.values()) > LARGE:
            return _restore_large(read, keep)
        keep(read())
    return None


async def _restore_large(read: Callable[[], _Contents], keep: Callable[[_Contents], None]) -> None:
    keep(await beside_the_loop(read))


def _keep(
    owner: ObjectRef,
    output: OutputObject,
    contents: _Contents,
    *,
    state: State,
    tokens: TokenManager,
    endpoints: Endpoints,
    outputs_of: Callable[[ObjectRef], list[OutputObject]] | None,
) -> None:
    """Keep what an output of this owner publishes and blocks."""
    read, blocked = contents
    if _is_ours(output) and (blocked or owner in state.blocked):
        state.blocked[owner][output.ref] = blocked
    held, better = state.published[owner], is_better
    if read and outputs_of is not None:
        better = _is_newer
        texts = [
            each.annotations.get(constants.CHECKPOINT_ANNOTATION, "") for each in outputs_of(owner)
        ]
        for uid in held.keys() - read.keys():
            if not any(uid in text for text in texts):
                del held[uid]
    for uid, published in read.items():
        _restore_token(published, owner, tokens, endpoints)
        before = held.get(uid)
        if before is None or better(published, before):
            held[uid] = published
            state.names.setdefault(owner, {})[uid] = published.entry.name


def _restore_conditions(
    index: OptionsObject | IndexObject, histories: Histories, grace: float
) -> None:
    histories.forget(index.ref)
    if not any(word in index.status for word in _WORTH_DECODING):
        return
    status = decoded_status(index.status)
    if condition_of(status, REFRESH_FAILING) is not None:
        histories.get_or_add(index.ref, index.uid).was_failing = True
    ready = condition_of(status, READY)
    if ready is not None and ready["reason"] in _MISSING:
        # Its message says when to the second: the status may have been written in the next one, or
        # have been False for another reason before.
        missing_since = missing_since_in(ready["message"], grace)
        if missing_since is None:
            missing_since = parse_time(ready["lastTransitionTime"])
        histories.get_or_add(index.ref, index.uid).missing_since = missing_since


def _contents_of(output: OutputObject, data: Mapping[str, str | None]) -> _Contents:
    """What an output publishes and blocks; nothing if anybody but us has written it.

    Only content whose keyed digest verifies is trusted. The tokens of an edited output are issued
    anew unless another output holds them.
    """
    if not _is_ours(output):
        return {}, {}
    try:
        checkpoint = Checkpoint.decode(output.annotations.get(constants.CHECKPOINT_ANNOTATION, ""))
        files = {key: _text_of(value or "", output.ref.kind) for key, value in data.items()}
    except ValueError:
        # Another version of the operator has written it: the tokens are issued anew.
        return {}, {}
    return checkpoint.published(files), checkpoint.blocked(files)


def _is_ours(output: OutputObject) -> bool:
    return output.annotations.get(constants.CONTENT_DIGEST_ANNOTATION) == output.digest


def _text_of(value: str, kind: str) -> SecretStr:
    return SecretStr(base64.b64decode(value).decode() if kind == "Secret" else value)


def _is_newer(published: Published, before: Published) -> bool:
    """A later write wins, if it has the login or the one before had none."""
    return before.bare or not published.bare


def _restore_token(
    published: Published, owner: ObjectRef, tokens: TokenManager, endpoints: Endpoints
) -> None:
    credential = published.entry.credential
    if published.token is not None and credential is not None:
        times = (published.issued_at, published.expires_at)
        token = Token(credential.password, *times, username=credential.username)
        tokens.restore(published.token, token, repeats=published.repeats, consumer=owner)
    if published.endpoint is not None:
        endpoints.restore(published.endpoint, published.entry.url.removesuffix("simple/"))
