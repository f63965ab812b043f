"""The page on architecture names code that exists, its recipes the files that know a variant."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from tools.structure import (
    BOUNDS,
    CLOUD,
    CLOUD_FILES,
    FORMAT_FILES,
    PACKAGE,
    REASON_FILES,
    SETTING_FILES,
)
from tools.syntax.tree import Function, Module, read_tree
from tools.syntax.variants import (
    files_that_classify_a_reason,
    files_that_know_a_cloud,
    files_that_know_a_format,
    files_that_know_a_setting,
)

pytestmark = pytest.mark.unit

TOP = Path(__file__).parents[3]
OPERATOR = TOP / "operator" / PACKAGE
PAGE = (TOP / "docs" / "explanation" / "architecture.md").read_text()
JOURNEYS = {
    "A change": "reconcile/status/writer.py",
    "One definition, many namespaces": "reconcile/cluster/last_good.py",
    "A refresh": "reconcile/controller.py",
    "A restart": "reconcile/state/restore.py",
    "A takeover": "reconcile/apply/versions.py",
}
"""Each journey with a file near its end."""

CODE = re.compile(r"`([^`\n]+)`")
CODE_PATH = re.compile(r"([a-z_\d]+/)*[a-z_\d]+\.py(:[\w.]+)?")
CODE_FOLDER = re.compile(r"([a-z_\d]+/)+")


@cache
def _modules() -> list[Module]:
    """Read at the first use: every worker of the tests imports this, and one runs it."""
    return read_tree(TOP / "operator")


def _section(title: str) -> str:
    """The text from a heading to the next of its level or above."""
    start = re.search(rf"^(#+) {re.escape(title)}.*$", PAGE, re.MULTILINE)
    assert start is not None, title
    level = len(start[1])
    rest = PAGE[start.end() :]
    end = re.search(rf"^#{{1,{level}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def _spans(text: str) -> set[str]:
    """What stands in code font, outside of blocks of code."""
    return set(CODE.findall(re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)))


def _file(name: str) -> Path:
    return next((top / name for top in (OPERATOR, TOP) if (top / name).exists()), OPERATOR / name)


# -- files and functions


@pytest.mark.parametrize("name", sorted(filter(CODE_PATH.fullmatch, _spans(PAGE))))
def test_a_file_and_what_is_named_in_it_exist(name: str) -> None:
    file, _, member = name.partition(":")
    path = _file(file)
    assert path.is_file()
    if member:
        assert member in _members(path)


@cache
def _members(path: Path) -> frozenset[str]:
    """The functions and classes of a file, and the methods of its classes as `Class.method`."""
    return frozenset(_defined(ast.parse(path.read_text()).body, ""))


def _defined(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, Function | ast.ClassDef):
            yield prefix + node.name
        if isinstance(node, ast.ClassDef):
            yield from _defined(node.body, f"{prefix}{node.name}.")


@pytest.mark.parametrize("name", sorted(filter(CODE_FOLDER.fullmatch, _spans(PAGE))))
def test_a_folder_exists(name: str) -> None:
    assert _file(name).is_dir() or (TOP / "operator" / name).is_dir()


def test_the_layers_show_every_module_and_folder_of_the_package() -> None:
    shown = set(re.findall(r"[a-z_]+(?:\.py|/)", _section("Layers")))
    for folder in (OPERATOR, OPERATOR / "reconcile", OPERATOR / "credentials"):
        names = {f"{each.name}/" for each in folder.iterdir() if any(each.glob("*.py"))}
        names |= {each.name for each in folder.glob("*.py") if not each.name.startswith("__")}
        # Small helpers of the clouds' clients need no line.
        assert names - shown <= {"sdk_logs.py", "backoff.py", "clock.py", "http_dates.py"}


@pytest.mark.parametrize("journey", JOURNEYS)
def test_a_journey_is_a_list_of_steps_that_name_their_code(journey: str) -> None:
    text = _section(journey)
    steps = re.split(r"^\d+\. ", text, flags=re.MULTILINE)[1:]
    assert len(steps) >= 5
    assert any(name.startswith(JOURNEYS[journey]) for name in _spans(text))
    assert [int(number) for number in re.findall(r"^(\d+)\. ", text, re.MULTILINE)] == [
        *range(1, len(steps) + 1)
    ]


# -- the glossary

GLOSSARY = (TOP / "docs" / "reference" / "glossary.md").read_text()
TERMS = re.findall(r"^\| (.+?) \| (.+) \|$", GLOSSARY, re.MULTILINE)[2:]


@pytest.mark.parametrize("term", [term for term, _ in TERMS if "`" in term])
def test_a_term_in_code_font_is_a_name_in_the_operator(term: str) -> None:
    assert _spans(term) <= _names()[0]


@pytest.mark.parametrize("meaning", [meaning for _, meaning in TERMS if "`" in meaning])
def test_a_meaning_uses_names_of_the_operator_or_of_its_api(meaning: str) -> None:
    names, words = _names()
    used = {name for name in _spans(meaning) if re.fullmatch(r"[A-Za-z_]+", name)}
    unknown = {name for name in used - names - words if _snake(name) not in names}
    assert unknown == set()


def test_the_terms_stand_in_order() -> None:
    terms = [re.sub("[`(].*", "", term.lstrip("`")).strip().lower() for term, _ in TERMS]
    assert len(terms) > 50
    assert terms == sorted(terms)


def _snake(name: str) -> str:
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", name).lower()


@cache
def _names() -> tuple[frozenset[str], frozenset[str]]:
    """What the operator defines (classes, functions, fields, types), and its literals."""
    names, words = set(), set()
    for node in (node for module in _modules() for node in ast.walk(module.tree)):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                names.add(name)
            case ast.AsyncFunctionDef(name=name) | ast.AnnAssign(target=ast.Name(name)):
                names.add(name)
            case ast.Assign(targets=[ast.Name(name)]) if name[:1].isupper():  # an alias of a type
                names.add(name)
            case ast.Constant(str(text)):
                words.add(text)
    return frozenset(names), frozenset(words)


# -- the recipes


@dataclass(frozen=True)
class Recipe:
    """Its heading, the files that know an existing variant, and that variant's own names."""

    title: str
    known: Callable[[], list[str]]
    bound: int
    new: dict[str, str]


