"""The settings reference as Markdown, generated from the settings themselves."""

from dataclasses import Field
from typing import Any, Final

from artifact_index.crdgen.reference import markdown_table
from artifact_index.settings import environment_names_of, flags_of, setting_fields

_INTRODUCTION: Final = """\
<!-- Generated from the settings by tools/generate.py; do not edit. -->
# Settings

Every setting of `artifact-index run` is a flag and an environment variable; the flag comes first,
then the variable, then the default. `artifact-index run --help` shows the same.

Durations are written as in Go: `30s`, `10m`, `1h30m`. A repeatable flag also takes a
comma-separated list, and so does its variable.

The letters R, W, P, S and e are those of the
[freshness formula](how-it-works.md#when-a-token-is-refreshed). For AWS boto3's own variables hold
as well, such as `AWS_REGION`, `AWS_PROFILE` and `AWS_ENDPOINT_URL_CODEARTIFACT`; for Google those
of google-auth, such as `GOOGLE_APPLICATION_CREDENTIALS`.
"""


def settings_markdown() -> str:
    """The whole document; the same text each time."""
    rows = [
        (
            _names(flags_of(setting)),
            _names(environment_names_of(setting)),
            _default(setting),
            meaning(setting),
        )
        for setting in setting_fields()
    ]
    head = ("Flag", "Environment variable", "Default", "Meaning")
    return f"{_INTRODUCTION}\n{markdown_table(head, rows)}"


def _names(names: tuple[str, ...]) -> str:
    """The name, and the one that an older release gave it."""
    name, *former = (f"`{name}`" for name in names)
    return f"{name}, formerly {former[0]}" if former else name


def _default(setting: Field[Any]) -> str:
    """As one would write it; nothing where the meaning says what an absent value stands for."""
    default: Any = setting.default
    if default in ("", ()):
        return ""
    if isinstance(default, float):  # only durations are
        return f"`{go_duration(default)}`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def go_duration(seconds: float) -> str:
    """Whole seconds as a Go duration in minutes and seconds, such as `1m35s`."""
    minutes, rest = divmod(int(seconds), 60)
    parts = ((minutes, "m"), (rest, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def meaning(setting: Field[Any]) -> str:
    """What the setting's help says, as a sentence without its full stop."""
    text: str = setting.metadata["help"]
    return text if text[1:2] == ":" else text[0].upper() + text[1:]
