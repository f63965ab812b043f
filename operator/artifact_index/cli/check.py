"""`artifact-index check`: find what is wrong with manifests, or with indexes of a cluster."""

import argparse
import sys
from typing import TYPE_CHECKING, Any, Final

from artifact_index.cli.console import CommandError, Exit, Painter, add_output_flags, print_report
from artifact_index.cli.offline.flags import add_manifest_flags, settings_of
from artifact_index.cli.probe.flags import add_probe_flags

if TYPE_CHECKING:
    from artifact_index.cli.reports import CheckFinding, CheckReport


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "check",
        help="find what is wrong with manifests, without a cluster, or ask indexes (--probe)",
        description="Check manifests as the API server and the operator would: the schema and the "
        "rules of our kinds, then what the operator's conditions would say. Clouds are not "
        "asked, and a Secret that is not among the manifests is taken to be right. With --probe "
        "indexes of a cluster are asked instead, from this machine and with the very logins in "
        "their files, which needs `get` on these Secrets: no redirect is followed, and nothing of "
        "a login is printed.",
    )
    add_manifest_flags(parser, required=False)
    parser.add_argument("--strict", action="store_true", help="let warnings fail, too")
    add_probe_flags(parser)
    add_output_flags(parser, "text", "json", "yaml", "github", "sarif")
    parser.set_defaults(execute=execute)


def execute(chosen: argparse.Namespace) -> int:
    """Print the findings; 1 if there is an error."""
    if chosen.probe:
        from artifact_index.cli.probe.command import execute as probe  # noqa: PLC0415 - slow

        return probe(chosen)
    if chosen.names or not chosen.filename:
        raise CommandError("give manifests with -f, or indexes with --probe", Exit.USAGE)
    from artifact_index.cli.offline.findings import check  # noqa: PLC0415 - slow
    from artifact_index.cli.offline.manifests import read_manifests  # noqa: PLC0415 - slow

    settings = settings_of(chosen)
    manifests = read_manifests(chosen.filename, recursive=chosen.recursive)
    report = check(manifests, chosen.namespace or "default", settings)
    _print(report, chosen)
    if not report.objects:
        sys.stderr.write(
            "artifact-index check: no ArtifactIndex and no IndexOptions among these manifests; "
            "name their files with -f, give -R for folders in a folder, or pipe what `kustomize "
            "build` prints to -f -\n"
        )
    bad = any(chosen.strict or each.severity == "error" for each in report.findings)
    return Exit.NOT_GOOD if bad or not report.objects else Exit.GOOD


def _print(report: "CheckReport", chosen: argparse.Namespace) -> None:
    if chosen.output == "text":
        _print_text(report, Painter(chosen))
    elif chosen.output == "github":
        sys.stdout.write("".join(map(_annotation, report.findings)))
    elif chosen.output == "sarif":
        from artifact_index.cli.offline.sarif import sarif  # noqa: PLC0415 - needed here alone

        sys.stdout.write(sarif(report.findings))
    else:
        print_report(report, chosen.output)


def _print_text(report: "CheckReport", paint: Painter) -> None:
    findings, objects = report.findings, report.objects
    colours = {"error": "red", "warning": "yellow"}
    for each in findings:
        severity = paint(colours[each.severity], each.severity)
        where = f"{each.file}:{each.line}"
        sys.stdout.write(f"{where}  {severity}  {each.object}: {each.reason}: {each.message}\n")
    errors = sum(each.severity == "error" for each in findings)
    counts = (objects, "object"), (errors, "error"), (len(findings) - errors, "warning")
    text = ", ".join(f"{count} {what}{'' if count == 1 else 's'}" for count, what in counts)
    sys.stdout.write(f"{text}\n")


def _annotation(finding: "CheckFinding") -> str:
    """A workflow command of GitHub Actions, which shows the finding at its line."""
    # Standard input is no file of the repository.
    file = finding.file.translate(_IN_PROPERTY)
    where = "" if file == "-" else f"file={file},line={finding.line},"
    message = f"{finding.object}: {finding.message}".translate(_IN_MESSAGE)
    return f"::{finding.severity} {where}title={finding.reason}::{message}\n"


_IN_MESSAGE: Final = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTY: Final = _IN_MESSAGE | str.maketrans({":": "%3A", ",": "%2C"})
"""What the toolkit of GitHub Actions escapes (`command.ts`)."""
