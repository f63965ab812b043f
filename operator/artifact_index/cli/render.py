"""`artifact-index render`: print the files that the operator would write, without a cluster."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from artifact_index.cli.cluster.flags import add_connection_flags
from artifact_index.cli.console import CommandError, Exit, add_output_flags, print_report
from artifact_index.cli.offline.flags import add_manifest_flags, settings_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from artifact_index.cli.reports import RenderedFile, RenderReport


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "render",
        help="print the files that manifests make, without a cluster",
        description="Print the files that the operator would write for these manifests, rendered "
        "by the operator itself without a cluster. Every secret is REDACTED. With --diff, show "
        "what they would change in a cluster: 0 is nothing, 1 something.",
    )
    add_manifest_flags(parser)
    parser.add_argument("--options", metavar="NAME", help="only the files of this IndexOptions")
    parser.add_argument(
        "--key", metavar="KEY", help="only this file, such as uv.toml, and nothing around it"
    )
    parser.add_argument(
        "--show-secrets",
        action="store_true",
        help="print the logins of the Secrets among the manifests; tokens stay REDACTED",
    )
    parser.add_argument(
        "--mint",
        action="store_true",
        help="log in to the clouds yourself, with the identity of your environment; prints the "
        "tokens only with --show-secrets",
    )
    cluster = parser.add_argument_group("comparison with a cluster")
    cluster.add_argument(
        "--diff",
        action="store_true",
        help="print how the outputs there differ, with every login masked; needs get on them",
    )
    add_connection_flags(cluster)
    add_output_flags(parser, "text", "json", "yaml")
    parser.set_defaults(execute=execute)


def execute(chosen: argparse.Namespace) -> int:
    """Print the files; 1 if there is none, if a login fails, or if the cluster has others."""
    from artifact_index.cli.offline.findings import refused, reported  # noqa: PLC0415 - slow
    from artifact_index.cli.offline.manifests import read_manifests  # noqa: PLC0415 - slow
    from artifact_index.cli.offline.operator import run_offline  # noqa: PLC0415 - slow
    from artifact_index.cli.reports import RenderReport  # noqa: PLC0415 - slow

    if chosen.diff and (chosen.show_secrets or chosen.output != "text"):
        raise CommandError("--diff shows no secrets, and only -o text; leave them out", Exit.USAGE)
    settings, issue = settings_of(chosen), None
    if chosen.mint:
        from artifact_index.cli.offline.own_login import issue_as_caller  # noqa: PLC0415 - slow

        issue = issue_as_caller(settings, show_secrets=chosen.show_secrets)
    manifests = read_manifests(chosen.filename, recursive=chosen.recursive)
    for finding in refused(manifests, chosen.namespace):
        where, what = f"{finding.file}:{finding.line}", f"{finding.object}: {finding.message}"
        raise CommandError(f"{where}: {what}", Exit.NOT_GOOD)
    outcome = run_offline(
        manifests, chosen.namespace, settings, show_secrets=chosen.show_secrets, issue=issue
    )
    files = [
        each
        for each in outcome.files
        if chosen.options in (None, each.index_options) and chosen.key in (None, each.key)
    ]
    if not files:
        raise CommandError(_missing(outcome.files, chosen), Exit.NOT_GOOD)
    if chosen.diff:
        return _print_differences(files, chosen)
    _print(RenderReport(files=files), chosen)
    findings = reported(manifests, chosen.namespace, outcome) if chosen.mint else ()
    failed = [each for each in findings if each.severity == "error"]
    for each in failed:
        sys.stderr.write(f"artifact-index render: {each.object}: {each.message}\n")
    return Exit.NOT_GOOD if failed else Exit.GOOD


def _print_differences(files: "Sequence[RenderedFile]", chosen: argparse.Namespace) -> int:
    import asyncio  # noqa: PLC0415 - slow

    from artifact_index.cli.cluster.connection import connected  # noqa: PLC0415 - slow
    from artifact_index.cli.diff.live_outputs import differences  # noqa: PLC0415 - slow

    async def compared() -> str:
        async with connected(chosen) as api:
            return await differences(api, files)

    found = asyncio.run(compared())
    sys.stdout.write(found)
    return Exit.NOT_GOOD if found else Exit.GOOD


def _missing(made: "Sequence[RenderedFile]", chosen: argparse.Namespace) -> str:
    """Why no file is left to print."""
    if not made:
        return "these manifests make no file; `artifact-index check -f` says why"
    options = dict.fromkeys(each.index_options for each in made)
    if chosen.options not in (None, *options):
        return (
            f"no file of an IndexOptions {chosen.options!r}: its name is another, or "
            f"`artifact-index check -f` says why; there are files of {', '.join(options)}"
        )
    keys = dict.fromkeys(each.key for each in made if chosen.options in (None, each.index_options))
    return f"no output has the key {chosen.key!r}; there are {', '.join(keys)}"


def _print(report: "RenderReport", chosen: argparse.Namespace) -> None:
    files = report.files
    if chosen.output != "text":
        print_report(report, chosen.output)
    elif chosen.key is not None:
        if len(files) > 1:
            where = ", ".join(f"{each.output.text} of {each.index_options}" for each in files)
            several = len({each.index_options for each in files}) > 1
            advice = "choose with --options" if several else "leave out --key to see all of them"
            raise CommandError(f"several outputs hold {chosen.key}: {where}; {advice}", Exit.USAGE)
        sys.stdout.write(files[0].content)
    else:
        for each in files:
            login = (
                ""
                if chosen.show_secrets or each.output.kind != "Secret"
                else " (logins are REDACTED)"
            )
            where = f"{each.output.text}, key {each.key}"
            sys.stdout.write(f"# {where}{login}\n{each.content}\n")
