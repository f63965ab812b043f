"""What outlives a pass: served entries, allotted names, placements; how a restart refills it."""

import base64
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import SecretStr

from artifact_index.api.constants import CHECKPOINT_ANNOTATION, CONTENT_DIGEST_ANNOTATION
from artifact_index.credentials.requests import Token
from artifact_index.credentials.tokens.manager import TokenManager
from artifact_index.formats.document import IndexEntry
from artifact_index.formats.uv_toml import UV_TOML_KEY, read_entries
from artifact_index.reconcile.cache.objects import (
    IndexObject,
    ObjectRef,
    OptionsObject,
    OutputObject,
)
from artifact_index.reconcile.plan.checkpoint import Checkpoint, CheckpointItem, Times
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.fallback import Published
from artifact_index.reconcile.plan.recovery import recover_entries
from artifact_index.reconcile.resolve.kept_login import KeptLogin


@dataclass(slots=True)
class State:
    """Facts that no single object holds, by IndexOptions or by ArtifactIndex.

    `served` is what the outputs hold by UID of the index; `assigned` are names by UID;
    `placements` are the last places of the indexes of an IndexOptions;
    `missing_since` is when a source Secret or key was first missed, by UID; `reread_for` is the
    last refresh request for which an index's source was read again, by UID; `logins` is what was
    last found of an index that passed its checks (see `Resolver`); `waiting` are IndexOptions whose
    last pass waits for the first answers of a cloud.
    """

    served: defaultdict[ObjectRef, dict[str, Published]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    assigned: dict[ObjectRef, dict[str, str]] = field(default_factory=dict)
    placements: dict[ObjectRef, dict[ObjectRef, IndexPlan]] = field(default_factory=dict)
    missing_since: dict[str, float] = field(default_factory=dict)
    reread_for: dict[str, int] = field(default_factory=dict)
    logins: dict[ObjectRef, KeptLogin] = field(default_factory=dict)
    waiting: set[ObjectRef] = field(default_factory=set)

    def names_of(self, record: OptionsObject) -> dict[str, str]:
        """The allotted names of an IndexOptions; after a start those of its status and outputs.

        Outputs are written before statuses, so a crash in between leaves a name in the output
        alone, and pods know it already.
        """
        if record.ref not in self.assigned:
            items = record.decoded_status().get("indexes") or ()
            names = {item["uid"]: item["name"] for item in items if item.get("name")}
            served = self.served.get(record.ref, {})
            self.assigned[record.ref] = names | {uid: one.entry.name for uid, one in served.items()}
        return self.assigned[record.ref]

    def keep_placements(self, options: ObjectRef, placed: Sequence[IndexPlan]) -> set[ObjectRef]:
        """Take the places of a pass; returns every index whose place has changed."""
        before = self.placements.pop(options, {})
        now = {one.record.ref: one for one in placed}
        if now:
            self.placements[options] = now
        self._forget_unplaced(one for ref, one in before.items() if ref not in now)
        return {ref for ref in before.keys() | now.keys() if before.get(ref) != now.get(ref)}

    def keep_names(self, options: ObjectRef, placed: Sequence[IndexPlan]) -> None:
        """The names that a pass allotted are given, whatever of it could be written."""
        if placed:
            names = {one.record.uid: one.name for one in placed if one.name is not None}
            self.assigned[options] = names
        else:
            # The outputs stay and pods with them: as after a start, those names are still given.
            self.assigned.pop(options, None)

    def place_of(self, record: IndexObject, consumers: Sequence[ObjectRef]) -> IndexPlan | None:
        """The place that an index's status speaks of: the first unready one, else the first.

        None while some consumer has not been planned with this spec. Of several consumers the one
        with the longest builds decides when the token is refreshed.
        """
        places = (self.placements.get(options, {}) for options in sorted(consumers))
        found = [by_ref[record.ref] for by_ref in places if record.ref in by_ref]
        current = (one.record.is_generation(record.uid, record.generation) for one in found)
        if len(found) < len(consumers) or not all(current):
            return None
        chosen = next((one for one in found if not one.ready), found[0])
        refreshes = [one.refresh_at for one in found if one.refresh_at is not None]
        shortfalls = [one.shortfall for one in found if one.shortfall is not None]
        return replace(
            chosen,
            refresh_at=min(refreshes, default=None),
            shortfall=next(iter(shortfalls), None),
            fresh_as_of=min(one.fresh_as_of for one in found),
        )

    def keep_record(self, record: IndexObject, consumers: Iterable[ObjectRef]) -> None:
        """The status of an index was written: its places need not keep what was before it."""
        renewed: tuple[IndexPlan, IndexPlan] | None = None
        for options in consumers:
            places = self.placements.get(options, {})
            if (one := places.get(record.ref)) is None or not record.same_input(one.record):
                continue
            if renewed is None or renewed[0] is not one:
                # Files share a place, and go on doing so.
                renewed = one, replace(one, record=record)
            places[record.ref] = renewed[1]

    def keep_served(self, options: ObjectRef, placed: Sequence[IndexPlan]) -> None:
        """What the outputs hold from now on."""
        self.served[options] = {
            one.record.uid: one.served for one in placed if one.served is not None
        }

    def forget_options(self, options: ObjectRef) -> None:
        """The IndexOptions is gone."""
        self._forget_unplaced(self.placements.pop(options, {}).values())
        self.served.pop(options, None)
        self.assigned.pop(options, None)
        self.waiting.discard(options)

    def forget_index(self, ref: ObjectRef, uid: str | None = None) -> None:
        """The ArtifactIndex is gone, or nothing selects it.

        Its places go with the next pass over their IndexOptions.
        """
        self.logins.pop(ref, None)
        if uid is not None:
            self._forget_source(uid)

    def _forget_unplaced(self, gone: Iterable[IndexPlan]) -> None:
        for one in gone:
            uid, ref = one.record.uid, one.record.ref
            noted = uid in self.missing_since or uid in self.reread_for
            if noted and not any(ref in places for places in self.placements.values()):
                self._forget_source(uid)

    def _forget_source(self, uid: str) -> None:
        self.missing_since.pop(uid, None)
        self.reread_for.pop(uid, None)


def take_up(
    record: OutputObject,
    data: Mapping[str, str],
    *,
    owner: ObjectRef,
    state: State,
    tokens: TokenManager,
) -> None:
    """Take tokens and entries up from an output of our own, after a start.

    Only content whose keyed digest verifies is believed; an output that somebody edited is left
    out, and its tokens are minted anew unless another output holds them.
    """
    if record.annotations.get(CONTENT_DIGEST_ANNOTATION) != record.digest:
        return
    served = _served_entries(record, data)
    known = state.served[owner]
    for uid, one in served.items():
        # An entry with its login before one without, then the newest token; a bare one only stands
        # in where there is nothing else.
        before = known.get(uid)
        if before is None or (before.bare, -before.issued_at) >= (one.bare, -one.issued_at):
            known[uid] = one
        _seed(tokens, one, owner)


def _served_entries(record: OutputObject, data: Mapping[str, str]) -> dict[str, Published]:
    is_secret = record.ref.kind == "Secret"
    try:
        annotation = record.annotations.get(CHECKPOINT_ANNOTATION, "")
        content = Checkpoint.model_validate_json(annotation)
        files = {
            key: SecretStr(_decoded(value) if is_secret else value or "")
            for key, value in data.items()
        }
    except ValueError:
        # Another version's, or nobody's: the tokens are minted anew.
        return {}
    if UV_TOML_KEY in files:
        entries = read_entries(
            files[UV_TOML_KEY],
            verbatim={name for name, one in content.indexes.items() if one.verbatim and is_secret},
            public_name=content.public,
        )
    else:
        entries = recover_entries(annotation, files)
    return {
        item.uid: _served(entries[name], item, content.times_of(item))
        for name, item in content.indexes.items()
        if name in entries
    }


def _decoded(value: str | None) -> str:
    return base64.b64decode(value or "").decode()


def _served(entry: IndexEntry, item: CheckpointItem, times: Times | None) -> Published:
    issued_at, expires_at, repeats = times or (0, None, 0)
    # A bare entry's own text is what tells whether its login has a password.
    credentialed = entry.authenticate == "always" if item.bare else entry.credential is not None
    return Published(
        entry=replace(entry, credentialed=credentialed),
        scope=item.scope,
        token=item.token,
        endpoint=item.endpoint,
        issued_at=issued_at,
        expires_at=expires_at,
        repeats=bool(repeats),
        bare=item.bare,
    )


def _seed(tokens: TokenManager, served: Published, owner: ObjectRef) -> None:
    if served.token is not None and served.entry.credential is not None:
        grant = Token(served.entry.credential.password, served.issued_at, served.expires_at)
        tokens.seed(served.token, grant, repeats=served.repeats, consumer=owner)
    if served.endpoint is not None:
        url = served.entry.url.removesuffix("simple/")
        tokens.seed(served.endpoint, Token(SecretStr(url), 0, None), consumer=owner)
