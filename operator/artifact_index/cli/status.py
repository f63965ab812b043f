"""`artifact-index status`: what is served, until when, and what is wrong."""

import argparse
import sys
from typing import TYPE_CHECKING, Any, Final

from artifact_index import __version__
from artifact_index.cli.cluster.flags import add_cluster_flags, seconds
from artifact_index.cli.console import (
    CommandError,
    Exit,
    Painter,
    add_output_flags,
    duration,
    print_report,
    table,
)

if TYPE_CHECKING:
    from artifact_index.cli.reports import FileStatus, OperatorVersion, StatusReport

_FILES: Final = (
    "NAMESPACE", "FILE", "INDEXES", "READY", "GOOD FOR", "WARNING", "INDEXOPTIONS",
)  # fmt: skip
_INDEXES: Final = (
    "NAMESPACE", "INDEX", "READY", "REASON", "EXPIRES IN", "REFRESH IN", "LOGIN", "URL",
)  # fmt: skip
"""The columns; the last one is shown with `-o wide` only."""

_PODS: Final = ("NAMESPACE", "POD", "USES", "AS", "STARTED", "TOKEN IT HOLDS")

_SHOWN: Final = 20
"""Problems that the table form tells in full."""


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "status",
        help="show what is served, until when, and what is wrong",
        description="Show the files and indexes of a namespace as their statuses tell them: what "
        "is served, until when, when it is refreshed, and why not, and which operator serves it. "
        "Exits with 1 if something is not ready or has expired.",
    )
    parser.add_argument(
        "objects",
        nargs="*",
        metavar="[KIND/]NAME",
        help="only these: ArtifactIndexes, or such as indexoptions/NAME; default: all of the "
        "namespace, and with -A of the cluster",
    )
    add_cluster_flags(parser)
    parser.add_argument("-l", "--selector", metavar="LABELS", help="only objects with these labels")
    parser.add_argument(
        "--expiring-within",
        type=seconds,
        metavar="DURATION",
        help="exit with 1 if something served expires within this time, too",
    )
    parser.add_argument(
        "--fail-on", choices=("error", "warning"), default="error",
        help="exit with 1 only for errors, or for warnings, too; default: error",
    )  # fmt: skip
    parser.add_argument(
        "--pods",
        action="store_true",
        help="show which pods use the files, how, and whether they can hold the current token; "
        "needs `list` on pods, and `get` on the Secrets, of which only metadata is read",
    )
    parser.add_argument(
        "-w", "--watch", action="store_true", help="show it again when it changes, until Ctrl-C"
    )
    add_output_flags(parser, "table", "wide", "json", "yaml", "name")
    parser.set_defaults(execute=execute)


def execute(chosen: argparse.Namespace) -> int:
    """Print the status; 1 if something is not good."""
    import asyncio  # noqa: PLC0415 - slow

    from artifact_index.cli.cluster.watch import watch  # noqa: PLC0415 - slow

    if not chosen.watch:
        report, now = asyncio.run(_read(chosen))
        _show(report, now, chosen)
        return Exit.NOT_GOOD if _is_bad(report, now, chosen) else Exit.GOOD
    if chosen.output not in ("table", "wide"):
        raise CommandError("--watch goes with -o table or wide", Exit.USAGE)
    return asyncio.run(watch(chosen, lambda report, now: _show(report, now, chosen)))


async def _read(chosen: argparse.Namespace) -> "tuple[StatusReport, float]":
    from artifact_index.cli.cluster.connection import connected  # noqa: PLC0415 - slow
    from artifact_index.cli.cluster.watch import read  # noqa: PLC0415 - slow

    async with connected(chosen) as api:
        return await read(api, chosen)


