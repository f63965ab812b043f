"""Generate `crds/`, pages of `docs/reference/`, and the chart's values.

python tools/generate.py            writes the files
python tools/generate.py --check    lists stale files and exits with 1 if there are any
"""

import argparse
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
COMMAND = "python tools/generate.py"
sys.path[:0] = [str(TOP / "operator"), str(TOP)]

from tools.chart.files import chart_files  # noqa: E402 - needs the path
from tools.command_reference import commands_markdown  # noqa: E402 - needs the path
from tools.log_reference import log_markdown  # noqa: E402 - needs the path
from tools.settings_reference import settings_markdown  # noqa: E402 - needs the path

from artifact_index.crdgen.crd import render_crds  # noqa: E402 - needs the path
from artifact_index.crdgen.reference import reference_markdown  # noqa: E402 - needs the path
from artifact_index.metrics.reference import metrics_markdown  # noqa: E402 - needs the path


def generated_files() -> dict[Path, str]:
    """Return every generated file with its content."""
    crds = {TOP / "crds" / name: text for name, text in render_crds().items()}
    reference = TOP / "docs" / "reference"
    pages = {
        reference / "api-reference.md": reference_markdown(),
        reference / "log.md": log_markdown(),
        reference / "commands.md": commands_markdown(),
        reference / "metrics.md": metrics_markdown(),
        reference / "settings.md": settings_markdown(),
    }
    chart = chart_files(TOP / "helm" / "artifact-index-operator")
    return crds | pages | chart


def stale_files() -> list[Path]:
    """Return files that differ from their generated content, and unknown files in `crds/`."""
    wanted = generated_files()
    differing = [
        path for path, text in wanted.items() if not path.exists() or path.read_text() != text
    ]
    return differing + sorted(set((TOP / "crds").glob("*")) - set(wanted))


def main() -> int:
    """Write or check the files; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if stale")
    if parser.parse_args().check:
        stale = stale_files()
        for path in stale:
            sys.stderr.write(f"{path.relative_to(TOP)} is not current: run {COMMAND}\n")
        return 1 if stale else 0
    for path, text in generated_files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
