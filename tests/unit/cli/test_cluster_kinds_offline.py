"""`check` and `render` of the kinds of cluster scope, with the Namespaces among the manifests."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from artifact_index.cli.main import main
from support.examples import EXAMPLES
from support.reconcile_builders import source

pytestmark = pytest.mark.unit

CLUSTER: Final = EXAMPLES / "cluster"
Object = dict[str, Any]


def manifest(kind: str, name: str, namespace: str = "", **more: Any) -> Object:
    version = "v1" if kind in ("Namespace", "Secret") else "artifactindex.dev/v1alpha1"
    labels = more.pop("labels", {})
    metadata = {"name": name, "labels": labels, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


def cluster_index(name: str, consent: Any, kind: str = "anonymous", **more: Any) -> Object:
    spec = {"name": name, "namespaces": consent, **source(kind), **more}
    return manifest("ClusterArtifactIndex", name, spec=spec)


def options(selector: Any = None, **more: Any) -> Object:
    spec = {"namespaceSelector": selector if selector is not None else {}, **more}
    return manifest("ClusterIndexOptions", "uv-config", spec=spec)


PYTHON: Final = {"matchLabels": {"builds": "python"}}
TEAMS: Final = [
    manifest("Namespace", "team-a", labels={"builds": "python", "tier": "gold"}),
    manifest("Namespace", "team-b", labels={"builds": "python"}),
    manifest("Namespace", "other"),
]


class Offline:
    """Runs a command over manifests."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys

    def run(self, command: str, *objects: Object, status: int = 0, flags: Any = ()) -> Any:
        (self.folder / "all.yaml").write_text(yaml.safe_dump_all(objects))
        assert main([command, "-f", str(self.folder), "-o", "json", *flags]) == status
        return json.loads(self.capsys.readouterr().out)

    def files(self, *objects: Object, flags: Any = ()) -> dict[str, list[str]]:
        """The names of the private indexes in the file of each namespace."""
        report = self.run("render", *objects, flags=flags)
        return {
            each["output"]["namespace"]: [
                line.partition('"')[2].rstrip('"')
                for line in each["content"].splitlines()
                if line.startswith("name = ") and "pypi" not in line
            ]
            for each in report["files"]
        }

    def findings(self, *objects: Object, status: int = 0, flags: Any = ()) -> list[tuple[str, str]]:
        report = self.run("check", *objects, status=status, flags=flags)
        return [(each["object"], each["reason"]) for each in report["findings"]]


@pytest.fixture
def offline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Offline:
    return Offline(tmp_path, capsys)


