"""The figures of the operator's structure stay within their bounds, and see what they should."""

from pathlib import Path

import pytest
from tools.structure import (
    AMBIGUOUS,
    ARGUMENTS,
    BOUNDS,
    BRANCH_FILES,
    BRANCHES,
    CLOUD_FILES,
    DEPTH,
    FILE_DEPTH,
    FLAT_FOLDER,
    FORMAT_FILES,
    LINES,
    LONGEST,
    REASON_FILES,
    RECONCILE,
    SETTING_FILES,
    Figure,
    figures,
    table,
)
from tools.syntax.branches import branching_functions, kinds_of
from tools.syntax.imports import depth_by_file
from tools.syntax.tree import read_tree
from tools.syntax.variants import (
    files_that_classify_a_reason,
    files_that_know_a_cloud,
    files_that_know_a_format,
    files_that_know_a_setting,
)

pytestmark = pytest.mark.unit

OPERATOR = Path(__file__).parents[2] / "operator"

Tree = dict[str, str]
"""Text by path below the package."""

SMALL: Tree = {
    "__init__.py": "",
    "api/__init__.py": "",
    "api/sources.py": """
class CodeArtifactSource:
    region: str

class GoogleArtifactRegistrySource:
    project: str

class BasicAuthSource:
    url: str
""",
    "api/artifact_index.py": """
from artifact_index.api.sources import (
    BasicAuthSource, CodeArtifactSource, GoogleArtifactRegistrySource
)

class ArtifactIndexSpec:
    code_artifact: Annotated[CodeArtifactSource | None, SHARED] = None
    google_artifact_registry: Annotated[GoogleArtifactRegistrySource | None, SHARED] = None
    basic_auth: BasicAuthSource | None = None
""",
    "api/index_options.py": 'OutputFormat = Literal["UvToml", "Netrc", "PdmToml"]',
    "api/reasons.py": """
class Reason(StrEnum):
    SECRET_NOT_FOUND = reason("SecretNotFound", retry=True)
    SUSPENDED = "Suspended"
""",
    "credentials/__init__.py": "",
    "credentials/requests.py": """
class CodeArtifactTokenRequest:
    provider: str = field(default="codeartifact-token", init=False)

class GoogleTokenRequest:
    provider: str = field(default="google-token", init=False)

TokenRequest = CodeArtifactTokenRequest | GoogleTokenRequest
""",
    "formats/__init__.py": "",
    "formats/pdm_toml.py": 'NAME = "PdmToml"',
    "formats/registry.py": "from artifact_index.formats import pdm_toml",
    "reconcile/__init__.py": "",
    "reconcile/cache/__init__.py": "",
    "reconcile/cache/objects.py": "",
    "reconcile/controller.py": "from artifact_index.reconcile.cache import objects",
    "settings.py": "class Settings:\n    workers: int = 16\n",
    "wiring.py": "def build(settings):\n    return settings.workers\n",
}


def _tree(folder: Path, changes: Tree) -> Path:
    for name, text in (SMALL | changes).items():
        path = folder / "artifact_index" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def _figure(folder: Path, changes: Tree, name: str) -> Figure:
    return next(each for each in figures(_tree(folder, changes)) if each.name == name)


def _chain(folder: str, length: int) -> Tree:
    """Modules of which each imports the next."""
    package = ".".join(("artifact_index", *folder.rstrip("/").split("/")))
    return {
        f"{folder}m{i}.py": f"import {package}.m{i + 1}" if i + 1 < length else ""
        for i in range(length)
    }


# -- the operator


def test_the_operator_keeps_its_figures() -> None:
    found = figures(OPERATOR)

    assert not [each.name for each in found if each.broken], "\n" + table(found)


def test_every_bound_is_that_of_a_figure(tmp_path: Path) -> None:
    found = {each.name for each in figures(_tree(tmp_path, {}))}

    assert {name for name in BOUNDS if not name.endswith("/")} <= found
    assert f"{FILE_DEPTH} reconcile/cache" in found


def test_the_variants_of_the_operator_are_found() -> None:
    """Without them its figures would be low for the wrong reason."""
    modules = read_tree(OPERATOR)
    kinds = kinds_of(modules)

    assert {"CodeArtifactSource", "GoogleTokenRequest"} < kinds.classes
    assert {"code_artifact", "basic_auth", "anonymous"} < kinds.fields
    assert {"googleArtifactRegistry", "google-token"} < kinds.literals
    assert len(files_that_know_a_format(modules)) >= 6
    assert len(files_that_know_a_setting(modules)) >= 30
    assert len(files_that_classify_a_reason(modules)) >= 40
    assert depth_by_file(modules, RECONCILE) > 1


# -- a violation of each figure is seen

_BRANCH = "def f{i}(spec):\n    if spec.basic_auth:\n        return 1\n"

