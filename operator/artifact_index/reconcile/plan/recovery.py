"""Entries of an output without a uv.toml, after a start: from its record and its own files. Pure.

Such an output does not say all of an entry, so its record holds what is no secret: the URL and the
settings. The login comes from the output's data. Of a preauthenticated URL nothing is recorded,
since all of it may be a secret: it is read from its Secret again.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from artifact_index.api.artifact_index import Authenticate
from artifact_index.formats.document import IndexEntry
from artifact_index.formats.registry import read_logins


class _RecordedEntry(BaseModel):
    model_config = ConfigDict(frozen=True)

    url: str
    login: bool = False
    explicit: bool = False
    authenticate: Authenticate | None = None
    codes: tuple[int, ...] = ()
    publish: str | None = None


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)

    entries: Annotated[dict[str, _RecordedEntry], Field(default_factory=dict)]


def recorded_entries(entries: Iterable[IndexEntry], held: frozenset[str]) -> dict[str, Any]:
    """What the record of an output without a uv.toml says of these entries, by name."""
    return {
        entry.name: _RecordedEntry(
            url=entry.url,
            login=entry.name in held,
            explicit=entry.explicit,
            authenticate=entry.authenticate,
            codes=entry.ignore_error_codes,
            publish=entry.publish_url,
        ).model_dump(mode="json", exclude_defaults=True)
        for entry in entries
        if entry.verbatim_url is None
    }


def recover_entries(record: str, files: Mapping[str, SecretStr]) -> dict[str, IndexEntry]:
    """Entries by name from an output's record and data; one whose login is missing is left out."""
    try:
        recorded = _Record.model_validate_json(record).entries
    except ValidationError:
        return {}
    logins = read_logins(files, {name: one.url for name, one in recorded.items() if one.login})
    return {
        name: IndexEntry(
            name=name,
            url=one.url,
            credential=logins.get(name),
            credentialed=one.login,
            explicit=one.explicit,
            authenticate=one.authenticate,
            ignore_error_codes=one.codes,
            publish_url=one.publish,
        )
        for name, one in recorded.items()
        if name in logins or not one.login
    }
