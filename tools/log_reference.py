"""The reference of the log, docs/reference/log.md, generated from `log.yaml`."""

from pathlib import Path
from typing import Any, Final

import yaml

from artifact_index.crdgen.reference import markdown_table

CATALOGUE: Final[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("log.yaml").read_text())

_INTRODUCTION: Final = """\
<!-- Generated from tools/log.yaml by tools/generate.py; do not edit. -->
# Log

The operator logs to standard error: text for people by default, one JSON object per line with
`--log-format=json`. Lines of kopf and of the cloud SDKs have the same form.

At level `info` there is one line for each change of a condition, for each token that a cloud issues
or refuses, and for each object that is deleted. A condition that stays as it is, the refresh of a
file and a restart over unchanged objects log nothing: a converged cluster is silent until the next
token. A refusal repeats at its back-off.

Start at the object that you know:

<!-- no-run: needs a pod with logs -->
```bash
operator="-n artifact-index-system -l app.kubernetes.io/name=artifact-index-operator"
kubectl logs $operator --tail=-1 | grep builders/acme
kubectl logs $operator --tail=-1 |   # with --log-format=json
  jq -c 'select(.namespace == "builders" and .name == "acme")'
```

In text, a line has time, level, event, object and message, and the other keys follow as
`key=value`. A line without an event names its logger instead:

```text
EXAMPLE```

No line contains a credential: a filter redacts whatever looks like one, and of an exception only
class and frames are logged.

## Events

The names of events and keys are stable; messages are not. A key without a value is left out.
"""


def log_markdown() -> str:
    """Return the whole document; the same text each time."""
    events = [
        (f"`{name}`", _code(event["levels"]), event["meaning"], _code(event["keys"]))
        for name, event in CATALOGUE["events"].items()
    ]
    keys = [(f"`{key}`", meaning) for key, meaning in CATALOGUE["keys"].items()]
    introduction = _INTRODUCTION.replace("EXAMPLE", CATALOGUE["example"])
    return (
        f"{introduction}\n"
        f"{markdown_table(('Event', 'Level', 'Meaning', 'Keys'), events)}\n"
        f"## Keys\n\n{markdown_table(('Key', 'Meaning'), keys)}"
    )


def _code(words: list[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)
