"""How a setting is declared, and the flag and the environment variable that it has."""

from collections.abc import Callable
from dataclasses import Field, field
from typing import Any, Final

ENV_PREFIX: Final = "ARTIFACT_INDEX_"


def declare(
    default: Any,
    parse: Callable[[str], Any],
    help_text: str,
    *,
    repeatable: bool = False,
    flag: str | None = None,
    former_name: str | None = None,
) -> Any:
    """Declare a setting; `former_name` is its name in older releases, which stays an alias."""
    metadata = {
        "parse": parse, "help": help_text, "repeatable": repeatable,
        "flag": flag, "former_name": former_name,
    }  # fmt: skip
    return field(default=default, metadata=metadata)


def flag_of(setting: Field[Any]) -> str:
    """Return the flag of a field, such as `--relist-interval` for relist_interval."""
    return flags_of(setting)[0]


def flags_of(setting: Field[Any]) -> tuple[str, ...]:
    """Return the flag of a field, then the flag of its former name, if it has one."""
    names = (setting.metadata["flag"] or setting.name, setting.metadata["former_name"])
    return tuple("--" + name.replace("_", "-") for name in names if name)


def environment_of(setting: Field[Any]) -> str:
    """Return the environment variable of a field; lists in it are comma-separated."""
    return environment_names_of(setting)[0]


def environment_names_of(setting: Field[Any]) -> tuple[str, ...]:
    """Return the environment variable of a field, then that of its former name, if any."""
    names = (setting.name, setting.metadata["former_name"])
    return tuple(ENV_PREFIX + name.upper() for name in names if name)