def test_the_examples_need_no_namespace_to_be_sound(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-f", str(CLUSTER), "--strict"]) == 0
    assert main(["render", "-f", str(CLUSTER)]) == 0
    assert 'name = "acme"' in capsys.readouterr().out


def test_each_namespace_gets_the_indexes_that_consent_to_it(offline: Offline) -> None:
    base = cluster_index("base", {"selector": PYTHON})
    gold = cluster_index("gold", {"selector": {"matchLabels": {"tier": "gold"}}}, priority=9)
    named = cluster_index("named", {"names": ["team-b", "other"]}, priority=8)

    assert offline.files(*TEAMS, base, gold, named, options()) == {
        "team-a": ["base", "gold"],
        "team-b": ["base", "named"],
        "other": ["named"],
    }
    assert set(offline.files(*TEAMS, base, gold, named, options(PYTHON))) == {"team-a", "team-b"}


def test_the_administrators_bound_holds_for_both_ways(offline: Offline) -> None:
    base = cluster_index("base", {"selector": {}})
    own = manifest("IndexOptions", "own", "team-b", spec={"clusterIndexSelector": {}})
    objects = (*TEAMS, base, options(PYTHON), own)

    assert set(offline.files(*objects)) == {"team-a", "team-b"}
    bound = ("--cluster-kinds-namespaces=team-*,!team-b",)
    assert set(offline.files(*objects, flags=bound)) == {"team-a"}
    assert ("IndexOptions team-b/own", "NoIndexes") in offline.findings(*objects, flags=bound)


def test_a_tenants_file_takes_cluster_indexes_that_consent_beside_its_own(offline: Offline) -> None:
    base = cluster_index("base", {"names": ["team-a"]})
    mine = manifest(
        "ArtifactIndex", "mine", "team-a", spec={"name": "mine", **source("anonymous")}
    )  # fmt: skip
    plain = manifest("IndexOptions", "uv", "team-a", spec={})
    asking = manifest("IndexOptions", "uv", "team-a", spec={"clusterIndexSelector": {}})

    assert offline.files(*TEAMS, base, mine, plain) == {"team-a": ["mine"]}
    assert sorted(offline.files(*TEAMS, base, mine, asking)["team-a"]) == ["base", "mine"]


def test_a_cluster_index_keeps_its_name_against_an_older_one_of_a_tenant(offline: Offline) -> None:
    tenant = manifest(
        "ArtifactIndex", "acme", "team-a", spec={"name": "acme", **source("anonymous")}
    )  # fmt: skip
    asking = manifest("IndexOptions", "uv", "team-a", spec={"clusterIndexSelector": {}})
    base = cluster_index("acme", {"selector": {}})

    # Manifests are created in their order.
    assert offline.findings(tenant, asking, base, *TEAMS, status=1) == [
        ("ArtifactIndex team-a/acme", "NameConflict")
    ]


def test_a_login_is_one_of_the_resource_namespace_alone(offline: Offline) -> None:
    def login(namespace: str, password: str) -> Object:
        data = {"username": "ci", "password": password}
        return manifest("Secret", "basic", namespace, stringData=data)

    objects = (
        *TEAMS,
        login("team-a", "of-the-tenant"),
        login("logins", "of-the-platform"),
        cluster_index("base", {"selector": {}}, "basicAuth"),
        options(PYTHON),
    )
    flags = ("--cluster-resource-namespace=logins", "--show-secrets")

    report = offline.run("render", *objects, flags=flags)

    text = "".join(each["content"] for each in report["files"])
    assert text.count("of-the-platform") == 2 and "of-the-tenant" not in text


def test_what_nobody_gets_is_a_warning(offline: Offline) -> None:
    objects = (TEAMS[2], cluster_index("base", {"selector": PYTHON}), options(PYTHON))

    assert offline.findings(*objects) == [
        ("ClusterArtifactIndex base", "NotSelected"),
        ("ClusterIndexOptions uv-config", "NoNamespaces"),
    ]


def test_an_output_that_another_object_has_is_an_error(offline: Offline) -> None:
    """Nothing else tells it: whoever has the output is fine."""
    output = [{"kind": "Secret", "name": "uv-config"}]
    spec = {"namespaceSelector": PYTHON, "outputs": output}
    second = manifest("ClusterIndexOptions", "second", spec=spec)

    (found,) = offline.findings(
        *TEAMS, cluster_index("base", {"selector": {}}), options(), second, status=1
    )

    assert found[1] == "NamespacesFailing"


def test_messages_name_the_selector_and_the_kind_that_are_meant(offline: Offline) -> None:
    base = cluster_index("base", {"selector": {}})
    asleep = manifest(
        "ClusterIndexOptions", "uv", spec={"namespaceSelector": {}, "suspend": True}
    )  # fmt: skip
    own = manifest(
        "IndexOptions", "own", "team-b", spec={"clusterIndexSelector": {"matchLabels": {"a": "b"}}}
    )

    report = offline.run("check", *TEAMS, base, asleep, own)

    said = {each["reason"]: each["message"] for each in report["findings"]}
    assert "ClusterIndexOptions 'uv', which selects this index, is suspended" in said["NotSelected"]
    assert "spec.clusterIndexSelector matches no ClusterArtifactIndex" in said["NoIndexes"]
    assert "namespace 'team-b' has no ArtifactIndex" in said["NoIndexes"]


def test_what_the_api_server_would_refuse_is_an_error(offline: Offline) -> None:
    without = manifest("ClusterArtifactIndex", "base", spec=source("anonymous"))
    both = cluster_index("both", {"selector": {}, "names": ["a"]})
    nowhere = manifest("ClusterIndexOptions", "uv", spec={})

    report = offline.run("check", without, both, nowhere, status=1)

    assert [each["message"].partition(";")[0] for each in report["findings"]] == [
        "spec.namespaces is required",
        "spec.namespaces must set exactly one of `selector` and `names`",
        "spec.namespaceSelector is required",
    ]


def test_a_namespace_of_an_object_of_cluster_scope_is_dropped(offline: Offline) -> None:
    base = cluster_index("base", {"names": ["team-a"]})
    base["metadata"]["namespace"] = "team-b"

    assert offline.files(*TEAMS, base, options()) == {"team-a": ["base"]}
    again = cluster_index("base", {"names": ["team-a"]})
    report = offline.run("check", *TEAMS, base, again, options(), status=1)
    assert "is taken by the ClusterArtifactIndex at" in report["findings"][0]["message"]


def test_a_secret_of_somebody_else_is_left_alone_and_told(offline: Offline) -> None:
    """As on an API server, whether one namespace has the output or many have."""
    theirs = manifest("Secret", "uv-config", "team-a", stringData={"theirs": "untouched"})
    base = cluster_index("base", {"selector": PYTHON})
    assert set(offline.files(*TEAMS, base, options(PYTHON), theirs)) == {"team-b"}
    assert ("ClusterIndexOptions uv-config", "NamespacesFailing") in offline.findings(
        *TEAMS, base, options(PYTHON), theirs, status=1
    )

    mine = manifest(
        "ArtifactIndex", "mine", "team-a", spec={"name": "mine", **source("anonymous")}
    )  # fmt: skip
    own = manifest("IndexOptions", "uv-config", "team-a", spec={})
    assert ("IndexOptions team-a/uv-config", "TargetNotOwned") in offline.findings(
        mine, own, theirs, status=1
    )
    adopted = {**theirs["metadata"], "annotations": {"artifactindex.dev/adopt": "uv-config"}}
    assert offline.findings(mine, own, {**theirs, "metadata": adopted}) == []
