"""The settings of the operator whose container a command runs in."""

import argparse
from pathlib import Path
from typing import Final

from artifact_index.cli import run
from artifact_index.cli.console import CommandError, Exit
from artifact_index.settings import SettingError, Settings, load_settings

_FIRST_PROCESS: Final = Path("/proc/1/cmdline")
_NAMES: Final = ("artifact-index", "artifact_index")
"""The last part of the program's path, or the module's name after `python -m`."""


def own_settings() -> Settings:
    """As the container's first process has them; elsewhere those of the environment alone.

    `kubectl exec` runs a command with the variables of the container, but without its arguments.
    Raises CommandError.
    """
    parser = argparse.ArgumentParser()
    run.register(parser.add_subparsers())
    arguments = _arguments_of_first_process()
    try:
        return load_settings(vars(parser.parse_args(["run", *arguments])))
    except SettingError as error:
        raise CommandError(
            f"the operator here has an invalid setting: {error}", Exit.USAGE
        ) from None


def _arguments_of_first_process() -> list[str]:
    """The flags of `artifact-index run`; none if the first process is something else."""
    try:
        words = _FIRST_PROCESS.read_text().rstrip("\0").split("\0")
    except OSError:
        return []
    for place, word in enumerate(words[:-1]):
        if Path(word).name in _NAMES and words[place + 1] == "run":
            return words[place + 2 :]
    return []
