"""The example files: their documents, their pod templates and the shell in them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from support.operator_process import REPOSITORY

EXAMPLES = REPOSITORY / "examples"
BUILDERS = EXAMPLES / "builders"
NAMESPACE = "builders"
"""The namespace that every example names."""
_SHELLS = ("sh", "/bin/sh", "bash", "/bin/bash")


def text_for(path: Path, namespace: str) -> str:
    """An example file with another namespace in it."""
    return path.read_text().replace(f"namespace: {NAMESPACE}", f"namespace: {namespace}")


def documents(path: Path) -> list[dict[str, Any]]:
    """Every object of a file."""
    return [each for each in yaml.safe_load_all(path.read_text()) if each]


def pod_specs(found: Any) -> Iterator[dict[str, Any]]:
    """Every pod spec in a value, at whatever depth its kind keeps it."""
    if isinstance(found, dict):
        if isinstance(found.get("containers"), list):
            yield found
        for each in found.values():
            yield from pod_specs(each)
    elif isinstance(found, list):
        for each in found:
            yield from pod_specs(each)


def shell_scripts(found: Any) -> Iterator[str]:
    """Every shell script in a value: `sh -c` commands, and keys called `script` or `*.sh`."""
    if isinstance(found, dict):
        command = [*found.get("command", []), *found.get("args", [])]
        if len(command) > 2 and command[0] in _SHELLS:
            yield command[2]
        for key, each in found.items():
            if isinstance(each, str) and (key == "script" or key.endswith(".sh")):
                yield each
            yield from shell_scripts(each)
    elif isinstance(found, list):
        for each in found:
            yield from shell_scripts(each)
