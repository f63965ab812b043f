"""How deep imports go: the longest chain of units that import one another."""

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from tools.syntax.tree import Module

Graph = Mapping[str, frozenset[str]]
"""For each unit the units that it imports."""
Depth = Callable[[Sequence[Module], str], int]
"""Measures a package, given all modules and its dotted name. Raises ImportCycleError."""


class ImportCycleError(Exception):
    """Units import one another in a cycle, which has no depth; the message names them."""


def depth_by_child(modules: Sequence[Module], package: str) -> int:
    """Depth of a package in which each sub-package, and each module beside them, is one unit."""
    level = package.count(".") + 2

    def child(name: str) -> str:
        return ".".join(name.split(".")[:level])

    return depth(import_graph(modules, package, child))


def depth_by_file(modules: Sequence[Module], package: str) -> int:
    """Depth of a package in which each file is one unit."""
    return depth(import_graph(modules, package, lambda name: name))


def depth(graph: Graph) -> int:
    """Units in the longest chain; 0 for no units. Raises ImportCycleError."""
    floors: dict[str, int] = {}
    try:
        for unit in TopologicalSorter(graph).static_order():
            floors[unit] = 1 + max((floors[below] for below in graph[unit]), default=0)
    except CycleError as error:
        raise ImportCycleError(" imports ".join(error.args[1])) from None
    return max(floors.values(), default=0)


def import_graph(modules: Sequence[Module], package: str, unit_of: Callable[[str], str]) -> Graph:
    """Imports between the units of a package, also those that only types need.

    The `__init__.py` of the package is not a unit.
    """
    names = {module.name for module in modules}
    inside = [module for module in modules if module.name.startswith(f"{package}.")]
    graph: dict[str, set[str]] = {unit_of(module.name): set() for module in inside}
    for module in inside:
        unit = unit_of(module.name)
        imported = {unit_of(name) for name in imports(module, names)}
        graph[unit] |= (imported & graph.keys()) - {unit}
    return {unit: frozenset(below) for unit, below in graph.items()}


def imports(module: Module, names: set[str]) -> Iterator[str]:
    """Names of the modules of the tree (`names`) that a module imports, anywhere in it."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(module, node)
            # `from a import b` is the module a.b where there is one.
            candidates = (f"{origin}.{alias.name}" for alias in node.names)
            yield from (each if each in names else origin for each in candidates)


def _origin(module: Module, node: ast.ImportFrom) -> str:
    if node.level == 0:
        return node.module or ""
    base = module.package[: len(module.package) - node.level + 1]
    return ".".join((*base, *filter(None, [node.module])))
