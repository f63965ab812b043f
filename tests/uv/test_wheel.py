"""The wheel in a new environment with the locked packages: everything in it starts."""

import os
import subprocess
from pathlib import Path

import pytest
from tools.release.files import TOP, build_package

from artifact_index import __version__
from support.interpreters import SUPPORTED, interpreter
from support.uv_clients import NEWEST, uv_binary

pytestmark = pytest.mark.uv

CRDS = TOP / "crds"
START = """
import importlib, pkgutil
import artifact_index
from artifact_index.cli.main import COMMANDS, main

for module in pkgutil.walk_packages(artifact_index.__path__, "artifact_index."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
for command in COMMANDS:
    try:
        main([command, "--help"])
    except SystemExit as ended:
        assert ended.code == 0, command
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_package("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(params=SUPPORTED)
def programs(request: pytest.FixtureRequest, wheel: Path, tmp_path: Path) -> Path:
    """The folder of the programs of an environment with the wheel."""
    python = interpreter(request.param)
    if python is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"this machine has no Python {request.param}")
        pytest.skip(f"this machine has no Python {request.param}")
    uv, made = uv_binary(NEWEST), tmp_path / "env"
    into = ("--quiet", "--python", made / "bin" / "python")
    lock = TOP / "requirements" / "runtime.txt"
    for command in (
        ("venv", "--quiet", "--python", python, made),
        ("pip", "install", *into, "--only-binary", ":all:", "--require-hashes", "-r", lock),
        ("pip", "install", *into, "--no-deps", "--offline", wheel),
        ("pip", "check", *into),
    ):
        run(uv, *command)
    return made / "bin"


def run(*command: str | Path) -> str:
    environment = {
        name: text for name, text in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))
    }
    done = subprocess.run(
        command, env=environment, cwd="/", capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_command_of_the_wheel_starts(programs: Path) -> None:
    run(programs / "python", "-c", START)
    for name in ("artifact-index", "kubectl-artifact_index"):
        told = run(programs / name, "version", "--client")
        assert told.splitlines()[0].split() == ["client", __version__]
    printed = run(programs / "artifact-index", "crds")
    for definition in CRDS.glob("artifactindex.dev_*.yaml"):
        assert definition.read_text() in printed
