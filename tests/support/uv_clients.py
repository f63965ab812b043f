"""Real uv in pinned versions: fetched once into a cache outside the repository, then run alone.

A run sees no configuration, cache, environment or home directory but its own.
"""

import contextlib
import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

FLOOR = "0.7.0"
"""The oldest supported uv: the first one that stops on 401 and 403."""
EARLY = "0.8.24"
"""After 0.8.3, which takes logins from every index that is defined, shadowed ones too."""
MIDDLE = "0.9.30"
NEWEST = metadata.version("uv")
"""The uv of the development environment."""

VERSIONS = (FLOOR, MIDDLE, NEWEST)
FOUR_VERSIONS = (FLOOR, EARLY, MIDDLE, NEWEST)

_KNOWN = tempfile.TemporaryDirectory(prefix="uv-interpreters-")

RUN_TIMEOUT = 180.0
"""Seconds that one uv command may take."""


def uv_binary(version: str) -> Path:
    """The uv binary of that version, installed from the package index the first time."""
    if version == NEWEST:
        return Path(str(metadata.distribution("uv").locate_file(""))) / _scripts() / "uv"
    target = cache_directory() / "uv" / version
    binary = target / "bin" / "uv"
    if binary.exists():
        return binary
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f"{version}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists():
            _install(version, target)
    return binary


def cache_directory() -> Path:
    """Where downloaded clients live, outside the repository."""
    configured = os.environ.get("ARTIFACT_INDEX_CACHE")
    return Path(configured) if configured else Path.home() / ".cache" / "artifact-index-operator"


def fresh_cache(directory: Path) -> Path:
    """A cache of uv without packages. It knows the interpreter: to ask it is most of a run."""
    shutil.copytree(_KNOWN.name, directory)
    return directory


def keep_interpreters(cache: Path) -> None:
    """Give later caches what uv learned of the interpreter."""
    for known in cache.glob("interpreter-*"):
        target = Path(_KNOWN.name) / known.name
        if not target.exists():
            staging = Path(tempfile.mkdtemp(dir=Path(_KNOWN.name).parent))
            copied = shutil.copytree(known, staging / known.name)
            with contextlib.suppress(OSError):  # another thread was first
                copied.rename(target)
            shutil.rmtree(staging)


def _scripts() -> Path:
    """From site-packages to the environment's scripts, as the wheel's own record says."""
    for file in metadata.files("uv") or ():
        if file.name == "uv":
            return Path(file.parent)
    raise RuntimeError("the installed uv has no binary")


def _install(version: str, target: Path) -> None:
    """Install beside the target and rename, so that nobody sees half a binary."""
    staging = Path(tempfile.mkdtemp(prefix=f".{version}-", dir=target.parent))
    try:
        options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--target", str(staging)]
        subprocess.run([*_installer(), *options, f"uv=={version}"], check=True, timeout=300)
        if target.exists():
            shutil.rmtree(target)
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _installer() -> list[str]:
    """pip where the environment has it, since it follows pip's own settings; else its uv."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    return [str(uv_binary(NEWEST)), "pip", "install", "--python", sys.executable]


@dataclass(frozen=True)
class UvRun:
    """How one uv command ended. `installed` holds `name==version` of what stands in the target."""

    returncode: int
    output: str
    installed: frozenset[str]


class Uv:
    """One uv in a directory of its own. Loopback is all it reaches: the rest goes to a proxy."""

    def __init__(self, version: str, directory: Path, *, https_proxy: str) -> None:
        self.version = version
        self._https_proxy = https_proxy
        self._binary = uv_binary(version)
        self._directory = directory
        self._runs = 0

    def install(self, config: str, *requirements: str, **env: str) -> UvRun:
        """`uv pip install --target` with an empty cache."""
        place = self._place()
        target = place / "target"
        options = ["--python", sys.executable, "--target", str(target)]
        done = self._run(place, config, ["pip", "install", *options, *requirements], env)
        found = metadata.distributions(path=[str(target)])
        return UvRun(
            done.returncode,
            done.stdout + done.stderr,
            frozenset(f"{distribution.name}=={distribution.version}" for distribution in found),
        )

    def compile_project(self, config: str, pyproject: str, **env: str) -> UvRun:
        """`uv pip compile pyproject.toml`: resolve a project that declares indexes itself."""
        place = self._place()
        (place / "pyproject.toml").write_text(pyproject)
        arguments = ["pip", "compile", "--python", sys.executable, "pyproject.toml"]
        done = self._run(place, config, arguments, env)
        return UvRun(done.returncode, done.stdout + done.stderr, frozenset())

    def _place(self) -> Path:
        self._runs += 1
        place = self._directory / f"run-{self._runs}"
        place.mkdir(parents=True)
        return place

    def _run(
        self, place: Path, config: str, arguments: list[str], env: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        config_file = place / "uv.toml"
        config_file.write_text(config, encoding="utf-8")
        cache = fresh_cache(place / "cache")
        done = subprocess.run(
            [str(self._binary), *arguments],
            cwd=place,
            env={
                "PATH": os.defpath,
                "HOME": str(place / "home"),
                "UV_CONFIG_FILE": str(config_file),
                "UV_CACHE_DIR": str(cache),
                "UV_PYTHON_DOWNLOADS": "never",
                "UV_HTTP_RETRIES": "0",
                "UV_NO_PROGRESS": "1",
                "HTTPS_PROXY": self._https_proxy,
                "NO_PROXY": "127.0.0.1",
                **env,
            },
            capture_output=True,
            text=True,
            timeout=RUN_TIMEOUT,
            check=False,
        )
        keep_interpreters(cache)
        return done
