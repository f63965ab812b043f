"""What the last release accepted in a field of `v1alpha1`, this one accepts; defaults stay."""

import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from artifact_index.crdgen.crd import crd_documents
from support.operator_process import REPOSITORY
from support.other_operator import LAST_RELEASE

pytestmark = pytest.mark.unit

NAMES = ("artifactindexes", "indexoptions")
# Where others are allowed than before, more are: a longer text, another choice.
LESS = {"minimum", "minLength", "minItems", "minProperties"}
MORE = {"maximum", "maxLength", "maxItems", "maxProperties"}
CHILDREN = {"properties", "items", "additionalProperties"}
# Rules are tried with the objects of the last release, in tests/cluster/test_upgrade.py.
FREE = {"description", "x-kubernetes-validations"}

Schema = dict[str, Any]


def released(name: str) -> Schema:
    """The definition of the last release."""
    path = f"{LAST_RELEASE}:crds/artifactindex.dev_{name}.yaml"
    found = subprocess.run(
        ["git", "-C", str(REPOSITORY), "show", path], capture_output=True, text=True, check=False
    )
    if found.returncode and os.environ.get("CI") != "true":
        pytest.skip(f"this checkout has no git history: {found.stderr}")
    assert found.returncode == 0, found.stderr
    loaded: Schema = yaml.safe_load(found.stdout)
    return loaded


def root(definition: Schema) -> Schema:
    """The schema of its one version."""
    (version,) = definition["spec"]["versions"]
    assert version["name"] == "v1alpha1"
    schema: Schema = version["schema"]["openAPIV3Schema"]
    return schema


def broken(old: Schema, new: Schema, path: str = "") -> Iterator[str]:
    """What an object of the old schema may say that the new one does not take as it did."""
    for key in (old.keys() | new.keys()) - CHILDREN - FREE:
        if not _holds(key, old.get(key), new.get(key)):
            yield f"{path}: {key} was {old.get(key)} and is {new.get(key)}"
    for name, field in old.get("properties", {}).items():
        if name not in new.get("properties", {}):
            yield f"{path}.{name} is gone"
        else:
            yield from broken(field, new["properties"][name], f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(old.get(key), dict):
            yield from broken(old[key], new.get(key, {}), f"{path}[]")


def _holds(key: str, old: Any, new: Any) -> bool:
    if key in MORE | LESS and old is not None and new is not None:
        return bool(new >= old if key in MORE else new <= old)
    if key in MORE | LESS:
        return new is None
    if key == "enum" and old is not None and new is not None:
        return set(old) <= set(new)
    if key == "required":
        return set(new or ()) <= set(old or ())
    return bool(old == new)


@pytest.mark.parametrize("name", NAMES)
def test_every_field_of_the_last_release_means_what_it_meant(name: str) -> None:
    old, new = released(name), crd_documents()[f"artifactindex.dev_{name}.yaml"]
    for key in ("group", "names", "scope"):
        assert new["spec"][key] == old["spec"][key]
    assert list(broken(root(old), root(new))) == []


BASE: Schema = {
    "type": "object",
    "required": ["url"],
    "properties": {"url": {"type": "string", "maxLength": 10, "enum": ["a", "b"]}},
}


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({"properties": {}}, [".url is gone"]),
        ({"required": ["url", "name"]}, [": required was ['url'] and is ['url', 'name']"]),
        ({"required": []}, []),
        ({"properties": {**BASE["properties"], "new": {"type": "string"}}}, []),
    ],
)
def test_a_broken_promise_is_seen(change: Schema, answer: list[str]) -> None:
    assert list(broken(BASE, BASE | change)) == answer


@pytest.mark.parametrize(
    ("change", "holds"),
    [
        ({"maxLength": 11}, True),
        ({"maxLength": 9}, False),
        ({"minLength": 1}, False),
        ({"enum": ["a", "b", "c"]}, True),
        ({"enum": ["a"]}, False),
        ({"type": "integer"}, False),
        ({"default": "a"}, False),
        ({"pattern": "^a$"}, False),
        ({"description": "Another text."}, True),
    ],
)
def test_a_field_may_only_allow_more(change: Schema, holds: bool) -> None:
    changed = BASE["properties"]["url"] | change
    assert (list(broken(BASE, BASE | {"properties": {"url": changed}})) == []) is holds