def _is_bad(report: "StatusReport", now: float, chosen: argparse.Namespace) -> bool:
    from artifact_index.api.timestamps import parse_time  # noqa: PLC0415 - `--help` needs it not

    if any(each.severity in ("error", chosen.fail_on) for each in report.problems):
        return True
    if chosen.fail_on == "warning" and any(each.token == "Stale" for each in report.pods):  # noqa: S105
        return True
    if chosen.fail_on == "warning" and _is_idle(report):
        return True
    if chosen.expiring_within is None:
        return False
    times = [each.expires_at for each in report.indexes if each.expires_at is not None]
    return any(parse_time(at) <= now + chosen.expiring_within for at in times)


def _is_idle(report: "StatusReport") -> bool:
    """Whether the operator does not work, whatever is served still."""
    down = bool(report.operators) and not any(each.ready for each in report.operators or ())
    return down or report.waiting > 0


def _show(report: "StatusReport", now: float, chosen: argparse.Namespace) -> None:
    if chosen.output == "name":
        # One with several outputs has as many files.
        for options in dict.fromkeys((each.namespace, each.index_options) for each in report.files):
            kind = "indexoptions" if options[0] else "clusterindexoptions"
            sys.stdout.write(f"{kind}.artifactindex.dev/{options[1]}\n")
        for index in report.indexes:
            kind = "artifactindex" if index.namespace else "clusterartifactindex"
            sys.stdout.write(f"{kind}.artifactindex.dev/{index.name}\n")
    elif chosen.output in ("json", "yaml"):
        print_report(report, chosen.output)
    else:
        _print(report, now, chosen)


def _operator_lines(report: "StatusReport", now: float, paint: Painter) -> str:
    """Who keeps this up to date, and when they last did; the statuses below are as old."""
    work = _work_line(report, now, paint)
    if report.operators is None:
        unknown = "unknown: to find it takes `list` on deployments in all namespaces"
        return f"operator  {unknown}\n{work}"
    if not report.operators:
        none = paint("red", "none serves this")
        return f"operator  {none}: `artifact-index preflight` looks for what is installed\n{work}"
    lines = []
    for each in report.operators:
        version, step = each.version or "unknown version", ""
        if each.version != __version__:
            version = paint("yellow", f"{version}, this program is {__version__}")
            step = " → `helm upgrade`, or install the same version here"
        state = paint("green", "ready")
        if not each.ready:
            state = paint("red", "not ready")
            step = f" → `kubectl describe deployment -n {each.namespace} {each.name}`"
        serves = ", ".join(each.namespaces) or "the whole cluster"
        where = f"{each.namespace}/{each.name}"
        replicas = _replicas(each, paint)
        lines.append(f"operator  {version}  {where}  {state}{replicas}  serves {serves}{step}\n")
    return "".join([*lines, work])


def _work_line(report: "StatusReport", now: float, paint: Painter) -> str:
    """When an operator last wrote one of the objects, and whether some wait for it."""
    from artifact_index.api.timestamps import parse_time  # noqa: PLC0415 - `--help` needs it not

    parts = ["never" if report.last_write_at is None else _ago(report.last_write_at, now)]
    if report.waiting_since is not None:
        first = duration(now - parse_time(report.waiting_since))
        parts.append(paint("red", f"BEHIND: {report.waiting} waiting, the first for {first}"))
        home = report.operators[0].namespace if report.operators else "artifact-index-system"
        labels = "app.kubernetes.io/name=artifact-index-operator"
        parts.append(f"→ `kubectl logs -n {home} -l {labels}`")
    return f"last write  {'  '.join(parts)}\n" if report.files or report.indexes else ""


def _replicas(operator: "OperatorVersion", paint: Painter) -> str:
    """Which pod works, and how many stand by; nothing where no leader is elected."""
    if operator.leader is None:
        return ""
    leader = f"leader {operator.leader}" if operator.leader else paint("red", "no leader")
    count = operator.standbys
    standbys = f"{count} standby" if count else paint("yellow", "no standby")
    return f"  {leader}, {standbys}"


