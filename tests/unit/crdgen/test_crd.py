"""The generated CRDs: structural rules, bounds, golden files, and cases for every rule."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from pydantic import Field
from tools.version_lines import version_files

from artifact_index import __version__
from artifact_index.api.artifact_index import Sources
from artifact_index.api.base import ApiModel
from artifact_index.crdgen.crd import crd_documents, render_crds, root_schema
from artifact_index.crdgen.kinds import KINDS
from artifact_index.crdgen.reason_docs import REASONS
from artifact_index.crdgen.reference import reference_markdown
from artifact_index.crdgen.schema import Schema, UnsupportedTypeError, object_schema
from support.api_bounds import LONGEST, REQUIRED, SIZES
from support.api_cases import ACCEPTED, REFUSED

pytestmark = pytest.mark.unit

TOP = Path(__file__).parents[3]
CRD_NAMES = list(crd_documents())
CRD_FILES = [name for name in CRD_NAMES if name.endswith(".yaml")]

# JSONSchemaProps that a structural schema may have below its root, and that are used here.
ALLOWED_KEYWORDS = {
    "description", "type", "properties", "required", "items", "additionalProperties", "enum",
    "format", "pattern", "default", "minimum", "maximum", "minLength", "maxLength", "minItems",
    "maxItems", "minProperties", "maxProperties", "x-kubernetes-validations",
    "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
}  # fmt: skip
JSON_TYPES = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "array": list,
    "object": dict,
}


def nodes(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every schema in a schema, by its path."""
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{name}".lstrip("."))
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from nodes(schema["additionalProperties"], f"{path}{{}}")


def nodes_of_all_kinds() -> Iterator[Any]:
    """Every schema of the specs and statuses; one that several kinds share once."""
    seen: set[str] = set()
    for kind in KINDS:
        for part, schema in root_schema(kind)["properties"].items():
            for path, node in nodes(schema, part) if part in ("spec", "status") else ():
                said = json.dumps([path, node], sort_keys=True)
                if said not in seen:
                    yield pytest.param(path, node, id=f"{kind.kind}.{path}")
                seen.add(said)


NODES: list[Any] = list(nodes_of_all_kinds())


@pytest.mark.parametrize(("path", "node"), NODES)
def test_every_node_is_structural_bounded_and_described(path: str, node: Schema) -> None:
    assert set(node) <= ALLOWED_KEYWORDS
    assert node["type"] in JSON_TYPES
    is_item = path.endswith(("[]", "{}"))
    assert is_item or node["description"].endswith("."), "what `kubectl explain` shows"
    match node["type"]:
        case "string":
            assert "maxLength" in node or "enum" in node
        case "array":
            assert node["maxItems"] > 0
            assert node["x-kubernetes-list-type"] in ("atomic", "set", "map")
            for key in node.get("x-kubernetes-list-map-keys", ()):
                assert key in node["items"]["required"]
        case "object":
            # An object without fields is a mark such as `operatorIdentity: {}`.
            assert "maxProperties" in node or "additionalProperties" not in node
            assert set(node.get("required", ())) <= set(node.get("properties", ()))
        case "integer":
            assert node["format"] in ("int32", "int64")


@pytest.mark.parametrize(("path", "node"), [each for each in NODES if "default" in each.values[1]])
def test_defaults_have_the_type_of_their_field(path: str, node: Schema) -> None:
    default = node["default"]
    assert type(default) is JSON_TYPES[node["type"]]
    assert default in node.get("enum", [default])
    assert not path.startswith("spec") or default not in ([], {})


RULED = [each for each in NODES if "x-kubernetes-validations" in each.values[1]]


