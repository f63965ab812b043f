"""What each command says in each situation: the table that the cluster tier works off.

A cell is an exit status and a part of what is printed. In the situations of `AS_JSON` a command
that has `-o json` is asked for it, and its report is held to the schema.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from artifact_index.cli.reports import (
    ChangeReport,
    CheckReport,
    PreflightReport,
    ProbeReport,
    RenderReport,
    Report,
    StatusReport,
    SupportReport,
    VersionReport,
    WhyReport,
)

SITUATIONS = ("undefined", "view", "edit", "nobody", "another version", "behind", "dead")
"""No definitions; three callers, of whom one has no rights; then an administrator beside an
operator of another version, one that runs and does not keep up, and one that does not run."""

AS_JSON = ("edit", "behind")

Cell = tuple[int, str]


@dataclass(frozen=True)
class Row:
    """A command line, with what it says by situation; `anywhere` if it asks no cluster."""

    line: str
    report: type[Report] | None = None
    cells: Mapping[str, Cell] | None = None
    anywhere: Cell = (0, "")
    in_namespace: bool = True
    """Whether -n is where the objects are, and not where the operator is."""

    @property
    def command(self) -> str:
        return self.line.split()[0]


def cells(
    undefined: Cell, view: Cell, edit: Cell, nobody: Cell, other: Cell, behind: Cell, dead: Cell
) -> dict[str, Cell]:
    """The cells of a row, in the order of `SITUATIONS`."""
    return dict(zip(SITUATIONS, (undefined, view, edit, nobody, other, behind, dead), strict=True))


UNDEFINED = (3, "there is no CustomResourceDefinition ")
OURS = "artifactindexes.artifactindex.dev"
MAY_NOT_LIST = (3, f"you may not list {OURS} in commands-table: ask for the ClusterRole `view`")
MAY_NOT_GET = (3, f"you may not get {OURS} in commands-table: ask for the ClusterRole `view`")
MAY_NOT_PATCH = (3, f"you may not patch {OURS} in commands-table: ask for the ClusterRole `edit`")
NO_DEPLOYMENTS = (3, "test with `kubectl get deployments -A`")
CAN_I_TOKEN = (3, "`kubectl auth can-i create serviceaccounts/")

TABLE = (
    Row("run --workers 0", anywhere=(2, "--workers must be a whole number of at least 1")),
    Row("crds", anywhere=(0, "kind: CustomResourceDefinition")),
    Row(
        "status", StatusReport,
        cells(UNDEFINED, (0, "\nlast write  "), (0, '"operators": null'), MAY_NOT_LIST,
              (0, "0.0.9, this program is"), (1, '"waiting": 1'), (1, "  not ready  ")),
    ),
    Row(
        "status --pods", StatusReport,
        cells(UNDEFINED, (0, "no running pod uses these files"), (0, '"pods": []'), MAY_NOT_LIST,
              (0, "no running pod uses these files"), (1, '"NotHandled"'), (1, "BEHIND: ")),
    ),
    Row(
        "why acme", WhyReport,
        cells(UNDEFINED, (0, "✓ spec handled"), (0, '"roots": []'), MAY_NOT_LIST,
              (0, "✓ spec handled"), (1, '"NotHandled"'), (1, "see whether the operator runs")),
    ),
    Row(
        "refresh acme --wait --timeout {patience}", ChangeReport,
        cells(UNDEFINED, MAY_NOT_PATCH, (0, '"Refreshed"'), MAY_NOT_GET,
              (0, "refreshed in "), (4, '"TimedOut"'), (4, "see whether the operator runs")),
    ),
    Row(
        "suspend spare", ChangeReport,
        cells(UNDEFINED, MAY_NOT_PATCH, (0, '"Suspended"'), MAY_NOT_GET,
              (0, "suspended until"), (0, '"Suspended"'), (0, "suspended until")),
    ),
    Row(
        "resume spare", ChangeReport,
        cells(UNDEFINED, (0, "not suspended"), (0, '"Resumed"'), MAY_NOT_GET,
              (0, "resumed; "), (0, '"Resumed"'), (0, "resumed; ")),
    ),
    Row(
        "adopt secret/uv-config --options uv-config", ChangeReport,
        cells(UNDEFINED, (3, "ask for the ClusterRole `edit`"), (0, '"Unchanged"'),
              (3, "you may not list indexoptions.artifactindex.dev in commands-table"),
              (0, "belongs to"), (0, '"Unchanged"'), (0, "belongs to")),
    ),
    Row("check -f {manifests} --allow-http", CheckReport, anywhere=(0, '"CheckReport"')),
    Row(
        "check --probe", ProbeReport,
        cells(UNDEFINED, (3, "no file that you may read holds this"), (0, '"Answers"'),
              MAY_NOT_LIST, (0, "✓"), (0, '"Answers"'), (0, "✓")),
    ),
    Row("render -f {manifests} --allow-http", RenderReport, anywhere=(0, "[[index]]")),
    Row(
        "render -f {manifests} --allow-http --diff", None,
        cells((1, "+[[index]]"), (3, "can-i get secrets/uv-config"), (0, ""),
              (3, "can-i get secrets/uv-config"), (0, ""), (0, ""), (0, "")),
        in_namespace=False,
    ),
    Row(
        "preflight", PreflightReport,
        cells((1, "✗ there is no definition "), (3, "? "), (3, '"Unknown"'), (3, "? "),
              (0, "is version 0.0.9"), (0, '"Good"'), (1, " is not ready → ")),
        in_namespace=False,
    ),
    Row(
        "preflight --pre --namespaces commands-table", PreflightReport,
        cells((1, "✗ namespace commands-table does not exist"), (1, "✗ you may not do"),
              (1, "you may not do"), (1, "✗ you may not do"),
              (1, "serves these namespaces already"), (1, '"Bad"'),
              (1, "serves these namespaces already")),
        in_namespace=False,
    ),
    Row(
        "version", VersionReport,
        cells((0, "the cluster does not serve"), NO_DEPLOYMENTS, (3, '"operators": null'),
              NO_DEPLOYMENTS, (0, "is 0.0.9, this program"), (0, '"ready": true'),
              (0, "  not ready")),
        in_namespace=False,
    ),
    Row(
        "report", SupportReport,
        cells((0, UNDEFINED[1]), (0, "missing: operators: "), (0, '"missing": ['),
              (0, "missing: artifactindexes: "), (0, "kind: SupportReport"),
              (0, '"handled": false'), (0, "handled: false")),
    ),
    Row(
        "kubeconfig --service-account {account}", None,
        cells((0, "\n    token: "), CAN_I_TOKEN, (0, "\n    token: "), CAN_I_TOKEN,
              (0, "\n    token: "), (0, "\n    token: "), (0, "\n    token: ")),
        in_namespace=False,
    ),
    Row("fresh {file}", None, anywhere=(0, "   no expiry known")),
    Row("completion bash", None, anywhere=(0, "_ARGCOMPLETE")),
)  # fmt: skip
