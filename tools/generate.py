"""Generate `crds/`, pages of `docs/reference/`, the chart's values, and lines with the version.

python tools/generate.py            writes the files
python tools/generate.py --check    lists stale files and exits with 1 if there are any
"""

import argparse
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
CHART = TOP / "helm" / "artifact-index-operator"
COMMAND = "python tools/generate.py"
sys.path[:0] = [str(TOP / "operator"), str(TOP)]

from tools.chart.files import chart_files  # noqa: E402 - needs the path
from tools.command_reference import commands_markdown  # noqa: E402 - needs the path
from tools.log_reference import log_markdown  # noqa: E402 - needs the path
from tools.monitoring import rules  # noqa: E402 - needs the path
from tools.monitoring.dashboard import dashboard  # noqa: E402 - needs the path
from tools.settings_reference import settings_markdown  # noqa: E402 - needs the path
from tools.version_lines import version_files  # noqa: E402 - needs the path

from artifact_index.crdgen.crd import render_crds  # noqa: E402 - needs the path
from artifact_index.crdgen.reference import reference_markdown  # noqa: E402 - needs the path
from artifact_index.metrics.reference import metrics_markdown  # noqa: E402 - needs the path


def generated_files() -> dict[Path, str]:
    """Return every generated file with its content."""
    rendered = render_crds()
    crds = {TOP / "crds" / name: text for name, text in rendered.items()}
    # Copies, since not every way to a chart follows links: Flux leaves them out of a GitRepository.
    crds |= {
        CHART / "files" / "crds" / name: text
        for name, text in rendered.items()
        if name.endswith(".yaml")
    }
    reference = TOP / "docs" / "reference"
    pages = {
        reference / "alerts.md": rules.alerts_markdown(),
        reference / "api-reference.md": reference_markdown(),
        reference / "log.md": log_markdown(),
        reference / "commands.md": commands_markdown(),
        reference / "metrics.md": metrics_markdown(),
        reference / "settings.md": settings_markdown(),
    }
    monitoring = {
        CHART / "files" / "prometheus-rules.yaml": rules.chart_rules(),
        CHART / "files" / "grafana-dashboard.json": dashboard(),
        TOP / "examples" / "monitoring" / "prometheus-rules.yaml": rules.example_rules(),
    }
    return crds | pages | chart_files(CHART) | monitoring | version_files(TOP)


def stale_files() -> list[Path]:
    """Return files that differ from their generated content, and unknown files beside CRDs."""
    wanted = generated_files()
    differing = [
        path for path, text in wanted.items() if not path.exists() or path.read_text() != text
    ]
    beside = {
        path for folder in (TOP / "crds", CHART / "files" / "crds") for path in folder.glob("*")
    }
    return differing + sorted(beside - set(wanted))


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
