"""A folder of Python as syntax trees."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Module:
    """One file. `path` is relative to the source root; `name` is the dotted name."""

    path: PurePosixPath
    lines: int
    tree: ast.Module

    @property
    def name(self) -> str:
        """The dotted name: `a.b` for a/b.py and for a/b/__init__.py."""
        return ".".join(self.package if self.is_package else self.path.with_suffix("").parts)

    @property
    def is_package(self) -> bool:
        """Whether this is an `__init__.py`."""
        return self.path.name == "__init__.py"

    @property
    def package(self) -> tuple[str, ...]:
        """Names of the folders that hold the file."""
        return self.path.parent.parts


def read_tree(root: Path) -> list[Module]:
    """Every module below a source root, by path."""
    return [_read(root, path) for path in sorted(root.rglob("*.py"))]


def _read(root: Path, path: Path) -> Module:
    text = path.read_text()
    return Module(
        PurePosixPath(path.relative_to(root).as_posix()), len(text.splitlines()), ast.parse(text)
    )


def classes(module: Module) -> Iterator[ast.ClassDef]:
    """Every class of a module, nested ones too."""
    return (node for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef))


def functions(module: Module) -> Iterator[tuple[str, Function]]:
    """Every function of a module with its qualified name, nested ones too."""
    return _functions(module.tree, "")


def _functions(parent: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, Function):
            yield prefix + node.name, node
        if isinstance(node, Function | ast.ClassDef):
            yield from _functions(node, f"{prefix}{node.name}.")
        else:
            yield from _functions(node, prefix)


def without_docstrings(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node except the strings that are statements: docstrings, also of fields."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        yield node
        pending.extend(ast.iter_child_nodes(node))
