"""The lines of the chart, the docs and the examples that name the version of this checkout.

`operator/artifact_index/__init__.py` is the one place that says it; the package's metadata, too,
come from there.
"""

import re
from pathlib import Path
from typing import Final

from artifact_index import __version__

_NUMBER: Final = r"\d+\.\d+\.\d+"
_IMAGE: Final = "artifact-index-operator:"
_BEFORE: Final = {
    "README.md": r"\*\*Status:\*\* ",
    "docs/explanation/comparison.md": "It is at version ",
    "docs/explanation/image.md": f"VERSION=|{_IMAGE}",
    "docs/how-to/install.md": f"{_IMAGE}|kubectl-artifact_index-v",
    "docs/how-to/verify.md": "\nVERSION=",
    "examples/builders/uv-job.yaml": _IMAGE,
    "examples/gitops/argocd/applications.yaml": "targetRevision: ",
    "examples/gitops/flux/operator/operator.yaml": "tag: ",
    "helm/artifact-index-operator/Chart.yaml": "\nversion: |\nappVersion: ",
}
"""What stands before the number, by file."""


def version_files(top: Path, version: str = __version__) -> dict[Path, str]:
    """Return those files with the version; raises LookupError where a file names none."""
    found = {}
    for name, before in _BEFORE.items():
        text, count = re.subn(f"({before}){_NUMBER}", rf"\g<1>{version}", (top / name).read_text())
        if not count:
            raise LookupError(f"{name} has no line with a version any more")
        found[top / name] = text
    return found