VIOLATIONS: dict[str, tuple[str, Tree, int]] = {
    "a flat folder": (FLAT_FOLDER, {f"kube/m{i}.py": "" for i in range(15)}, 15),
    "folders in a long chain": (
        DEPTH,
        {
            f"reconcile/p{i}/m.py": f"from artifact_index.reconcile.p{i + 1} import m"
            for i in range(6)
        }
        | {"reconcile/p6/m.py": ""},
        7,
    ),
    "a deep folder": (
        f"{FILE_DEPTH} reconcile/cache",
        _chain("reconcile/cache/", 6),
        6,
    ),
    "a Login": (AMBIGUOUS, {"kube/m.py": "class A:\n    class Login:\n        pass\n"}, 1),
    "a wide constructor": (
        ARGUMENTS,
        {"kube/m.py": "class A:\n    def __init__(self, a, b, /, c, *d, e, f=1, **g): ...\n"},
        7,
    ),
    "branches in one file": (
        BRANCHES,
        {"kube/m.py": "".join(_BRANCH.format(i=i) for i in range(7))},
        7,
    ),
    "branches in many files": (
        BRANCH_FILES,
        {f"kube/m{i}.py": _BRANCH.format(i=i) for i in range(4)},
        4,
    ),
    "a cloud in many files": (
        CLOUD_FILES,
        {f"kube/m{i}.py": "def google_host(): ..." for i in range(6)},
        9,
    ),
    "a format in many files": (FORMAT_FILES, {"kube/m.py": 'ORDERED = {"PdmToml": False}'}, 3),
    "a setting in many files": (
        SETTING_FILES,
        {"kube/m.py": "class A:\n    def f(self):\n        return self._settings.workers\n"},
        3,
    ),
    "a reason in many groups": (
        REASON_FILES,
        {
            "crdgen/docs.py": "DOCS = {Reason.SUSPENDED: 'It rests.'}",
            "kube/m.py": "QUIET = frozenset({Reason.SUSPENDED, Reason.SECRET_NOT_FOUND})",
        },
        3,
    ),
    "a long file": (LONGEST, {"kube/m.py": "\n" * 321}, 321),
}


@pytest.mark.parametrize(("name", "changes", "now"), VIOLATIONS.values(), ids=VIOLATIONS)
def test_a_violation_is_seen(name: str, changes: Tree, now: int, tmp_path: Path) -> None:
    assert not _figure(tmp_path / "before", {}, name).broken

    found = _figure(tmp_path / "after", changes, name)

    assert (found.now, found.broken) == (now, True)


def test_every_line_is_counted(tmp_path: Path) -> None:
    before = _figure(tmp_path / "before", {}, LINES)
    files = BOUNDS[LINES] // 300 + 1
    more = {f"kube/m{i}.py": "\n" * 300 for i in range(files)}
    after = _figure(tmp_path / "after", more, LINES)

    assert after.now == before.now + 300 * files
    assert (before.broken, after.broken) == (False, True)


def test_a_cycle_of_folders_has_no_depth(tmp_path: Path) -> None:
    back = {"reconcile/cache/objects.py": "from artifact_index.reconcile import controller"}
    found = figures(_tree(tmp_path, back))

    depth = next(each for each in found if each.name == DEPTH)
    assert depth.broken
    assert "artifact_index.reconcile.cache imports artifact_index.reconcile.controller" in table(
        found
    )


@pytest.mark.parametrize(
    "line",
    [
        "from artifact_index.reconcile.cache import objects",
        "from artifact_index.reconcile.cache.objects import Index",
        "import artifact_index.reconcile.cache.objects",
        "from .cache import objects",
        "from . import cache",
        "def f():\n    from artifact_index.reconcile.cache import objects",
        "if TYPE_CHECKING:\n    from artifact_index.reconcile import cache",
    ],
)
def test_every_form_of_import_is_followed(line: str, tmp_path: Path) -> None:
    assert _figure(tmp_path, {"reconcile/controller.py": line}, DEPTH).now == 2


# -- what is a branch


@pytest.mark.parametrize(
    "body",
    [
        "if spec.code_artifact: ...",
        "if (source := spec.code_artifact) and source.region: ...",
        "source = spec.code_artifact\n    return source is None",
        "source = spec.code_artifact or spec.google_artifact_registry\n    if not source: ...",
        "return spec.code_artifact or spec.basic_auth",
        "return 1 if spec.basic_auth is not None else 2",
        "return [index for index in indexes if index.spec.basic_auth]",
        "while spec.basic_auth: ...",
        "return bool(spec.publish and spec.basic_auth)",
        "return isinstance(request, GoogleTokenRequest)",
        "return isinstance(request, requests.GoogleTokenRequest | None)",
        "return isinstance(request, TokenRequest)",
        "match request:\n        case GoogleTokenRequest(): ...",
        "return request.provider == 'google-token'",
        "return kind in ('codeArtifact', 'basicAuth')",
        "match kind:\n        case 'codeArtifact': ...",
        "return TABLE[type(request)]",
        "return tables.TABLE.get(request)",
    ],
)
def test_a_branch_on_a_kind_is_seen(body: str, tmp_path: Path) -> None:
    keys = "TABLE = {CodeArtifactTokenRequest: 1, GoogleTokenRequest: 2}"
    changes = {"kube/m.py": f"def f(spec):\n    {body}\n", "kube/tables.py": keys}

    assert branching_functions(read_tree(_tree(tmp_path, changes))) == [
        ("artifact_index/kube/m.py", "f")
    ]


