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
is in the image, and where the package is installed it is also `kubectl artifact-index`, which krew
can [install](../how-to/install.md#the-command-line). `artifact-index COMMAND --help` shows the same
as this page.

- `status` and `why` read our kinds with your own kubeconfig and your own rights: the ClusterRole
  `view` is enough. They read no Secret, so they cannot print a login; `--pods` asks for the
  metadata of Secrets, without their values. The operator, the first line of `status`, is shown to
  those who may `list` deployments in all namespaces; when it last wrote, and whether objects wait
  for it, everybody sees. The kinds of cluster scope are for administrators: `status -A` shows them
  to those who may list them, and `clusterindexoptions/NAME` names one.
- `refresh`, `suspend` and `resume` change objects, also with your own rights: `get` and `patch` on
  these kinds, and `list` for `-l` and `--all`, which the ClusterRole `edit` has. A suspended object
  is not refreshed, which counts as refused. The field manager is `artifact-index`.
- `preflight` only reads: an administrator's rights find out most, and a reader's find out less,
  which counts as unknown. Each finding but the good ones ends in a command.
- `version` and `report` name what may not be read, with the command that tests it. `report` reads
  no Secret and no spec.
- `adopt` judges by the operator's own rules and, with `--yes`, sets an annotation; `kubeconfig`
  requests a token. The token is the only secret that a command prints, and never to a terminal
  without `--show-secrets`.
- `check --probe` reads the Secrets with the files, sends each login to the host that the file
  names, as a build would, and to no other, and prints nothing of it.
- `check` and `render` need neither a cluster nor a cloud: the operator itself reconciles the
  manifests, with `REDACTED` for each login. A Secret or ServiceAccount that is not among the
  manifests is taken to be right. A CodeArtifact repository gets its usual URL, for which the
  operator in a cluster asks AWS.
- `render --mint` logs in to the clouds itself, with the identity of your environment instead of
  that of the manifests: with `--show-secrets` you get the file of a pod, but for its tokens. For
  Azure that is the login of `az login`, or of Azure Workload Identity. Static logins come from
  Secrets among the manifests, and `REDACTED` stands for those of others. A token exchange
  (`tokenExchange`) is the operator's alone: such an index is unavailable, and the exit status 1.
- `render --diff` compares with the outputs in a cluster, for which you need `get`. Give it all
  indexes that the IndexOptions selects. Logins, times and URLs that may be secret as a whole are
  masked on both sides, so a changed login alone is no difference.
- `fresh` runs in a builder pod and needs nothing but the mounted file, which says itself how long
  its logins last. Each path that you give has to be such a file, or a folder with one.
  `--print-script` prints it as one file for images that have Python alone.

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
artifact-index render -f deploy/ --diff               # what an apply would change in the outputs
artifact-index render -f deploy/ --key uv.toml --mint --show-secrets > ~/.config/uv/uv.toml
artifact-index status -n builders --expiring-within 1h --fail-on warning
artifact-index refresh -n builders --all --wait --timeout 5m
artifact-index fresh /etc/uv-config --for 30m --wait 5m   # in the pod, before the build
```

Some settings of the operator decide on a spec. Give `check` and `render` those of its flags that
they have, such as `--allowed-hosts` and `--operator-identity-namespaces`.
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