@pytest.mark.parametrize(("path", "node"), RULED)
def test_rules_have_one_line_messages_and_regexes_that_re2_reads(path: str, node: Schema) -> None:
    for rule in node["x-kubernetes-validations"]:
        assert set(rule) - {"reason"} == {"rule", "message"}
        assert "\n" not in rule["message"] + rule["rule"]
        assert rule["message"].startswith(("must ", "keys must ")), "what must hold, and how"
        for pattern in re.findall(r"matches\('((?:[^'\\]|\\.)*)'\)", rule["rule"]):
            # Look-around, back-references, possessive and atomic groups are not in RE2.
            assert not re.search(r"\(\?|\\[1-9]|[*+?}]\+", pattern)
            assert not re.search(r"\{\d*,?(\d{4,})\}", pattern), "RE2 repeats at most 1000 times"


@pytest.mark.parametrize(("path", "node"), RULED)
def test_a_refused_string_is_never_printed(path: str, node: Schema) -> None:
    # From Kubernetes 1.35 on the API server prints a string that a rule refuses, and it may hold a
    # login; of an object it prints the type. Durations hold no login, and users want to see them.
    may_hold_a_login = node["type"] == "string" and not path.endswith(("Duration", "Lifetime"))
    for rule in node["x-kubernetes-validations"]:
        assert may_hold_a_login is (rule.get("reason") == "FieldValueForbidden"), rule


def covered(path: str) -> str:
    """The path as cases spell it: they look at the first item, and at the label `env`."""
    return path.replace("[]", "[0]").replace("{}", ".env")


@pytest.mark.parametrize(
    ("path", "node"), [each for each in RULED if each.values[0].startswith("spec")]
)
def test_every_rule_of_a_spec_has_a_refused_case(path: str, node: Schema) -> None:
    for rule in node["x-kubernetes-validations"]:
        assert any(
            case.refused_at == covered(path) and case.says in rule["message"] for case in REFUSED
        ), rule


@pytest.mark.parametrize(
    ("path", "node"), [each for each in NODES if each.values[0].startswith("spec")]
)
def test_every_bound_of_a_spec_has_an_accepted_and_a_refused_case(path: str, node: Schema) -> None:
    bare = covered(path).removeprefix("spec.")
    if "maxLength" in node:
        (longest,) = [value for (_, where), value in LONGEST.items() if where == bare]
        assert len(longest) == node["maxLength"]
    if most := node.get("maxItems", node.get("maxProperties")):
        ((full, more, _),) = [sizes for (_, where), sizes in SIZES.items() if where == bare]
        assert (len(full), len(more)) == (most, most + 1)
    for keyword in ("minItems", "minimum", "maximum", "enum"):
        if keyword in node:
            assert any(case.refused_at == f"spec.{bare}" for case in REFUSED), keyword
    for name in node.get("required", ()):
        assert f"{bare}.{name}".removeprefix("spec.") in {
            where for paths in REQUIRED.values() for where in paths
        }


def test_no_refused_case_stands_twice_or_is_accepted() -> None:
    refused = [(case.kind, repr(case.spec)) for case in REFUSED]
    assert len(set(refused)) == len(refused)
    assert not set(refused) & {(case.kind, repr(case.spec)) for case in ACCEPTED}


@pytest.mark.parametrize("name", CRD_NAMES)
def test_files_on_disk_are_the_generated_ones(name: str) -> None:
    text = render_crds()[name]
    assert (TOP / "crds" / name).read_text() == text, "run python tools/generate.py"
    assert yaml.safe_load(text) == crd_documents()[name]
    assert len(text) < 200 * 1024


