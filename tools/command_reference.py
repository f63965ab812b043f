"""The reference of the commands, docs/reference/commands.md, generated from the parser."""

import argparse
from typing import Final

from artifact_index.cli.console import Exit
from artifact_index.cli.main import COMMANDS, parser_of
from artifact_index.crdgen.reference import markdown_table

_INTRODUCTION: Final = """\
<!-- Generated from the parser by tools/generate.py; do not edit. -->
# Commands

`artifact-index` is one program: the operator, and what an administrator or a developer asks it. It
is in the image, and where the package is installed it is also `kubectl artifact-index`.
`artifact-index COMMAND --help` shows the same as this page.

- `status` and `why` read both kinds with your own kubeconfig and your own rights: the ClusterRole
  `view` is enough. They read no Secret, so they cannot print a login.
- `refresh`, `suspend` and `resume` change objects, also with your own rights: `get` and `patch` on
  both kinds, and `list` for `-l` and `--all`, which the ClusterRole `edit` has. A suspended object
  is not refreshed, which counts as refused. The field manager is `artifact-index`.
- `check` and `render` need neither a cluster nor a cloud: the operator itself reconciles the
  manifests, with `REDACTED` for each login. A Secret or ServiceAccount that is not among the
  manifests is taken to be right. A CodeArtifact repository gets its usual URL, for which the
  operator in a cluster asks AWS.

What `-o json` and `-o yaml` print has an `apiVersion` and a `kind`; within a version it only gains
fields. Colours are for terminals; `--no-color` and the variable `NO_COLOR` turn them off.

Exit statuses mean the same for every command but `run`, which ends with 1 if it cannot go on:
"""

_STATUSES: Final = {
    Exit.GOOD: "The answer is good.",
    Exit.NOT_GOOD: "The answer is not good: not ready, invalid, expired, refused.",
    Exit.USAGE: "Wrong usage, or a file that cannot be read.",
    Exit.UNKNOWN: "It could not be found out: no API server, or no permission.",
    Exit.TIMED_OUT: "A wait ran out of time.",
}

_IN_CI: Final = """\
## In a pipeline

```sh
kustomize build deploy/ | artifact-index check -f - --strict
artifact-index check -R -f deploy/ -o github          # annotations in a pull request
artifact-index check -R -f deploy/ -o sarif > check.sarif
artifact-index render -f deploy/ --options uv-config --key uv.toml
artifact-index status -n builders --expiring-within 1h --fail-on warning
artifact-index refresh -n builders --all --wait --timeout 5m
```

Some settings of the operator decide on a spec. Give `check` and `render` the same flags as the
operator, such as `--allowed-hosts` and `--operator-identity-namespaces`.
"""


def commands_markdown() -> str:
    """Return the whole document; the same text each time."""
    rows = [(f"{status.value}", text) for status, text in _STATUSES.items()]
    parts = [_INTRODUCTION, markdown_table(("Status", "Meaning"), rows), _IN_CI]
    (choices,) = (
        action.choices
        for action in parser_of()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    parts += [_command(name, choices[name]) for name in COMMANDS]
    return "\n".join(parts)


def _command(name: str, parser: argparse.ArgumentParser) -> str:
    text = f"## {name}\n\n{parser.description}\n"
    if name == "run":
        return f"{text}\nIts flags are the [settings](settings.md).\n"
    rows = [
        (_name(action), _meaning(action))
        for action in parser._actions
        if not isinstance(action, argparse._HelpAction)
    ]
    return f"{text}\n{markdown_table(('Argument', 'Meaning'), rows)}" if rows else text


def _name(action: argparse.Action) -> str:
    if not action.option_strings:
        return f"`{action.metavar}`"
    value = ""
    if action.choices is not None:
        value = " " + "|".join(action.choices)
    elif action.nargs != 0:
        metavar = str(action.metavar or action.dest.upper())
        value = f" [{metavar}]" if action.nargs == "?" else f" {metavar}"
    return ", ".join(f"`{option}{value}`" for option in action.option_strings)


def _meaning(action: argparse.Action) -> str:
    text = action.help or ""
    required = "; required" if action.option_strings and action.required else ""
    # The letters of the freshness formula stay as they are.
    start = text[:1] if text[1:2] == ":" else text[:1].upper()
    return f"{start}{text[1:]}{required}"
