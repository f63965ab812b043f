"""The CRDs on a real API server: admission, every rule's two sides, defaults, kubectl."""

import json
import re
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from artifact_index.crdgen.crd import root_schema
from artifact_index.crdgen.kinds import KINDS, Kind
from artifact_index.crdgen.schema import Schema
from support.api_case import BASES, Case
from support.api_cases import ACCEPTED, CONVERTED, HIDDEN, NULL, REFUSED
from support.api_pasted import BESIDE, CANARY, PASTED
from support.control_plane import ControlPlane, wait_until

pytestmark = pytest.mark.cluster

CRDS = Path(__file__).parents[2] / "crds"
EXAMPLES = Path(__file__).parents[2] / "examples"
NEVER_SEEN = {"observedGeneration": -1}
WHEN = "2026-01-02T03:04:05Z"
PUBLISHED = "/openapi/v3/apis/artifactindex.dev/v1alpha1"


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> ControlPlane:
    """With the definitions, and the schemas that `kubectl explain` reads, which come later."""
    control_plane.apply_crds(CRDS)

    def published() -> bool:
        found = control_plane.read(PUBLISHED) or {}
        schemas = found.get("components", {}).get("schemas", {})
        return {kind.kind for kind in KINDS} <= {name.rpartition(".")[2] for name in schemas}

    wait_until(published, "the schemas to be published", 60)
    return control_plane


@pytest.fixture(scope="module")
def namespace(plane: ControlPlane) -> Iterator[str]:
    name = f"crds-{uuid.uuid4().hex[:8]}"
    plane.kubectl("create", "namespace", name)
    yield name
    plane.kubectl("delete", "namespace", name, "--wait=false")
    # Objects of cluster scope do not go with it.
    plane.kubectl("delete", "caidx,cidxopt", "-l", f"made-in={name}", "--wait=false")


def answers(plane: ControlPlane, namespace: str, cases: Sequence[Case]) -> list[str]:
    """What the API server says to each case, by one kubectl: empty where it accepts."""
    names = [f"case-{number:03}" for number in range(len(cases))]
    documents = [case.document(name) for case, name in zip(cases, names, strict=True)]
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})
    result = plane.kubectl(
        "create", "-n", namespace, "--dry-run=server", "--validate=false", "-o", "name", "-f", "-",
        input=listed, check=False,
    )  # fmt: skip
    made = {line.partition("/")[2] for line in result.stdout.splitlines()}
    said = dict.fromkeys(made, "")
    for block in re.split(r"(?m)^(?=Error from server|The \w+ \"case)", result.stderr):
        if found := re.search(r'"(case-\d+)"', block):
            said[found[1]] = said.get(found[1], "") + block
    return [said.get(name, f"no answer in: {result.stderr[:2000]}") for name in names]


@pytest.fixture(scope="module")
def accepted(plane: ControlPlane, namespace: str) -> dict[int, str]:
    cases = [*ACCEPTED, *NULL]
    return dict(zip(map(id, cases), answers(plane, namespace, cases), strict=True))


@pytest.fixture(scope="module")
def refused(plane: ControlPlane, namespace: str) -> dict[int, str]:
    cases = [*REFUSED, *CONVERTED]
    return dict(zip(map(id, cases), answers(plane, namespace, cases), strict=True))


@pytest.mark.parametrize("option", ["-f", "-k"])
def test_kubectl_applies_the_folder(plane: ControlPlane, option: str) -> None:
    applied = plane.kubectl("apply", "--server-side", option, str(CRDS))
    assert applied.stdout.count("serverside-applied") == len(KINDS)
    assert applied.stderr == ""


def test_the_schemas_are_structural(plane: ControlPlane) -> None:
    for kind in KINDS:
        crd = json.loads(
            plane.kubectl("get", "crd", f"{kind.plural}.artifactindex.dev", "-o", "json").stdout
        )
        conditions = {each["type"]: each["status"] for each in crd["status"]["conditions"]}
        assert conditions["Established"] == conditions["NamesAccepted"] == "True"
        assert conditions.get("NonStructuralSchema", "False") == "False"
        assert "KubernetesAPIApprovalPolicyConformant" not in conditions


