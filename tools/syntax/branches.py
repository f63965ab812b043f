"""Which functions branch on a source kind or on the kind of a token request.

The kinds come from the models: the classes `...Source` below `api/` and `...Request` below
`credentials/`, the unions of them, the fields of a spec that hold a source, with their names in
the API, and the literals that tell requests apart (`provider`).

A function branches if it checks the class (`isinstance`, a class pattern of `match`), if a
condition reads a spec's source field or a variable that holds one, if it compares with the name of
a kind, or if it uses a table whose keys are kinds. An `assert` does not count: it only narrows a
type. A function that takes one kind as an argument does not count either: it belongs to that kind.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tools.syntax.tree import Function, Module, classes, functions

_KIND_CLASS = {"api": re.compile(r"[A-Z]\w*Source"), "credentials": re.compile(r"[A-Z]\w*Request")}


@dataclass(frozen=True, slots=True)
class Kinds:
    """Names by which code can tell one kind from another; `tables` have kinds as keys."""

    classes: frozenset[str]
    fields: frozenset[str]
    literals: frozenset[str]
    tables: frozenset[str] = frozenset()


def kinds_of(modules: Sequence[Module]) -> Kinds:
    """The kinds of sources and requests that the models of a tree define."""
    found = {each.name for module in modules for each in _kind_classes(module)}
    names = found | {name for module in modules for name in _unions(module, found)}
    fields = {name for module in modules for name in _source_fields(module, found)}
    discriminators = {text for module in modules for text in _discriminators(module)}
    literals = discriminators | {_camel(field) for field in fields}
    kinds = Kinds(frozenset(names), frozenset(fields), frozenset(literals))
    tables = frozenset(name for module in modules for name in _tables(module, kinds))
    return replace(kinds, tables=tables)


def branching_functions(modules: Sequence[Module]) -> list[tuple[str, str]]:
    """The functions that branch on a kind, each as its file and its qualified name.

    A function inside another counts for itself.
    """
    kinds = kinds_of(modules)
    return [
        (str(module.path), name)
        for module in modules
        for name, function in functions(module)
        if _branches(function, kinds)
    ]


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _kind_classes(module: Module) -> Iterator[ast.ClassDef]:
    for folder, pattern in _KIND_CLASS.items():
        if folder in module.package:
            yield from (each for each in classes(module) if pattern.fullmatch(each.name))


def _unions(module: Module, kinds: set[str]) -> Iterator[str]:
    """Names of type aliases made of kinds and of other such aliases."""
    known = set(kinds)
    for node in module.tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(name)], value=ast.BinOp() as union):
                members = _names_in(union)
                if members and members <= known:
                    known.add(name)
                    yield name


def _source_fields(module: Module, kinds: set[str]) -> Iterator[str]:
    """Fields of the API models whose type is one source."""
    if "api" not in module.package:
        return
    for each in classes(module):
        for node in each.body:
            match node:
                case ast.AnnAssign(target=ast.Name(name), annotation=annotation):
                    if not kinds.isdisjoint(_names_in(annotation)):
                        yield name


def _discriminators(module: Module) -> Iterator[str]:
    """Literals of a request's `provider`."""
    for each in _kind_classes(module):
        for node in each.body:
            if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "provider":
                yield from _strings_in(node)


def _tables(module: Module, kinds: Kinds) -> Iterator[str]:
    """Names of mappings with two kinds or more among their keys."""
    marks = kinds.classes | kinds.literals | kinds.fields
    for node in module.tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(name)], value=ast.Dict(keys=keys))
                | ast.AnnAssign(target=ast.Name(name), value=ast.Dict(keys=keys))
            ):
                named = {word for key in keys if key for word in _names_in(key) | _strings_in(key)}
                if len(named & marks) > 1:
                    yield name


def _names_in(node: ast.AST) -> set[str]:
    """Identifiers of an expression, also those behind a dot."""
    found = set()
    for each in ast.walk(node):
        match each:
            case ast.Name(name) | ast.Attribute(attr=name):
                found.add(name)
    return found


def _strings_in(node: ast.AST) -> set[str]:
    """String literals of an expression."""
    return {
        each.value
        for each in ast.walk(node)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }


def _own_nodes(function: Function) -> Iterator[ast.AST]:
    """The nodes of a function without those of the functions inside it, and without asserts."""
    pending: list[ast.AST] = list(function.body)
    while pending:
        node = pending.pop()
        if not isinstance(node, Function | ast.ClassDef | ast.Assert):
            yield node
            pending.extend(ast.iter_child_nodes(node))


def _branches(function: Function, kinds: Kinds) -> bool:
    nodes = list(_own_nodes(function))
    holders = _variables_of_sources(nodes, kinds)
    return any(
        _asks_for_class(node, kinds)
        or _uses_table(node, kinds)
        or any(_tells_apart(test, kinds, holders) for test in _conditions(node))
        for node in nodes
    )


def _asks_for_class(node: ast.AST, kinds: Kinds) -> bool:
    match node:
        case ast.Call(func=ast.Name("isinstance"), args=[_, asked]):
            return not _names_in(asked).isdisjoint(kinds.classes)
        case ast.MatchClass(cls=asked):
            return not _names_in(asked).isdisjoint(kinds.classes)
    return False


def _uses_table(node: ast.AST, kinds: Kinds) -> bool:
    match node:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name in kinds.tables
    return False


def _variables_of_sources(nodes: Sequence[ast.AST], kinds: Kinds) -> set[str]:
    """Local names bound to a spec's source field."""
    found = set()
    for node in nodes:
        match node:
            case (
                ast.Assign(targets=[ast.Name(name)], value=value)
                | ast.NamedExpr(target=ast.Name(name), value=value)
            ) if _reads_field(value, kinds):
                found.add(name)
    return found


def _reads_field(node: ast.AST, kinds: Kinds) -> bool:
    """The field itself, or the first of several that is set."""
    if isinstance(node, ast.BoolOp):
        return any(_reads_field(each, kinds) for each in node.values)
    return isinstance(node, ast.Attribute) and node.attr in kinds.fields


def _conditions(node: ast.AST) -> Iterator[ast.AST]:
    """What a node decides by."""
    match node:
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            yield test
        case ast.BoolOp(values=values):
            yield from values
        case ast.Compare():
            yield node
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.comprehension(ifs=ifs):
            yield from ifs
        case ast.match_case(pattern=pattern):
            yield pattern


def _tells_apart(test: ast.AST, kinds: Kinds, holders: set[str]) -> bool:
    """Whether a condition asks which kind there is, not what one kind holds."""
    match test:
        case ast.Attribute(attr=attr):
            return attr in kinds.fields
        case ast.Name(name):
            return name in holders
        case ast.NamedExpr(value=value):
            parts = [value]
        case ast.Call(func=ast.Name("bool"), args=parts):
            pass
        case ast.Compare(left=left, comparators=others):
            parts = [left, *others]
        case ast.MatchValue(value=value):
            parts = [value]
        case _:
            return _is_kind_name(test, kinds)
    return any(_tells_apart(part, kinds, holders) for part in parts)


def _is_kind_name(node: ast.AST, kinds: Kinds) -> bool:
    """A literal that names a kind, or a display of such literals."""
    match node:
        case ast.Constant(value):
            return isinstance(value, str) and value in kinds.literals
        case ast.Tuple(elts=members) | ast.Set(elts=members) | ast.List(elts=members):
            return any(_is_kind_name(each, kinds) for each in members)
    return False
