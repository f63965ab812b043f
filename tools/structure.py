"""Print the figures of the operator's structure beside their bounds.

python tools/structure.py           measures this checkout; exits with 1 if a figure is too high
python tools/structure.py FOLDER    measures another source root, such as that of another commit

Every figure is read from the syntax trees; no list of names has to be kept. The modules of
`tools/syntax/` say what each one counts.
"""

import argparse
import math
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TOP)]

from tools.syntax import imports, variants  # noqa: E402 - needs the path
from tools.syntax.branches import branching_functions  # noqa: E402 - needs the path
from tools.syntax.tree import Function, Module, classes, read_tree  # noqa: E402 - needs the path

PACKAGE = "artifact_index"
RECONCILE = f"{PACKAGE}.reconcile"
CLOUD = "google"
"""The newest cloud: a file that names it must also name the next cloud."""

FLAT_FOLDER = "modules in the largest folder"
DEPTH = "import depth of reconcile, by folder"
FILE_DEPTH = "import depth by file in"
AMBIGUOUS = "classes named Login"
ARGUMENTS = "arguments of a constructor, most"
BRANCHES = "functions that branch on a source or request kind"
BRANCH_FILES = "files with such functions"
CLOUD_FILES = "files that know a cloud, but for its own"
FORMAT_FILES = "files that know an output format, but for its own"
SETTING_FILES = "files that know a setting, most"
REASON_FILES = "files that define, document or group a reason, most"
LONGEST = "lines of the longest file"
LINES = "lines in all"

BOUNDS = {
    FLAT_FOLDER: 14,
    DEPTH: 6,
    f"{FILE_DEPTH} reconcile/": 5,
    AMBIGUOUS: 0,
    ARGUMENTS: 6,
    BRANCHES: 6,
    BRANCH_FILES: 3,
    CLOUD_FILES: 5,
    FORMAT_FILES: 2,
    SETTING_FILES: 2,
    REASON_FILES: 2,
    LONGEST: 320,
    LINES: 34_700,
}
"""The highest value of each figure. A name that ends in `/` is for every folder below that one.

Lines were 16,500 when this structure was built; what the operator does since then is in them.
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure; `where` names what was counted, or what is above the bound."""

    name: str
    now: float
    where: tuple[str, ...] = ()

    @property
    def bound(self) -> int | None:
        """The highest value allowed; None if the figure is only printed."""
        folders = (name for name in BOUNDS if name.endswith("/") and self.name.startswith(name))
        return BOUNDS.get(next(folders, self.name))

    @property
    def broken(self) -> bool:
        """Whether the value is above the bound."""
        return self.bound is not None and self.now > self.bound


def figures(root: Path) -> list[Figure]:
    """Measure every figure of the operator below a source root."""
    modules = read_tree(root)
    return [
        largest_folder(modules),
        _depth(DEPTH, modules, RECONCILE, imports.depth_by_child),
        *_depths_by_file(modules),
        ambiguous_classes(modules),
        widest_constructor(modules),
        *_branches(modules),
        *_variants(modules),
        _longest_file(modules),
        Figure(LINES, sum(module.lines for module in modules)),
    ]


def largest_folder(modules: Sequence[Module]) -> Figure:
    """Count the modules of the fullest folder, without its `__init__.py`."""
    sizes = Counter("/".join(module.package) for module in modules if not module.is_package)
    (folder, size), *_ = sizes.most_common(1)
    return Figure(FLAT_FOLDER, size, (f"{folder}/",))


def ambiguous_classes(modules: Sequence[Module]) -> Figure:
    """Count the classes named Login, a name that once meant three things."""
    found = [module for module in modules for each in classes(module) if each.name == "Login"]
    return Figure(AMBIGUOUS, len(found), _paths(found))


def widest_constructor(modules: Sequence[Module]) -> Figure:
    """Count the arguments of the widest `__init__` written by hand, without `self`."""
    widths = {
        f"{module.path}: {each.name}": _width(node)
        for module in modules
        for each in classes(module)
        for node in each.body
        if isinstance(node, Function) and node.name == "__init__"
    }
    most = max(widths.values(), default=0)
    over = (f"{name} has {width}" for name, width in widths.items() if width > BOUNDS[ARGUMENTS])
    return Figure(ARGUMENTS, most, tuple(over))


def table(found: Sequence[Figure]) -> str:
    """Format the figures as text: mark those above their bound, and name the causes below."""
    width = max(len(each.name) for each in found)
    lines = [f"{'figure':{width}} |    now |  bound", f"{'-' * width}-|--------|-------"]
    for each in found:
        bound = "" if each.bound is None else f"{each.bound:,}"
        mark = "  broken" if each.broken else ""
        now = "cycle" if math.isinf(each.now) else f"{each.now:,}"
        lines.append(f"{each.name:{width}} | {now:>6} | {bound:>6}{mark}".rstrip())
    for each in found:
        if each.broken and each.where:
            lines += ["", f"{each.name}:", *(f"  {line}" for line in each.where)]
    return "\n".join(lines)


def _depth(name: str, modules: Sequence[Module], package: str, measure: imports.Depth) -> Figure:
    try:
        return Figure(name, measure(modules, package))
    except imports.ImportCycleError as cycle:
        return Figure(name, math.inf, (str(cycle),))


def _depths_by_file(modules: Sequence[Module]) -> Iterator[Figure]:
    """Measure every package but the outermost."""
    for module in modules:
        folder = "/".join(module.package[1:])
        if module.is_package and folder:
            yield _depth(f"{FILE_DEPTH} {folder}", modules, module.name, imports.depth_by_file)


def _branches(modules: Sequence[Module]) -> list[Figure]:
    found = branching_functions(modules)
    files = Counter(path for path, _ in found)
    return [
        Figure(BRANCHES, len(found), tuple(f"{path}: {name}" for path, name in found)),
        Figure(
            BRANCH_FILES, len(files), tuple(f"{path}: {count}" for path, count in files.items())
        ),
    ]


def _variants(modules: Sequence[Module]) -> list[Figure]:
    """Leave out the first format: as the default of an output, it is named where no other is."""
    cloud = variants.files_that_know_a_cloud(modules, CLOUD)
    _, *others = variants.files_that_know_a_format(modules).items()
    return [
        Figure(CLOUD_FILES, len(cloud), tuple(cloud)),
        _worst(FORMAT_FILES, dict(others)),
        _worst(SETTING_FILES, variants.files_that_know_a_setting(modules)),
        _worst(REASON_FILES, variants.files_that_classify_a_reason(modules)),
    ]


def _worst(name: str, known: variants.Files) -> Figure:
    over = {each: files for each, files in known.items() if len(files) > BOUNDS[name]}
    where = (f"{each}: {', '.join(files)}" for each, files in over.items())
    return Figure(name, max(map(len, known.values()), default=0), tuple(where))


def _longest_file(modules: Sequence[Module]) -> Figure:
    over = [module for module in modules if module.lines > BOUNDS[LONGEST]]
    return Figure(LONGEST, max(module.lines for module in modules), _paths(over))


def _width(function: Function) -> int:
    given = function.args
    named = len([*given.posonlyargs, *given.args, *given.kwonlyargs])
    return named + (given.vararg is not None) + (given.kwarg is not None) - 1


def _paths(modules: Sequence[Module]) -> tuple[str, ...]:
    return tuple(str(module.path) for module in modules)


def main() -> int:
    """Print the table and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=TOP / "operator")
    found = figures(parser.parse_args().folder)
    sys.stdout.write(table(found) + "\n")
    return 1 if any(each.broken for each in found) else 0


if __name__ == "__main__":
    sys.exit(main())
