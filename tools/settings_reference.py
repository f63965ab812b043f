"""The settings reference, docs/reference/settings.md, generated from the settings."""

from dataclasses import Field
from typing import Any, Final

from artifact_index.crdgen.reference import markdown_table
from artifact_index.setting_flags import environment_names_of, flags_of
from artifact_index.settings import setting_fields

_INTRODUCTION: Final = """\
<!-- Generated from the settings by tools/generate.py; do not edit. -->
# Settings

Every setting of `artifact-index run` is a flag and an environment variable. A flag overrides its
variable, and a variable overrides the default. `artifact-index run --help` shows the same.

Durations use Go's format: `30s`, `10m`, `1h30m`. A repeatable flag and its variable also accept a
comma-separated list.

R, W, P, S and e are terms of the
[freshness formula](../explanation/how-it-works.md#when-a-token-is-refreshed).
The SDKs' own variables apply, too: those of boto3 for AWS, such as `AWS_REGION`, `AWS_PROFILE` and
`AWS_ENDPOINT_URL_CODEARTIFACT`, and those of google-auth for Google, such as
`GOOGLE_APPLICATION_CREDENTIALS`.
"""


def settings_markdown() -> str:
    """Return the whole document; the same text each time."""
    rows = [
        (_names(flags_of(each)), _names(environment_names_of(each)), _default(each), meaning(each))
        for each in setting_fields()
    ]
    head = ("Flag", "Environment variable", "Default", "Meaning")
    return f"{_INTRODUCTION}\n{markdown_table(head, rows)}"


def _names(names: tuple[str, ...]) -> str:
    """The name and, if there is one, the name in older releases."""
    name, *former = (f"`{name}`" for name in names)
    return f"{name}, formerly {former[0]}" if former else name


def _default(setting: Field[Any]) -> str:
    """The default as a user writes it; empty if the meaning describes the default."""
    default: Any = setting.default
    if default in ("", ()):
        return ""
    if isinstance(default, float):  # all floats are durations
        return f"`{go_duration(default)}`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def go_duration(seconds: float) -> str:
    """Format whole seconds as a Go duration in minutes and seconds, such as `1m35s`."""
    minutes, rest = divmod(int(seconds), 60)
    parts = ((minutes, "m"), (rest, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def meaning(setting: Field[Any]) -> str:
    """Return the help text of a setting with a capital letter and without a full stop."""
    text: str = setting.metadata["help"]
    return text if text[1:2] == ":" else text[0].upper() + text[1:]