def _print(report: "StatusReport", now: float, chosen: argparse.Namespace) -> None:
    from artifact_index.cli.cluster.objects import arguments_of  # noqa: PLC0415 - slow

    paint, wide = Painter(chosen), chosen.output == "wide"
    sys.stdout.write(f"{_operator_lines(report, now, paint)}\n")
    if not report.files and not report.indexes:
        from artifact_index.cli.cluster.connection import namespace_of  # noqa: PLC0415 - slow

        labels = f" with labels {chosen.selector}" if chosen.selector else ""
        advice = "; -n names another, -A looks in all, and at ClusterIndexOptions"
        advice = "" if chosen.all_namespaces else advice
        where = "any namespace" if chosen.all_namespaces else f"namespace {namespace_of(chosen)}"
        sys.stdout.write(f"no ArtifactIndex and no IndexOptions{labels} in {where}{advice}\n")
        return
    files: list[tuple[str, ...]] = [
        (
            each.namespace or "-", _place_of(each), f"{each.ready_indexes}/{each.indexes}",
            each.ready, _left(each.expires_at, now, each.ready), " ".join(each.warnings) or "-",
            each.index_options,
        )
        for each in report.files
    ]  # fmt: skip
    sys.stdout.write(_table(_FILES, files, paint, wide=wide))
    indexes: list[tuple[str, ...]] = [
        (
            each.namespace or "-", each.name, each.ready, each.reason,
            # Nobody logs in for an index that is not selected: it is not static.
            _left(each.expires_at, now, "" if each.reason == "NotSelected" else each.ready),
            _left(each.refresh_at, now, ""), each.login, each.url or "-",
        )
        for each in report.indexes
    ]  # fmt: skip
    sys.stdout.write("\n" + _table(_INDEXES, indexes, paint, wide=wide))
    pods: list[tuple[str, ...]] = [
        (
            each.namespace, each.pod, f"{each.output.kind}/{each.output.name}", each.use,
            _left(each.started_at, now, "") if each.started_at else "-", each.message,
        )
        for each in report.pods
    ]  # fmt: skip
    if chosen.pods:
        none = "\nno running pod uses these files\n"
        sys.stdout.write(f"\n{_table(_PODS, pods, paint, wide=True)}" if pods else none)
    for each in report.problems[:_SHOWN]:
        colour, mark = ("red", "✗") if each.severity == "error" else ("yellow", "!")
        where = each.object.path
        since = f" since {each.since}" if each.since else ""
        sys.stdout.write(f"\n{paint(colour, mark)} {where}  {each.reason}{since}\n")
        why = f"artifact-index why {arguments_of(each.object)}"
        sys.stdout.write(f"  {each.message}\n  → {why}\n")
    if len(report.problems) > _SHOWN:
        sys.stdout.write(f"\n… and {len(report.problems) - _SHOWN} more: -o json lists all\n")


def _place_of(file: "FileStatus") -> str:
    """An output, and in how many namespaces there is one."""
    counts = file.namespaces
    return file.file + (f" in {counts.written}/{counts.selected} namespaces" if counts else "")


def _table(
    head: tuple[str, ...], rows: list[tuple[str, ...]], paint: Painter, *, wide: bool
) -> str:
    end = len(head) if wide else len(head) - 1
    return table(head[:end], [row[:end] for row in rows], lambda text: _cell(paint, text))


def _cell(paint: Painter, text: str) -> str:
    colours = {"True": "green", "False": "red", "Unknown": "yellow", "EXPIRED": "red"}
    return paint(colours[text], text) if text in colours else text


def _left(at: str | None, now: float, ready: str) -> str:
    """How long until a time; of something ready without one, that it is static."""
    from artifact_index.api.timestamps import parse_time  # noqa: PLC0415 - `--help` needs it not

    if at is None:
        return "static" if ready == "True" else "-"
    left = parse_time(at) - now
    if left > 0:
        return duration(left)
    return "EXPIRED" if ready else _ago(at, now)


def _ago(at: str, now: float) -> str:
    from artifact_index.api.timestamps import parse_time  # noqa: PLC0415 - `--help` needs it not

    return f"{duration(now - parse_time(at))} ago"
