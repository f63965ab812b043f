"""Renderings of the chart that are kept as files, so that a review shows what a change changes.

`make golden` writes them; `tests/unit/chart/test_chart_goldens.py` compares them.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from support.chart import CHART, RELEASE, run_helm, with_image
from support.operator_process import OPERATOR_NAMESPACE, REPOSITORY

GOLDEN: Final = REPOSITORY / "tests" / "golden" / "chart"
EXAMPLES: Final = REPOSITORY / "examples"

_OPERATOR_RBAC: Final = f"""\
# All permissions of the operator for the whole cluster, as the chart grants them, for installations
# without the chart. The Secret with the operator's key is in the operator's namespace. RBAC cannot
# filter by label: reading labelled Secrets everywhere means reading all Secrets. With the chart's
# `watchNamespaces` a Role in each of these namespaces replaces the ClusterRole, and the Lease has
# another name. The Role for the Lease is needed for `--leader-elect` only.
apiVersion: v1
kind: Namespace
metadata:
  name: {OPERATOR_NAMESPACE}
"""
_TOKENS: Final = """\
# The permissions that the operator needs beyond operator-rbac.yaml to log in as a ServiceAccount
# (auth.serviceAccountRef), here as `builder` in namespace `builders`. Whoever may request tokens of
# a ServiceAccount can act as it, for any audience. The chart's value `serviceAccountTokens` grants
# the same.
"""


def golden_values() -> dict[str, Path]:
    """The sets of values that are rendered, by name."""
    found = sorted(GOLDEN.glob("*.values.yaml"))
    return {path.name.removesuffix(".values.yaml"): path for path in found}


@cache
def golden_files() -> dict[Path, str]:
    """Every kept rendering, and what it has to hold."""
    renderings = {
        path.with_name(path.name.replace(".values.", ".rendered.")): rendered(path)
        for path in golden_values().values()
    }
    tokens = {"serviceAccountTokens": {"mode": "Listed", "listed": {"builders": ["builder"]}}}
    return renderings | {
        EXAMPLES / "operator-rbac.yaml": _OPERATOR_RBAC
        + _grants({}, RELEASE)
        + _grants({}, f"{RELEASE}-election"),
        EXAMPLES / "service-account-tokens.yaml": _TOKENS + _grants(tokens, f"{RELEASE}-tokens"),
    }


def rendered(values: Path) -> str:
    """The text that Helm makes of a file of values, without CRDs; hooks of the defaults only."""
    hooks = () if values.name.startswith("default.") else ("--no-hooks",)
    found = yaml.safe_load(values.read_text())
    text = _template("--set", "crds.enabled=false", *hooks, values=found)
    return text if text.startswith("---") else f"---\n{text}"


def _template(*arguments: str | Path, values: Mapping[str, Any]) -> str:
    text = run_helm(
        "template", RELEASE, CHART, "--namespace", OPERATOR_NAMESPACE, *arguments,
        values=with_image(values),
    ).stdout  # fmt: skip
    # Versions of Helm differ in empty lines.
    return re.sub(r"\n{2,}", "\n", text)


def _grants(values: Mapping[str, Any], name: str) -> str:
    """The ServiceAccount and the grants of one name, without what only Helm needs."""
    text = _template(
        "--show-only", "templates/serviceaccount.yaml", "--show-only", "templates/rbac.yaml",
        values=values,
    )  # fmt: skip
    text = re.sub(r"^# Source: .*\n|^  labels:\n(    .*\n)+", "", text, flags=re.MULTILINE)
    documents = [part for part in text.split("---\n") if f"\n  name: {name}\n" in part]
    return "".join(f"---\n{document}" for document in documents)


def main() -> None:
    """`python -m support.chart_goldens`: write them all."""
    for path, text in golden_files().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