@pytest.mark.parametrize("case", [*ACCEPTED, *NULL], ids=str)
def test_it_accepts(case: Case, accepted: dict[int, str]) -> None:
    assert accepted[id(case)] == ""


@pytest.mark.parametrize("case", [*REFUSED, *CONVERTED], ids=str)
def test_it_refuses_and_says_what_to_do(case: Case, refused: dict[int, str]) -> None:
    said = refused[id(case)]
    assert case.says in said
    # A map's key stands in brackets; a duplicate is reported at the second of the two.
    where = re.escape(case.refused_at).replace(r"\.env", r"(\.env|\[env\])")
    assert re.search(rf"{where}(\[1\])?(:| in body)", said)
    assert "error evaluating rule" not in said


@pytest.mark.parametrize("case", HIDDEN, ids=str)
def test_it_never_prints_a_string_that_may_hold_a_login(
    case: Case, refused: dict[int, str]
) -> None:
    said = refused[id(case)]
    assert "Forbidden: " in said and "Invalid value" not in said
    assert "secret@" not in said and "token=secret" not in said


def test_it_never_prints_a_login_in_any_field(plane: ControlPlane, namespace: str) -> None:
    """tests/cluster/test_crd_messages.py asks a newer release."""
    cases = PASTED + BESIDE
    for case, said in zip(cases, answers(plane, namespace, cases), strict=True):
        assert "no answer in" not in said and CANARY not in said, case


def create(plane: ControlPlane, namespace: str, base: str) -> tuple[str, dict[str, Any]]:
    """Create a base object under a name of its own; returns the name and what was stored."""
    name = f"{base}-{uuid.uuid4().hex[:8]}"
    document = Case(base, base).document(name)
    document["metadata"]["labels"] = {"made-in": namespace}
    stored = plane.kubectl(
        "create", "-n", namespace, "-o", "json", "-f", "-", input=json.dumps(document)
    )
    return name, json.loads(stored.stdout)


@pytest.mark.parametrize("base", BASES)
def test_a_new_object_says_that_nobody_has_seen_it(
    plane: ControlPlane, namespace: str, base: str
) -> None:
    _, stored = create(plane, namespace, base)
    assert stored["status"] == NEVER_SEEN


def test_stored_defaults_are_the_documented_ones(plane: ControlPlane, namespace: str) -> None:
    _, index = create(plane, namespace, "code-artifact")
    _, options = create(plane, namespace, "options")
    own = {key: value for key, value in index["spec"].items() if key != "codeArtifact"}
    assert own == {
        "explicit": False,
        "priority": 100,
        "publish": False,
        "suspend": False,
        "whenUnavailable": "Block",
    }
    assert index["spec"]["codeArtifact"]["tokenDuration"] == "12h"
    assert index["spec"]["codeArtifact"]["endpointType"] == "IPv4"
    own = {key: value for key, value in options["spec"].items() if key != "indexSelector"}
    assert own == {
        "deletionPolicy": "Delete",
        "indexStrategy": "first-index",
        "maxBuildDuration": "30m",
        "outputs": [{"formats": ["UvToml"], "kind": "Secret", "name": "uv-config"}],
        "preferPrivate": True,
        "publicIndex": {"enabled": True, "name": "pypi"},
        "suspend": False,
    }


def test_a_spec_is_required(plane: ControlPlane, namespace: str) -> None:
    for base in ("anonymous", "options"):
        document = Case(base, base).document("without-spec")
        del document["spec"]
        result = plane.kubectl(
            "create", "-n", namespace, "-f", "-", input=json.dumps(document), check=False
        )
        assert "spec: Required value" in result.stderr


def test_a_misspelt_field_is_refused(plane: ControlPlane, namespace: str) -> None:
    document = Case("", "anonymous").document("misspelt")
    document["spec"]["prioritty"] = 1
    result = plane.kubectl(
        "create", "-n", namespace, "-f", "-", input=json.dumps(document), check=False
    )
    assert re.search(r'unknown field "(spec\.)?prioritty"', result.stderr)


