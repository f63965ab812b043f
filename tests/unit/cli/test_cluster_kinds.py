"""What `status` and `why` make of the kinds of cluster scope."""

import argparse
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from artifact_index.api.conditions import READY, RECONCILING
from artifact_index.cli import status as status_command
from artifact_index.cli.cluster import status, why
from artifact_index.cli.cluster.changes import command_for
from artifact_index.cli.cluster.connection import list_of_cluster_scope
from artifact_index.cli.cluster.objects import Observed, named, observed, selects
from artifact_index.cli.console import CommandError
from artifact_index.cli.offline.memory_api import MemoryApi
from artifact_index.kube.errors import ApiError
from artifact_index.kube.port import ListPage
from artifact_index.kube.resources import Resource
from support.reconcile_builders import NOW, source

pytestmark = pytest.mark.unit

SINCE: Final = "2026-01-02T03:04:05Z"
EVERYWHERE: Final[dict[str, Any]] = {"namespaces": {"selector": {}}, **source("basicAuth")}


def an(
    kind: str,
    name: str,
    spec: Any,
    *conditions: tuple[str, str, str],
    labels: Any = None,
    **more: Any,
) -> Observed:
    namespace = {} if kind.startswith("Cluster") else {"namespace": "team-a"}
    listed = [
        {"type": type_, "status": value, "reason": reason, "message": f"the message of {reason}",
         "lastTransitionTime": SINCE}
        for type_, value, reason in conditions
    ]  # fmt: skip
    metadata = {"name": name, "generation": 1, "labels": labels or {}, **namespace}
    written = {"observedGeneration": 1, "conditions": listed, **more}
    return observed(kind, {"metadata": metadata, "spec": spec, "status": written})


AVAILABLE: Final = (READY, "True", "Available")
INDEX: Final = an("ClusterArtifactIndex", "acme", EVERYWHERE, AVAILABLE, labels={"tier": "base"})
OPTIONS: Final = an(
    "ClusterIndexOptions", "builders", {"namespaceSelector": {}}, AVAILABLE,
    namespaces={"selected": 3, "written": 3, "failing": 0}, indexCount=1, readyIndexCount=1,
)  # fmt: skip
FAILING: Final = an(
    "ClusterIndexOptions", "builders", {"namespaceSelector": {}},
    (READY, "False", "NamespacesFailing"), (RECONCILING, "True", "NamespacesFailing"),
    namespaces={"selected": 3, "written": 2, "failing": 1},
    failingNamespaces=[
        {"namespace": "team-b", "reason": "TargetNotOwned", "message": "Secret uv-config is theirs"}
    ],
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("clusterartifactindex/acme", "ClusterArtifactIndex"),
        ("caidx/acme", "ClusterArtifactIndex"),
        ("clusterartifactindexes.artifactindex.dev/acme", "ClusterArtifactIndex"),
        ("clusterindexoptions/acme", "ClusterIndexOptions"),
        ("cidxopt/acme", "ClusterIndexOptions"),
    ],
)
def test_an_argument_names_a_kind_of_cluster_scope(text: str, kind: str) -> None:
    assert named(text) == (kind, "acme")


def test_commands_name_no_namespace_of_an_object_of_cluster_scope() -> None:
    assert command_for("why", OPTIONS) == "`artifact-index why clusterindexoptions/builders`"
    assert INDEX.ref.text == "ClusterArtifactIndex acme"


def test_a_namespaced_file_takes_a_cluster_index_only_by_its_own_selector() -> None:
    plain = an("IndexOptions", "uv", {})
    asking = an("IndexOptions", "uv", {"clusterIndexSelector": {"matchLabels": {"tier": "base"}}})

    assert [selects(each, INDEX) for each in (plain, asking, OPTIONS)] == [False, True, True]
    assert not selects(OPTIONS, an("ArtifactIndex", "acme", source("anonymous")))


def test_failing_namespaces_are_the_roots() -> None:
    (root,) = why.report_of(FAILING, [INDEX], [FAILING], NOW).roots

    assert (root.object.text, root.reason) == ("Namespace team-b", "TargetNotOwned")
    assert root.message == "Secret uv-config is theirs"
    assert root.remedy and "spec.outputs" in root.remedy


def test_a_namespaced_file_is_led_back_to_the_cluster_index_and_not_to_its_namesake() -> None:
    broken = (READY, "False", "AccessDenied")
    theirs = an("ArtifactIndex", "acme", source("anonymous"), (READY, "False", "InsecureURL"))
    index = an("ClusterArtifactIndex", "acme", EVERYWHERE, broken)
    item = {"kind": "ClusterArtifactIndex", "artifactIndex": "acme", "uid": "u", "ready": False}
    file = an(
        "IndexOptions", "uv", {"clusterIndexSelector": {}}, (READY, "False", "IndexesNotReady"),
        indexes=[item | {"reason": "AccessDenied"}],
    )  # fmt: skip

    (root,) = why.report_of(file, [theirs, index], [file], NOW).roots

    assert (root.object.kind, root.reason) == ("ClusterArtifactIndex", "AccessDenied")


def test_what_holds_is_told() -> None:
    assert why.report_of(INDEX, [INDEX], [OPTIONS], NOW).holds[1:3] == [
        "selected by ClusterIndexOptions builders",
        "logs in with secret/basic",
    ]
    assert (
        "written in 2 of 3 namespaces: Secret/builders"
        in why.report_of(FAILING, [INDEX], [FAILING], NOW).holds
    )


@pytest.mark.parametrize("kind", ["ClusterArtifactIndex", "ClusterIndexOptions"])
@pytest.mark.parametrize("junk", [None, True, 5, "x", [], ["x", None, {}], {}, {"selected": "x"}])
def test_a_status_of_another_version_is_read_as_far_as_it_goes(kind: str, junk: Any) -> None:
    for field in ("namespaces", "failingNamespaces", "indexes", "conditions"):
        each = an(kind, "a", {"more": junk}, AVAILABLE, **{field: junk})

        status.report_of([each] if each.is_index else [], [] if each.is_index else [each], NOW)
        why.report_of(each, [each], [], NOW)


def test_the_table_counts_namespaces(capsys: pytest.CaptureFixture[str]) -> None:
    report = status.report_of([INDEX], [FAILING], NOW)
    chosen = argparse.Namespace(
        output="table", pods=False, selector=None, all_namespaces=True, no_color=True, color="never"
    )

    status_command._show(report, NOW, chosen)

    shown = capsys.readouterr().out
    assert "-           Secret/builders in 2/3 namespaces" in shown
    assert "\n✗ builders  NamespacesFailing" in shown
    assert "→ artifact-index why clusterindexoptions/builders\n" in shown
    assert report.files[0].namespaces is not None and report.files[0].namespaces.failing == 1


class Refusing(MemoryApi):
    """An API server that answers no listing."""

    def __init__(self, status: int) -> None:
        super().__init__("token")
        self.status = status

    async def list(self, resource: Resource, **_: Any) -> AsyncIterator[ListPage]:
        raise ApiError(self.status, "Reason", f"{resource.plural} cannot be listed")
        yield  # a generator


@pytest.mark.parametrize("status", [403, 404])
async def test_who_may_not_list_them_sees_none_and_no_error(status: int) -> None:
    """A tenant with `status -A`, and anybody beside older definitions."""
    assert await list_of_cluster_scope(Refusing(status)) == ([], [])


async def test_an_api_server_that_fails_is_told() -> None:
    with pytest.raises(CommandError, match="clusterartifactindexes"):
        await list_of_cluster_scope(Refusing(500))