@pytest.mark.parametrize(
    "body",
    [
        "source = spec.code_artifact\n    assert source is not None\n    return source.region",
        "return login(spec.code_artifact)",
        "source = spec.code_artifact\n    return source.auth is None",
        "return 'codeArtifact'",
        "return isinstance(spec, dict)",
        "if settings.basic: ...",
    ],
)
def test_to_use_one_kind_is_no_branch(body: str, tmp_path: Path) -> None:
    changes = {"kube/m.py": f"def f(spec: CodeArtifactSource):\n    {body}\n"}

    assert branching_functions(read_tree(_tree(tmp_path, changes))) == []


def test_a_branch_counts_for_the_function_that_holds_it(tmp_path: Path) -> None:
    text = "class A:\n    def f(self):\n        def g(spec):\n            if spec.basic_auth: ...\n"

    assert branching_functions(read_tree(_tree(tmp_path, {"kube/m.py": text}))) == [
        ("artifact_index/kube/m.py", "A.f.g")
    ]


# -- who knows a variant


def _paths(*names: str) -> list[str]:
    return [f"artifact_index/{name}" for name in names]


def test_a_cloud_s_own_files_and_prose_do_not_count(tmp_path: Path) -> None:
    changes = {
        "credentials/google/client.py": "class GoogleTokens: ...",
        "kube/m.py": '"""Unlike Google."""\n# google\nTEXT = "ask Google for it"\n',
        "kube/n.py": 'FIELD = "spec.googleArtifactRegistry.host"',
    }

    assert files_that_know_a_cloud(read_tree(_tree(tmp_path, changes)), "google") == _paths(
        "api/artifact_index.py", "api/sources.py", "credentials/requests.py", "kube/n.py"
    )


def test_a_format_is_known_by_its_name_and_by_the_import_of_its_module(tmp_path: Path) -> None:
    changes = {"kube/m.py": 'TEXT = "PdmToml knows no order"\n"""PdmToml"""\npdm_toml = 1\n'}

    known = files_that_know_a_format(read_tree(_tree(tmp_path, changes)))

    assert known["PdmToml"] == _paths("api/index_options.py", "formats/registry.py")
    assert known["Netrc"] == _paths("api/index_options.py")


def test_a_setting_is_known_where_it_is_defined_and_read(tmp_path: Path) -> None:
    changes = {"kube/m.py": "def f(pool):\n    return pool.workers\n"}

    known = files_that_know_a_setting(read_tree(_tree(tmp_path, changes)))

    assert known == {"workers": _paths("settings.py", "wiring.py")}


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("QUIET = {'Suspended', 'SecretNotFound'}", True),
        ("def f(r):\n    return r in (Reason.SUSPENDED, Reason.SECRET_NOT_FOUND)", True),
        ("STALLED = {Reason.SUSPENDED: 1, Reason.SECRET_NOT_FOUND: 2}", True),
        (
            "def f(r):\n    match r:\n        case Reason.SUSPENDED | Reason.SECRET_NOT_FOUND: ...",
            True,
        ),
        ("def f(r):\n    return Problem(Reason.SUSPENDED, 'it rests')", False),
        ("def f(r):\n    return r == Reason.SUSPENDED", False),
        ("CODES = {'Rest': Reason.SUSPENDED, 'Gone': Reason.SECRET_NOT_FOUND}", False),
        ("from artifact_index.api.reasons import SECRET_NOT_FOUND, SUSPENDED", False),
    ],
)
def test_who_groups_reasons_has_to_know_a_new_one(line: str, counts: bool, tmp_path: Path) -> None:
    known = files_that_classify_a_reason(read_tree(_tree(tmp_path, {"kube/m.py": line})))

    expected = _paths("api/reasons.py", *(["kube/m.py"] if counts else []))
    assert known == {"SECRET_NOT_FOUND": expected, "SUSPENDED": expected}


def test_reasons_may_be_constants_as_well(tmp_path: Path) -> None:
    changes = {
        "api/reasons.py": "TABLE = (Reason(names.SUSPENDED, 'It rests.'),)",
        "api/reason_names.py": 'SUSPENDED: Final = "Suspended"',
    }

    assert files_that_classify_a_reason(read_tree(_tree(tmp_path, changes))) == {
        "SUSPENDED": _paths("api/reason_names.py", "api/reasons.py")
    }