def test_generating_is_deterministic_and_check_agrees_with_the_disk() -> None:
    assert render_crds() == render_crds()
    assert reference_markdown() == reference_markdown()
    checked = subprocess.run(
        [sys.executable, TOP / "tools" / "generate.py", "--check"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (checked.returncode, checked.stderr) == (0, "")


def test_check_names_stale_files(tmp_path: Path) -> None:
    for name in ("operator", "tools"):
        (tmp_path / name).symlink_to(TOP / name)
    for path, text in version_files(TOP).items():
        named = tmp_path / path.relative_to(TOP)
        named.parent.mkdir(parents=True, exist_ok=True)
        named.write_text(text)
    tool = tmp_path / "generate.py"
    tool.write_text((TOP / "tools" / "generate.py").read_text().replace("parents[1]", "parents[0]"))
    run = [sys.executable, str(tool)]
    subprocess.run(run, check=True)
    assert subprocess.run([*run, "--check"], check=False).returncode == 0
    (tmp_path / "crds" / "Kustomization").write_text("edited")
    (tmp_path / "crds" / "left-over.yaml").write_text("")
    readme = tmp_path / "README.md"
    readme.write_text(readme.read_text().replace(f"** {__version__}", "** 0.0.1"))
    checked = subprocess.run([*run, "--check"], capture_output=True, text=True, check=False)
    assert checked.returncode == 1
    assert "Kustomization is not current" in checked.stderr
    assert "left-over.yaml is not current" in checked.stderr
    assert "README.md is not current" in checked.stderr


@pytest.mark.parametrize("name", CRD_FILES)
def test_kinds_have_their_names_columns_and_annotations(name: str) -> None:
    crd = crd_documents()[name]
    (version,) = crd["spec"]["versions"]
    assert crd["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/substitute"] == "disabled"
    cluster = crd["spec"]["names"]["kind"].startswith("Cluster")
    assert crd["spec"]["scope"] == ("Cluster" if cluster else "Namespaced")
    assert crd["spec"]["names"]["plural"].startswith("cluster") is cluster
    assert crd["spec"]["names"]["categories"] == ["artifact-index"]
    assert version["subresources"] == {"status": {}}
    root = version["schema"]["openAPIV3Schema"]
    assert root["properties"]["status"]["default"] == {"observedGeneration": -1}
    narrow = [
        each["name"] for each in version["additionalPrinterColumns"] if "priority" not in each
    ]
    counts = ["Namespaces", "Failing"] if "clusterindexoptions" in name else []
    assert narrow == ["Ready", "Reason", "Warning", *counts, "Expires", "Age"]
    assert not cluster or "this namespace" not in str(root)


@pytest.mark.parametrize(
    "annotation",
    [
        float,
        dict[str, Any],
        Annotated[str, Field(max_length=1, multiple_of=2)],
        tuple[str, ...],
    ],
)
def test_a_type_without_structural_schema_is_refused(annotation: Any) -> None:
    class Bad(ApiModel):
        """Bad."""

        field: annotation

    with pytest.raises((UnsupportedTypeError, ValueError)):
        object_schema(Bad)


def test_the_reference_names_every_field_and_reason() -> None:
    text = reference_markdown()
    for param in NODES:
        path, _ = param.values
        if not path.endswith(("[]", "{}")) and "." in path:
            assert f"| `{path.rpartition('.')[2]}` |" in text
    for reason, doc in REASONS.items():
        assert f"| `{reason}` |" in text and doc.remedy in text


EXAMPLES = sorted((TOP / "examples").glob("*.yaml"))


def test_examples_name_their_index_show_their_login_and_hold_no_secret() -> None:
    documents = [each for path in EXAMPLES for each in yaml.safe_load_all(path.read_text())]
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for document in documents:
        by_kind.setdefault(document["kind"], []).append(document)
    settings = {"name", "priority", "explicit", "excludeNewer"}
    sources = [next(iter(set(index["spec"]) - settings)) for index in by_kind["ArtifactIndex"]]
    assert all(index["spec"]["name"] for index in by_kind["ArtifactIndex"])
    assert len(set(sources)) == len(sources) == len(Sources.model_fields)
    shown = {
        key: index["spec"] for key, index in zip(sources, by_kind["ArtifactIndex"], strict=True)
    }
    for source in ("codeArtifact", "googleArtifactRegistry"):
        assert "secretRef" in shown[source][source]["auth"]
    for secret in by_kind["Secret"]:
        assert secret["metadata"]["labels"] == {"artifactindex.dev/role": "source"}
        assert any("REPLACE_ME" in value for value in secret["stringData"].values())
