"""What a format cannot say, and what a file came to. Shared by all formats."""

from dataclasses import dataclass

from pydantic import SecretStr

from artifact_index.api.reasons import Reason


@dataclass(frozen=True, slots=True)
class FormatLimit:
    """Something that a format cannot say of the indexes that the message names.

    `severe` says that a login is missing where the user asked for it; otherwise the file is whole
    as far as the format goes. `reason` is one of the API's table.
    """

    reason: Reason
    message: str
    severe: bool = False


@dataclass(frozen=True, slots=True)
class SensitiveFile:
    """A file that may hold credentials: `held` are the indexes whose login is in it."""

    text: SecretStr
    limits: tuple[FormatLimit, ...] = ()
    held: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PublicFile:
    """A file that holds no credential by construction."""

    text: str
    limits: tuple[FormatLimit, ...] = ()


def named(names: list[str] | tuple[str, ...], *, at_most: int = 5) -> str:
    """Index names for a message: `'a', 'b' and 3 more`."""
    shown = ", ".join(repr(name) for name in names[:at_most])
    more = len(names) - at_most
    return f"{shown} and {more} more" if more > 0 else shown
