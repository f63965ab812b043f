"""The checkpoint of an output: what a restart must know to go on publishing its entries. Pure.

It stands in an annotation and holds no secret: digests, times, names, and where the output itself
does not hold them, URLs and settings. The logins come from the data of the output.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from artifact_index.api.artifact_index import Authenticate
from artifact_index.api.timestamps import LAST_SECOND
from artifact_index.formats.blocked import blocked_in
from artifact_index.formats.document import IndexEntry
from artifact_index.formats.registry import read_logins
from artifact_index.formats.uv_toml import UV_TOML_KEY, read_entries
from artifact_index.kube.canonical import canonical_json
from artifact_index.reconcile.plan.fallback import Published

Seconds = Annotated[int, Field(ge=0, le=LAST_SECOND)]
Times = tuple[Seconds, Seconds, int]
"""When a token was issued and when it expires (POSIX seconds); 1 if its source repeats tokens."""

_MODEL: Final = ConfigDict(frozen=True, populate_by_name=True)


class CheckpointIndex(BaseModel):
    """What the checkpoint says about one index.

    `destination` is the digest of where the login may be sent, None for an unreadable spec.
    `token` and `endpoint` are digests of requests. A `bare` index has a login that is not in this
    output. A `verbatim` URL stands in the output as the user wrote it; `public_path` is what the
    spec says of it. `times` are those of the token where they differ from the checkpoint's own.
    """

    model_config = _MODEL

    uid: str
    destination: str | None = Field(alias="scope")
    verbatim: bool = False
    public_path: bool = Field(default=False, alias="publicPath")
    bare: bool = False
    endpoint: str | None = None
    token: str | None = None
    times: Times | None = Field(default=None, alias="grant")


class CheckpointEntry(BaseModel):
    """An entry without its credential, for an output that has no uv.toml to read it from."""

    model_config = _MODEL

    url: str
    login: bool = False
    explicit: bool = False
    authenticate: Authenticate | None = None
    ignore_error_codes: tuple[int, ...] = Field(default=(), alias="codes")
    flat: bool = False
    exclude_newer: str | None = Field(default=None, alias="excludeNewer")
    publish_url: str | None = Field(default=None, alias="publish")


class Checkpoint(BaseModel):
    """Everything about one output: indexes by name, and times by the digest of the token.

    `entries` is None for an output with a uv.toml. A preauthenticated URL may be a secret as a
    whole, so it is in none of them: a restart reads it from its Secret again. The aliases are the
    names in the annotation, which outlives the operator that wrote it.
    """

    model_config = _MODEL

    indexes: dict[str, CheckpointIndex]
    times: dict[str, Times] = Field(alias="grants")
    entries: dict[str, CheckpointEntry] | None = None
    public_name: str | None = Field(default=None, alias="public")

    @model_validator(mode="after")
    def _every_token_has_its_times(self) -> Self:
        if any(index.token and index.token not in self.times for index in self.indexes.values()):
            raise ValueError("a token without its times")
        return self

    @staticmethod
    def encode(
        published: Sequence[tuple[str, Published]],
        *,
        held: frozenset[str],
        public_name: str | None,
        with_entries: bool,
    ) -> str:
        """The annotation of an output that publishes these entries, each with the index's UID.

        `held` names the entries whose logins the output holds; `with_entries` is for an output
        without a uv.toml. Equal content gives equal bytes.
        """
        times: dict[str, Times] = {}
        fields: dict[str, Any] = {
            "indexes": {
                entry.entry.name: _index_fields(uid, entry, entry.entry.name in held, times)
                for uid, entry in published
            },
            "grants": times,
        }
        if with_entries:
            fields["entries"] = _entries_fields((entry.entry for _, entry in published), held)
        if public_name is not None:
            fields["public"] = public_name
        return canonical_json(fields).decode()

    @classmethod
    def decode(cls, annotation: str) -> Self:
        """The checkpoint in an annotation. Raises ValueError for a text that is none."""
        return cls.model_validate_json(annotation)

    def published(self, files: Mapping[str, SecretStr]) -> dict[str, Published]:
        """The entries that an output with these files publishes, by UID of the index.

        Trusts the files: their digest must have been verified. Leaves out an entry that cannot be
        read back, such as one whose login is missing.
        """
        if UV_TOML_KEY in files:
            verbatim = {name for name, index in self.indexes.items() if index.verbatim}
            entries = read_entries(
                files[UV_TOML_KEY], verbatim=verbatim, public_name=self.public_name
            )
        else:
            entries = self._recovered_entries(files)
        return {
            index.uid: self._as_published(index, entries[name])
            for name, index in self.indexes.items()
            if name in entries
        }

    def blocked(self, files: Mapping[str, SecretStr]) -> dict[str, str]:
        """The indexes at which these files stop builds: by name, the command in the URL."""
        found = (blocked_in(text.get_secret_value()).items() for text in files.values())
        return {name: why for each in found for name, why in each if name != self.public_name}

    def outline(self) -> dict[str, Published]:
        """The entries by UID of the index, as far as they are known without the files."""
        return {
            index.uid: self._as_published(index, IndexEntry(name=name, url=""))
            for name, index in self.indexes.items()
        }

    def _recovered_entries(self, files: Mapping[str, SecretStr]) -> dict[str, IndexEntry]:
        recorded = self.entries or {}
        urls = {name: entry.url for name, entry in recorded.items() if entry.login}
        logins = read_logins(files, urls)
        return {
            name: IndexEntry(
                name=name,
                credential=logins.get(name),
                credentialed=entry.login,
                **entry.model_dump(exclude={"login"}),
            )
            for name, entry in recorded.items()
            if name in logins or not entry.login
        }

    def _as_published(self, index: CheckpointIndex, entry: IndexEntry) -> Published:
        times = index.times or (self.times[index.token] if index.token else None)
        issued_at, expires_at, repeats = times or (0, None, 0)
        # The text of a bare entry tells whether its login has a password.
        has_login = entry.authenticate == "always" if index.bare else entry.credential is not None
        entry = replace(
            entry,
            credentialed=has_login,
            public_path=index.public_path,
            expires_at=expires_at,
        )
        return Published(
            entry=entry,
            destination=index.destination,
            token=index.token,
            endpoint=index.endpoint,
            issued_at=issued_at,
            expires_at=expires_at,
            repeats=bool(repeats),
            bare=index.bare,
        )


# Plain dicts, and no models: validating every index of every output would be most of the encoding.


def _index_fields(
    uid: str, published: Published, holds_login: bool, times: dict[str, Times]
) -> dict[str, Any]:
    """The fields of a `CheckpointIndex`; adds the times of its token to `times`."""
    fields: dict[str, Any] = {"uid": uid, "scope": published.destination}
    entry = published.entry
    has_login = published.bare or entry.credentialed or entry.verbatim_url is not None
    if has_login and not holds_login:
        fields["bare"] = True
    if holds_login and entry.verbatim_url is not None:
        fields["verbatim"] = True
        if entry.public_path:
            fields["publicPath"] = True
    if published.endpoint is not None:
        fields["endpoint"] = published.endpoint
    if holds_login and published.token and published.expires_at is not None:
        fields["token"] = published.token
        own = (published.issued_at, published.expires_at, int(published.repeats))
        # The same request may stand here with two tokens: a suspended index keeps its older one.
        if times.setdefault(published.token, own) != own:
            fields["grant"] = own
    return fields


def _entries_fields(entries: Iterable[IndexEntry], held: frozenset[str]) -> dict[str, Any]:
    """The fields of each `CheckpointEntry`, by name."""
    return {
        entry.name: CheckpointEntry(
            url=entry.url,
            login=entry.name in held,
            explicit=entry.explicit,
            authenticate=entry.authenticate,
            ignore_error_codes=entry.ignore_error_codes,
            flat=entry.flat,
            exclude_newer=entry.exclude_newer,
            publish_url=entry.publish_url,
        ).model_dump(mode="json", by_alias=True, exclude_defaults=True)
        for entry in entries
        if entry.verbatim_url is None
    }