CONDITION = {
    "type": "Ready",
    "status": "False",
    "observedGeneration": 1,
    "lastTransitionTime": WHEN,
    "reason": "AccessDenied",
    "message": "m" * 32768,
}
INDEX_STATUS = {"artifactIndex": "a", "uid": "u", "ready": True, "reason": "Available"}
FAILING = {"namespace": "team-a", "reason": "TargetNotOwned", "message": "theirs"}
STATUSES: list[tuple[str, str, dict[str, Any], str]] = [
    ("a whole one", "anonymous", {
        "observedGeneration": 1, "conditions": [CONDITION], "url": "https://h/simple/",
        "credential": {"expiresAt": WHEN, "refreshAt": WHEN}}, ""),
    ("a whole one", "options", {
        "observedGeneration": 1, "conditions": [CONDITION], "indexCount": 513,
        "readyIndexCount": 512, "indexes": [INDEX_STATUS | {"name": "a", "expiresAt": WHEN}] * 512,
        "outputs": [{"kind": "Secret", "name": "uv", "keys": ["uv.toml"]}],
        "earliestExpiry": WHEN, "guaranteedUntil": WHEN}, ""),
    ("no name allotted yet", "options", {"indexes": [INDEX_STATUS]}, ""),
    ("too many indexes", "options", {"indexes": [INDEX_STATUS] * 513}, "Too many: 513"),
    ("a fourth truth", "options", {"conditions": [CONDITION | {"status": "Maybe"}]},
     'supported values: "True", "False", "Unknown"'),
    ("a message without end", "options", {"conditions": [CONDITION | {"message": "m" * 32769}]},
     "may not be more than 32768 bytes"),
    ("a reason in words", "options", {"conditions": [CONDITION | {"reason": "no access"}]},
     "should match"),
    ("one type twice", "options", {"conditions": [CONDITION] * 2}, "Duplicate value"),
    ("no time", "options", {"earliestExpiry": "soon"}, "must be of type date-time"),
    ("a negative count", "options", {"indexCount": -1}, "greater than or equal to 0"),
    ("a whole one", "cluster-options", {
        "observedGeneration": 1, "conditions": [CONDITION], "indexCount": 1,
        "readyIndexCount": 1, "indexes": [INDEX_STATUS | {"kind": "ClusterArtifactIndex"}],
        "namespaces": {"selected": 1000, "written": 980, "failing": 20},
        "failingNamespaces": [FAILING] * 20, "earliestExpiry": WHEN, "guaranteedUntil": WHEN}, ""),
    ("too many namespaces", "cluster-options", {"failingNamespaces": [FAILING] * 21},
     "Too many: 21"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("title", "base", "status", "says"), STATUSES, ids=[f"{s[1]}: {s[0]}" for s in STATUSES]
)
def test_status_is_bounded(
    plane: ControlPlane, namespace: str, title: str, base: str, status: dict[str, Any], says: str
) -> None:
    name, stored = create(plane, namespace, base)
    patch = plane.folder / f"{name}.json"
    patch.write_text(json.dumps({"status": status}))
    result = plane.kubectl(
        "patch", stored["kind"], name, "-n", namespace, "--subresource=status", "--type=merge",
        f"--patch-file={patch}", "-o", "json", check=False,
    )  # fmt: skip
    if says:
        assert says in result.stderr
    else:
        assert json.loads(result.stdout)["status"] == NEVER_SEEN | status


def object_paths(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """Every object in a schema by its path as `kubectl explain` takes it."""
    if "properties" in schema:
        yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from object_paths(inner.get("items", inner), f"{path}.{name}")


PARTS = [(kind, part) for kind in KINDS for part in ("spec", "status")]


@pytest.mark.parametrize(
    ("kind", "part"), PARTS, ids=[f"{each.kind}.{part}" for each, part in PARTS]
)
def test_kubectl_explains_every_field(plane: ControlPlane, kind: Kind, part: str) -> None:
    """It lists what the API server publishes, which has a description of each field."""
    text = plane.kubectl("explain", f"{kind.kind.lower()}.{part}", "--recursive").stdout
    listed = re.findall(r"(?m)^ +(\w+)\t<", text)
    wanted = list(object_paths(root_schema(kind)["properties"][part], part))
    assert sorted(listed) == sorted(name for _, each in wanted for name in each["properties"])
    assert "<no description>" not in text

    published = (plane.read(PUBLISHED) or {})["components"]["schemas"]
    served = published[f"dev.artifactindex.v1alpha1.{kind.kind}"]["properties"][part]
    described = {
        path: sorted(name for name, each in schema["properties"].items() if each.get("description"))
        for path, schema in object_paths(served, part)
    }
    assert described == {path: sorted(schema["properties"]) for path, schema in wanted}


def test_kubectl_shows_a_fields_description(plane: ControlPlane) -> None:
    path = "artifactindex.spec.codeArtifact"
    text = plane.kubectl("explain", path).stdout
    described = re.findall(r"(?m)^  (\w+)\t.*\n(?:  enum: .*\n)?    \S", text)
    schema = root_schema(KINDS[0])["properties"]["spec"]["properties"]["codeArtifact"]
    assert sorted(described) == sorted(schema["properties"])
    assert "<no description>" not in text


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_short_name_category_and_columns_work(
    plane: ControlPlane, namespace: str, kind: Kind
) -> None:
    base = next(base for base, (of_kind, _) in BASES.items() if of_kind == kind.kind)
    name, _ = create(plane, namespace, base)
    by_short_name = plane.kubectl("get", kind.short_name, "-n", namespace, "-o", "wide").stdout
    singular = plane.kubectl("get", kind.kind.lower(), name, "-n", namespace, "-o", "name").stdout
    assert singular.strip().endswith(f"/{name}")
    by_category = plane.kubectl("get", "artifact-index", "-n", namespace, "-o", "name").stdout
    assert name in by_short_name
    assert f"{kind.kind.lower()}.artifactindex.dev/{name}" in by_category
    heads = [column.name.upper() for column in kind.columns]
    assert re.split(r" {2,}", by_short_name.splitlines()[0].strip()) == ["NAME", *heads]


def test_the_columns_show_the_status(plane: ControlPlane, namespace: str) -> None:
    name, _ = create(plane, namespace, "basic")
    status = {
        "url": "https://pypi.acme.example/simple/",
        "warning": "FreshnessNotGuaranteed",
        "conditions": [CONDITION | {"message": "Grant it."}],
        "credential": {"expiresAt": WHEN},
    }
    plane.kubectl(
        "patch", "aidx", name, "-n", namespace, "--subresource=status", "--type=merge",
        f"--patch={json.dumps({'status': status})}",
    )  # fmt: skip
    row = plane.kubectl("get", "aidx", name, "-n", namespace, "--no-headers").stdout.split()
    assert row[:5] == [name, "False", "AccessDenied", "FreshnessNotGuaranteed", WHEN]
    wide = plane.kubectl("get", "aidx", name, "-n", namespace, "--no-headers", "-o", "wide").stdout
    assert wide.split()[6] == status["url"] and status["url"] not in row


def test_the_examples_are_accepted_and_come_back_unchanged(
    plane: ControlPlane, namespace: str
) -> None:
    rendered = plane.kubectl("kustomize", str(EXAMPLES)).stdout
    secrets = (EXAMPLES / "secrets.example.yaml").read_text()
    examples = f"{rendered}---\n{secrets}".replace("namespace: builders", f"namespace: {namespace}")
    of_cluster_scope = plane.kubectl("kustomize", str(EXAMPLES / "cluster")).stdout
    examples += f"---\n{of_cluster_scope}"
    applied = plane.kubectl("apply", "--server-side", "-f", "-", input=examples).stdout
    declared = examples.count("\nkind: ArtifactIndex\n")
    assert f"\n{applied}".count("\nartifactindex.artifactindex.dev/") == declared >= 5
    assert applied.count("\nindexoptions.artifactindex.dev/") == 2
    assert applied.count("\nclusterindexoptions.artifactindex.dev/") == 1
    again = plane.kubectl("diff", "--server-side", "-f", "-", input=examples, check=False)
    assert (again.returncode, again.stdout) == (0, "")
    plane.kubectl("delete", "--wait=false", "-f", "-", input=of_cluster_scope)
