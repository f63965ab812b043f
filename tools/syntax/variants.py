"""Which files know a variant: a cloud, an output format, a setting or a condition reason.

A tree does not show how many files a new variant needs, but in how many files the existing ones
are named. A name is an identifier, a part of an import, or a literal of one word,
such as "PdmToml" or "spec.googleArtifactRegistry.host". Docstrings, comments and sentences do not
count: a new variant works without them.
"""

import ast
import re
from collections.abc import Iterator, Sequence

from tools.syntax.tree import Function, Module, classes, without_docstrings

Files = dict[str, list[str]]
"""For each variant the files that know it."""


def files_that_know_a_cloud(modules: Sequence[Module], cloud: str) -> list[str]:
    """Files with a cloud's word, such as `google`, in a name.

    Files with the word in their path belong to the cloud and do not count.
    """
    return [
        str(module.path)
        for module in modules
        if cloud not in str(module.path)
        and any(cloud in name.lower() for name in _names(module.tree))
    ]


def files_that_know_a_format(modules: Sequence[Module]) -> Files:
    """For each member of the literal `OutputFormat` the files that name it or import its module.

    The module of PdmToml is pdm_toml, in any folder; it does not count itself.
    """
    names = {str(module.path): set(_names(module.tree)) for module in modules}
    imports = {str(module.path): set(_imported(module.tree)) for module in modules}
    homes = {
        member: re.sub("(?<=[a-z])(?=[A-Z])", "_", member).lower()
        for member in _members_of_literal(modules, "OutputFormat")
    }
    return {
        member: [
            str(module.path)
            for module in modules
            if module.path.stem != home
            and (member in names[str(module.path)] or home in imports[str(module.path)])
        ]
        for member, home in homes.items()
    }


def files_that_know_a_setting(modules: Sequence[Module]) -> Files:
    """For each field of `Settings` its own file and those that read it as `settings.FIELD`.

    Any variable whose name ends in `settings` counts as `Settings`.
    """
    read = {str(module.path): set(_settings_read(module)) for module in modules}
    return {
        name: sorted({home} | {path for path, fields in read.items() if name in fields})
        for home, name in _fields_of_class(modules, "Settings")
    }


def files_that_classify_a_reason(modules: Sequence[Module]) -> Files:
    """For each reason the files that define it, document it, or sort it into a group.

    The first two are those in `api/` and `crdgen/` that name it outside a function. A group is two
    or more reasons beside each other in a set, a tuple, a list, the keys of a mapping, or a
    pattern: whoever adds a reason must consider it. Code that raises a reason or compares with a
    single one does not count: there may be any number of such places.
    """
    known = reasons(modules)
    words = {*known, *known.values()}
    files = {str(module.path): set(_classified(module, words)) for module in modules}
    return {
        name: [path for path, found in files.items() if not found.isdisjoint({name, text})]
        for name, text in known.items()
    }


def reasons(modules: Sequence[Module]) -> dict[str, str]:
    """Every reason: its constant or enum member, and the CamelCase word that conditions show.

    They are the assignments `UPPER_CASE = "CamelCase"` in the modules of `api/` whose name begins
    with `reason`; the word may be the first element of a tuple or the first argument of a call.
    """
    found = {}
    for module in modules:
        if "api" in module.package and module.path.name.startswith("reason"):
            for node in ast.walk(module.tree):
                match node:
                    case ast.Assign(targets=[ast.Name(name)], value=value):
                        pass
                    case ast.AnnAssign(target=ast.Name(name), value=ast.expr() as value):
                        pass
                    case _:
                        continue
                text = _first_word(value)
                if text is not None and re.fullmatch("[A-Z][A-Z0-9_]+", name):
                    found[name] = text
    return found


def _first_word(value: ast.expr) -> str | None:
    match value:
        case ast.Constant(str(text)) if re.fullmatch("([A-Z]+[a-z]+)+[A-Z]*", text):
            return text
        case ast.Tuple(elts=[first, *_]) | ast.Call(args=[first, *_]):
            return _first_word(first)
    return None


def _classified(module: Module, reason_words: set[str]) -> Iterator[str]:
    if {"api", "crdgen"} & set(module.package):
        yield from (word for word in _names_outside_functions(module.tree) if word in reason_words)
    for node in ast.walk(module.tree):
        members = {word for each in _members(node) for word in _names_of(each)} & reason_words
        if len(members) > 1:
            yield from members


def _members(node: ast.AST) -> Iterator[ast.AST]:
    """The members of a display or of an alternative pattern."""
    match node:
        case ast.Set(elts=members) | ast.Tuple(elts=members) | ast.List(elts=members):
            yield from members
        case ast.Dict(keys=keys):
            yield from (key for key in keys if key is not None)
        case ast.MatchOr(patterns=patterns):
            yield from (each.value for each in patterns if isinstance(each, ast.MatchValue))


def _names_outside_functions(tree: ast.AST) -> Iterator[str]:
    pending = [tree]
    while pending:
        node = pending.pop()
        if not isinstance(node, Function | ast.Import | ast.ImportFrom):
            yield from _names_of(node)
            pending.extend(ast.iter_child_nodes(node))


def _names(tree: ast.AST) -> Iterator[str]:
    for node in without_docstrings(tree):
        yield from _names_of(node)


def _names_of(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(name) | ast.Attribute(attr=name) | ast.arg(arg=name):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.keyword(arg=str(name)):
            yield name
        case ast.alias(name=name) | ast.ImportFrom(module=str(name)):
            yield from name.split(".")
        case ast.Constant(str(text)) if text and not re.search(r"\s", text):
            yield text


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.alias | ast.ImportFrom):
            yield from _names_of(node)


def _settings_read(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        match node:
            case ast.Attribute(value=ast.Name(owner) | ast.Attribute(attr=owner), attr=name):
                if owner.endswith("settings"):
                    yield name


def _members_of_literal(modules: Sequence[Module], alias: str) -> list[str]:
    for module in modules:
        for node in module.tree.body:
            match node:
                case ast.Assign(targets=[ast.Name(name)], value=ast.Subscript(slice=members)):
                    if name == alias:
                        parts = ast.walk(members)
                        return [str(each.value) for each in parts if isinstance(each, ast.Constant)]
    return []


def _fields_of_class(modules: Sequence[Module], name: str) -> Iterator[tuple[str, str]]:
    for module in modules:
        for each in classes(module):
            for node in each.body if each.name == name else []:
                if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                    yield str(module.path), node.target.id
