"""What holds for the tree as a whole: the source root, the layers, kopf's use, the lock."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from artifact_index.reconcile.cache.cache import Cache
from artifact_index.reconcile.cache.feed import Feed
from artifact_index.reconcile.cache.scope import ClusterScope
from artifact_index.watching import kopf_adapter as handlers
from artifact_index.watching.streams import Streams
from support.reconcile_builders import DIGESTER

pytestmark = pytest.mark.unit

TOP = Path(__file__).parents[3]
PACKAGE = TOP / "operator" / "artifact_index"

# -- the source root


def test_the_source_root_does_not_shadow_the_standard_library() -> None:
    assert not (TOP / "operator" / "__init__.py").exists()
    found = subprocess.run(
        [sys.executable, "-c", "import operator; print(operator.__file__); operator.itemgetter"],
        cwd=TOP,
        env={"PYTHONPATH": "operator:tests:."},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not Path(found.stdout.strip()).is_relative_to(TOP)


def test_every_folder_is_a_package() -> None:
    """import-linter passes over a folder without `__init__.py`, and so would the contracts."""
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert all((folder / "__init__.py").is_file() for folder in folders)


# -- the layers

VIOLATIONS = {
    "the API models use the settings": ("api/duration.py", "import artifact_index.settings"),
    "a renderer knows the credentials": (
        "formats/names.py",
        "from artifact_index.credentials import requests",
    ),
    "credentials write to the API server": (
        "credentials/threads.py",
        "import artifact_index.kube.port",
    ),
    "a source knows another one": (
        "sources/anonymous.py",
        "import artifact_index.sources.basic_auth",
    ),
    "a format knows another one": (
        "formats/netrc.py",
        "import artifact_index.formats.pip_conf",
    ),
    "what formats share knows one of them": (
        "formats/base.py",
        "import artifact_index.formats.uv_toml",
    ),
    "a source reads the cache": (
        "sources/policy.py",
        "import artifact_index.reconcile.cache.cache",
    ),
    "a reconciler knows the controller": (
        "reconcile/options.py",
        "import artifact_index.reconcile.controller",
    ),
    "a reconciler knows the queue": (
        "reconcile/index.py",
        "import artifact_index.reconcile.queue.workqueue",
    ),
    "a plan knows a status": (
        "reconcile/plan/entries.py",
        "import artifact_index.reconcile.status.conditions",
    ),
    "the cache knows kopf": ("reconcile/cache/cache.py", "import kopf"),
    "the token manager knows the metrics library": (
        "credentials/tokens/manager.py",
        "import prometheus_client",
    ),
    "a renderer reads files": ("formats/urls.py", "import pathlib"),
    "a module stands in no layer": ("helpers.py", ""),
}


@pytest.mark.parametrize(("module", "line"), VIOLATIONS.values(), ids=VIOLATIONS)
def test_the_import_contracts_catch(module: str, line: str, tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "operator" / "artifact_index")
    shutil.copy(TOP / "pyproject.toml", tmp_path)
    clean = _lint_imports(tmp_path)
    assert clean.returncode == 0, clean.stdout + clean.stderr

    with (tmp_path / "operator" / "artifact_index" / module).open("a") as file:
        file.write(f"\n{line}\n")
    broken = _lint_imports(tmp_path)

    assert broken.returncode == 1
    assert Path(module).stem in broken.stdout


def _lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=folder,
        env={"PYTHONPATH": "operator"},
        capture_output=True,
        text=True,
        check=False,
    )


# -- start-up


def test_the_operator_starts_without_what_it_may_never_need() -> None:
    """The synchronous client and the clouds' SDKs are half of the memory of a start."""
    probe = "import sys, artifact_index.app; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", probe],
        env={"PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert {"kopf", "kubernetes"} <= loaded
    unneeded = {"boto3", "botocore", "google", "oauthlib", "requests", "websocket"}
    assert not loaded & (unneeded | {"azure", "cryptography", "msal"})


# -- kopf


@pytest.mark.parametrize(
    ("in_cluster", "count"),
    [
        (False, 4),  # ArtifactIndex, IndexOptions, Secrets, ConfigMaps
        (True, 7),  # their twins of cluster scope, and the namespaces
    ],
)
def test_kopf_delivers_events_and_does_nothing_else(in_cluster: bool, count: int) -> None:
    """Its other handlers write annotations and finalizers, or start in quadratic time."""
    cache = Cache(scope=ClusterScope(served=in_cluster))
    feed = Feed(cache, lambda _: None, DIGESTER, lambda _: None, lambda _: None)
    registry = vars(handlers.registry(60, Streams(feed, {}, lambda: None), feed.kinds))
    registered = {kind: len(each.get_all_handlers()) for kind, each in registry.items()}
    assert {kind: count for kind, count in registered.items() if count} == {
        "_activities": 1,  # the login
        "_watching": count,
    }


def test_no_module_registers_another_kind_of_handler() -> None:
    used = {
        (path.name, name)
        for path in PACKAGE.rglob("*.py")
        for name in re.findall(r"\bkopf\.(?:on\.)?(\w+)\(", path.read_text())
        if name in {"create", "update", "delete", "resume", "field", "timer", "daemon", "index"}
        or name in {"event", "login", "startup", "cleanup", "probe", "validate", "mutate"}
    }
    assert used == {("kopf_adapter.py", "event"), ("kopf_adapter.py", "login")}


# -- the lock

Pins = dict[str, tuple[str, bool]]
"""By package: the version, and whether pyproject.toml itself asks for it."""
_PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[^ ]+)", re.MULTILINE)


def _pins(name: str) -> Pins:
    text = (TOP / "requirements" / name).read_text()
    starts = [*_PIN.finditer(text)]
    ends = [*(match.start() for match in starts[1:]), len(text)]
    return {
        match["name"]: (match["version"], "pyproject.toml" in text[match.start() : end])
        for match, end in zip(starts, ends, strict=True)
    }


def _declared(*groups: str) -> dict[str, Requirement]:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())
    entries = list(project["project"]["dependencies"])
    pending = list(groups)
    while pending:
        for entry in project["dependency-groups"][pending.pop()]:
            if isinstance(entry, str):
                entries.append(entry)
            else:
                pending.append(entry["include-group"])
    parsed = [Requirement(entry) for entry in entries]
    return {canonicalize_name(item.name): item for item in parsed}


@pytest.mark.parametrize(("lock", "groups"), [("dev.txt", ["dev"]), ("runtime.txt", [])])
def test_the_lock_pins_what_pyproject_asks_for(lock: str, groups: list[str]) -> None:
    pins, declared = _pins(lock), _declared(*groups)
    asked = {name for name, (_, direct) in pins.items() if direct}
    assert asked == set(declared), "run make lock"
    for name, requirement in declared.items():
        assert requirement.specifier.contains(pins[name][0]), f"{requirement}: run make lock"


def test_both_locks_hold_the_same_versions() -> None:
    everything = _pins("dev.txt")
    for name, (version, _) in _pins("runtime.txt").items():
        assert everything[name][0] == version, "run make lock"


@pytest.mark.parametrize("lock", ["dev.txt", "runtime.txt"])
def test_every_pin_has_hashes_and_no_download_address(lock: str) -> None:
    text = (TOP / "requirements" / lock).read_text()
    assert "://" not in text and "--index-url" not in text and " @ " not in text
    for entry in re.split(r"\n(?=[a-z])", text):
        assert "--hash=sha256:" in entry, entry.partition("\n")[0]
