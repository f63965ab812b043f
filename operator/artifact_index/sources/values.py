"""What a value of a source Secret must not hold, and what looks like a slip. Pure.

The texts tell what it is and where, and never quote the value.
"""

import re
from typing import Final

_BOM: Final = "\ufeff"
# RFC 7617: a user name and a password hold no control character.
_NO_TEXT: Final = re.compile(rf"\A{_BOM}|[\x00-\x1f\x7f]|{_BOM}\Z")
# RFC 8259: JSON holds no control character but these, and begins with no byte order mark.
_NO_JSON: Final = re.compile(rf"\A{_BOM}|[\x00-\x08\x0b\x0c\x0e-\x1f]")
_NAMES: Final = {
    "\n": "a line break",
    "\r": "a carriage return (part of a line break of Windows)",
    "\t": "a tab",
    _BOM: "a byte order mark",
}


def not_text(value: str, *, many_lines: bool = False) -> str | None:
    """Say which character no login holds, such as a control character; None if there is none.

    With `many_lines` the value is JSON.
    """
    found = (_NO_JSON if many_lines else _NO_TEXT).search(value)
    if found is None:
        return None
    name, rest = _NAMES.get(found[0], "a control character"), value[found.start() :]
    if not rest.strip().strip(_BOM):
        echo = " (`echo` adds one, `printf %s` does not)" if found[0] == "\n" else ""
        return f"it has {name} at its end{echo}"
    return f"it has {name} {'at its beginning' if found.start() == 0 else 'within it'}"


def slip(value: str) -> str | None:
    """Say what around a value is most likely not meant: white space or quotes; None if nothing."""
    if value != value.rstrip():
        return "it has white space at its end"
    if value != value.lstrip():
        return "it has white space at its beginning"
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return "it has quotes around it"
    return None
