"""The record of served logins in an output's annotation, as a start reads it back."""

from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_LAST_SECOND: Final = 253_402_300_799
"""The end of the year 9999: no time beyond it can be written as RFC 3339."""

Seconds = Annotated[int, Field(ge=0, le=_LAST_SECOND)]
Times = tuple[Seconds, Seconds, int]
"""When a token was minted, when it expires (POSIX seconds), and whether its source repeats it."""


class CheckpointItem(BaseModel):
    """What the record says of one index; `outputs.served_annotation` writes it."""

    model_config = ConfigDict(frozen=True)

    uid: str
    scope: str | None
    verbatim: bool = False
    bare: bool = False
    endpoint: str | None = None
    token: str | None = None
    grant: Times | None = None


class Checkpoint(BaseModel):
    """The whole record; `model_validate_json` raises ValidationError for what is none."""

    model_config = ConfigDict(frozen=True)

    indexes: dict[str, CheckpointItem]
    grants: dict[str, Times]
    public: str | None = None

    def times_of(self, item: CheckpointItem) -> Times | None:
        """The times of an index's token; None where it has none."""
        return item.grant or (self.grants[item.token] if item.token else None)

    @model_validator(mode="after")
    def _every_token_has_its_times(self) -> Self:
        if any(item.token and item.token not in self.grants for item in self.indexes.values()):
            raise ValueError("a token without its times")
        return self