def _in_operator(files: list[str]) -> list[str]:
    return [file.removeprefix(f"{PACKAGE}/") for file in files]


def _cloud_files() -> list[str]:
    """A cloud is named in the import contracts and in the dependencies, too."""
    assert f"{PACKAGE}.credentials.{CLOUD}" in (TOP / "pyproject.toml").read_text()
    return [*_in_operator(files_that_know_a_cloud(_modules(), CLOUD)), "pyproject.toml"]


def _data(name: str) -> list[str]:
    """The data files of the package with an entry of this name."""
    found = [path for path in OPERATOR.rglob("*.yaml") if f"\n{name}:" in path.read_text()]
    return [path.relative_to(OPERATOR).as_posix() for path in found]


RECIPES = [
    Recipe(
        "Add a source",
        _cloud_files,
        BOUNDS[CLOUD_FILES],
        {"NAME": "google_artifact_registry", "CLOUD": CLOUD},
    ),
    Recipe(
        "Add an output format",
        lambda: _in_operator(files_that_know_a_format(_modules())["PdmToml"]),
        BOUNDS[FORMAT_FILES],
        {"NAME": "pdm_toml"},
    ),
    Recipe(
        "Add a setting",
        lambda: _in_operator(files_that_know_a_setting(_modules())["workers"]),
        BOUNDS[SETTING_FILES],
        {},
    ),
    Recipe(
        "Add a reason",
        lambda: [
            *_in_operator(files_that_classify_a_reason(_modules())["ACCESS_DENIED"]),
            *_data("AccessDenied"),
        ],
        BOUNDS[REASON_FILES],
        {},
    ),
]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.title)
def test_a_recipe_edits_the_files_that_know_an_existing_variant(recipe: Recipe) -> None:
    known = recipe.known()
    assert sorted(_files_of(recipe, "edit")) == sorted(known)
    assert len(known) <= recipe.bound


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.title)
def test_a_recipe_s_new_files_are_those_of_an_existing_variant(recipe: Recipe) -> None:
    for file in _files_of(recipe, "new"):
        for placeholder, name in recipe.new.items():
            file = file.replace(placeholder, name)
        assert (OPERATOR / file).is_file()


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.title)
def test_a_recipe_s_heading_counts_its_files(recipe: Recipe) -> None:
    edited, new = len(_files_of(recipe, "edit")), len(_files_of(recipe, "new"))
    counts = f"{edited} edited, {new} new" if new else f"{edited} edited"
    assert f"### {recipe.title} ({counts})\n" in PAGE


def test_a_source_without_a_cloud_is_known_in_the_two_files_that_the_recipe_says() -> None:
    known = _in_operator(files_that_know_a_cloud(_modules(), "preauthenticated"))
    assert known == ["api/artifact_index.py", "sources/registry.py"]
    assert set(known) <= set(_files_of(RECIPES[0], "edit"))


def _files_of(recipe: Recipe, kind: str) -> list[str]:
    return re.findall(rf"^\| {kind} \| `([^`]+)` \|", _section(recipe.title), re.MULTILINE)
