"""Reads manifests from files, folders and standard input, and remembers where each field stands."""

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from artifact_index.api.constants import (
    API_VERSION,
    CLUSTER_ARTIFACT_INDEX_KIND,
    CLUSTER_INDEX_OPTIONS_KIND,
)
from artifact_index.cli.console import CommandError, Exit

_SUFFIXES: Final = (".yaml", ".yml", ".json")
_OF_CLUSTER_SCOPE: Final = {
    ("v1", "Namespace"),
    (API_VERSION, CLUSTER_ARTIFACT_INDEX_KIND),
    (API_VERSION, CLUSTER_INDEX_OPTIONS_KIND),
}
_QUOTED: Final = re.compile("'.*'")
_STEP: Final = re.compile(r"[^.\[\]]+")


class _Loader(yaml.CSafeLoader):
    """YAML as kubectl reads it: a time stays the text that it is."""


_Loader.yaml_implicit_resolvers = {
    first: [each for each in resolvers if each[0] != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object of a file; `file` is `-` for standard input."""

    body: dict[str, Any]
    file: str
    node: yaml.MappingNode = field(repr=False)

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """`apiVersion`, kind, namespace and name, by which the API server knows an object."""
        kind = str(self.body.get("apiVersion")), str(self.body.get("kind"))
        return *kind, self.namespace, self.name

    @property
    def namespace(self) -> str:
        """The namespace; empty if the manifest leaves it to whoever applies it, or can have none.

        The API server drops the namespace of an object of cluster scope.
        """
        return "" if self.of_cluster_scope else str(self.metadata.get("namespace") or "")

    @property
    def of_cluster_scope(self) -> bool:
        """Whether the object is one of ours of cluster scope, or a Namespace."""
        return (self.body.get("apiVersion"), self.body.get("kind")) in _OF_CLUSTER_SCOPE

    def namespace_or(self, default: str) -> str:
        """The namespace into which it is applied by somebody whose default this is."""
        return "" if self.of_cluster_scope else self.namespace or default

    @property
    def name(self) -> str:
        """The name; empty if there is none."""
        return str(self.metadata.get("name") or "")

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata; empty if there is none that could be."""
        found = self.body.get("metadata")
        return found if isinstance(found, dict) else {}

    def line_of(self, path: str) -> int:
        """The line of a field such as `spec.outputs[0].name`, or of what is nearest above it."""
        line, here = self.node.start_mark.line, self.node
        for step in _STEP.findall(path):
            if isinstance(here, yaml.SequenceNode) and step.isdigit():
                if int(step) >= len(here.value):
                    break
                here = here.value[int(step)]
                line = here.start_mark.line
                continue
            if not isinstance(here, yaml.MappingNode):
                break
            # Of a field that is given twice, the second counts.
            found = next((pair for pair in reversed(here.value) if pair[0].value == step), None)
            if found is None:
                break
            line, here = found[0].start_mark.line, found[1]
        return line + 1


def repeated_fields(node: yaml.Node, path: str = "") -> Iterator[str]:
    """The fields that are given twice in one mapping; kubectl refuses them."""
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from repeated_fields(item, f"{path}[{number}]")
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not node.start_mark.index <= key.start_mark.index < node.end_mark.index:
                continue  # merged from another mapping (`<<`), whose fields may be given anew
            below = f"{path}.{key.value}".lstrip(".")
            if key.value in seen:
                yield below
            seen.add(key.value)
            yield from repeated_fields(value, below)


def read_manifests(paths: Sequence[str], *, recursive: bool) -> list[Manifest]:
    """Every object of these files and folders, in order; `-` is standard input.

    Raises CommandError for what cannot be read.
    """
    return [manifest for path in paths for manifest in _read(path, recursive=recursive)]


def _read(path: str, *, recursive: bool) -> Iterator[Manifest]:
    for name, text in _texts(path, recursive=recursive):
        try:
            yield from _parse(name, text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f"{name}:{mark.line + 1}" if mark is not None else name
            # What stands in quotes may be a part of a login: `password: !secret` reads as a tag.
            why = getattr(error, "problem", None) or getattr(error, "reason", None)
            what = _QUOTED.sub("'…'", str(why or "it cannot be parsed"))
            raise CommandError(f"{where} is not YAML: {what}; correct it", Exit.USAGE) from None


def _texts(path: str, *, recursive: bool) -> Iterator[tuple[str, str]]:
    """Names and contents of the files."""
    if path == "-":
        if sys.stdin is None:
            raise CommandError("standard input is closed; pipe manifests to -f -", Exit.USAGE)
        yield path, _decoded("standard input", sys.stdin.buffer.read)
        return
    folder = Path(path)
    files = [folder]
    if folder.is_dir():
        found = folder.rglob("*") if recursive else folder.glob("*")
        files = sorted(each for each in found if each.suffix in _SUFFIXES and each.is_file())
        if not files:
            more = "" if recursive else "; give -R to look into its folders"
            raise CommandError(
                f"{path} holds no manifests ({', '.join(_SUFFIXES)}){more}", Exit.USAGE
            )
    for file in files:
        yield str(file), _decoded(str(file), file.read_bytes)


def _decoded(name: str, read: Callable[[], bytes]) -> str:
    """The text, which is UTF-8 whatever the locale is."""
    try:
        return read().decode()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise CommandError(f"{name} cannot be read: {why}", Exit.USAGE) from None


def _parse(name: str, text: str) -> Iterator[Manifest]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node: Any = loader.get_node()
            try:
                body = loader.construct_document(node)
                json.dumps(body)
            except (TypeError, ValueError, RecursionError):
                where = f"{name}:{node.start_mark.line + 1}"
                what = "a set, a binary, a key that is no text, or too many levels"
                raise CommandError(
                    f"{where} begins a document that JSON cannot express ({what}); correct it",
                    Exit.USAGE,
                ) from None
            yield from _objects(name, node, body)
    finally:
        loader.dispose()


def _objects(name: str, node: Any, body: Any) -> Iterator[Manifest]:
    """The objects of a document: one, those of a List, or none of what is no manifest."""
    if not isinstance(body, dict) or "kind" not in body:
        return
    if not isinstance(body.get("items"), list):
        yield Manifest(body, name, node)
        return
    (items,) = (value for key, value in node.value if key.value == "items")
    for item_node, item in zip(items.value, body["items"], strict=True):
        yield from _objects(name, item_node, item)


def without_nulls(value: Any) -> Any:
    """The API server drops a field that is null before it looks at the rest."""
    if isinstance(value, list):
        return [without_nulls(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {str(key): without_nulls(each) for key, each in value.items() if each is not None}
