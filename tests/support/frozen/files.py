"""The frozen files: what each of them has to hold, and how it is written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import yaml

from support.frozen import interface
from support.frozen.lives import OBJECTS
from support.frozen.stages import logins, outputs_by_stage

FOLDER: Final = OBJECTS.parent

INTERFACE: Final[dict[str, Callable[[], Any]]] = {
    "logins": logins,
    "requests": interface.requests,
    "digests": interface.keyed_digests,
    "metrics": interface.metrics,
    "settings": interface.settings,
    "reasons": interface.reasons,
    "crds": interface.crds,
}
"""Each file without time, and what says the present state of it."""


class _Dumper(yaml.SafeDumper):
    """Long texts as blocks, so that a difference shows line by line."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _text)
_Dumper.ignore_aliases = lambda self, data: True  # type: ignore[method-assign]


def path_of(name: str) -> Path:
    """The file of that name."""
    return FOLDER / f"{name}.yaml"


def frozen(name: str) -> Any:
    """What was written into the file."""
    return yaml.safe_load(path_of(name).read_text())


def frozen_files() -> dict[Path, str]:
    """Every file but the objects themselves, as it would be written now."""
    stages = {f"outputs-{name}": outputs for name, outputs in outputs_by_stage().items()}
    values = stages | {name: now() for name, now in INTERFACE.items()}
    return {
        path_of(name): yaml.dump(value, Dumper=_Dumper, width=10_000, allow_unicode=True)
        for name, value in values.items()
    }
