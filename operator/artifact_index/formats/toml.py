"""Writes values of a uv.toml. Pure."""

from typing import Any, Final

import tomlkit

# Strings of this length or more are put in single quotes, which Python's TOML parser skips at once
# instead of character by character: the check of a long token costs a tenth.
_LONG_STRING: Final = 128


def toml_value(value: Any) -> str:
    """A value in TOML; few strings have a character that needs an escape."""
    if isinstance(value, str) and value.isprintable():
        if len(value) >= _LONG_STRING and "'" not in value:
            return f"'{value}'"
        if '"' not in value and "\\" not in value:
            return f'"{value}"'
    return str(tomlkit.item(value).as_string())
