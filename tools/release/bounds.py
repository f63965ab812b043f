"""Test the operator on the oldest or the newest dependencies that pyproject.toml allows.

python -m tools.release.bounds lowest [ARGUMENT OF PYTEST ...]     or `newest`

The dependencies of the operator are resolved anew, into a virtual environment of its own
(`.venv-lowest`); the tools of the tests are those of the lock. Fails if a declared floor is older
than what resolves, so that what is declared is what was tested.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

TOP: Final = Path(__file__).resolve().parents[2]
RESOLUTIONS: Final = {"lowest": "lowest-direct", "newest": "highest"}
TIERS: Final = ("tests/unit", "tests/cloud")
_PIN: Final = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)", re.M)


def main(bound: str, *arguments: str) -> int:
    """Return pytest's exit status, or 1 where generated files differ or a floor is not true."""
    environment = TOP / f".venv-{bound}"
    resolved = resolve(bound)
    sys.stderr.write("".join(f"{name} {version}\n" for name, version in resolved.items()))
    if bound == "lowest" and (wrong := untrue_floors(resolved)):
        sys.stderr.write("".join(f"{line}\n" for line in wrong))
        return 1
    install(environment, resolved)
    python = str(environment / "bin" / "python")
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    for command in (
        ["tools/generate.py", "--check"],
        ["-m", "pytest", *(arguments or TIERS)],
    ):
        done = subprocess.run([python, *command], cwd=TOP, env=variables, check=False)  # noqa: S603
        if done.returncode:
            return done.returncode
    return 0


def resolve(bound: str) -> dict[str, str]:
    """The versions of the operator's dependencies, by name. Raises CalledProcessError.

    As in the lock none is younger than a week.
    """
    told = _uv(
        "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--python", sys.executable,
        "--resolution", RESOLUTIONS[bound], "--exclude-newer", "7 days", "pyproject.toml",
    )  # fmt: skip
    return pins(told)


def pins(lock: str) -> dict[str, str]:
    """The versions that a lock names, by canonical name."""
    return {str(canonicalize_name(each["name"])): each["version"] for each in _PIN.finditer(lock)}


def untrue_floors(resolved: dict[str, str]) -> list[str]:
    """What is declared of direct dependencies but older than their oldest that resolves."""
    declared = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["dependencies"]
    wrong = []
    for requirement in map(Requirement, declared):
        name = canonicalize_name(requirement.name)
        floors = [each.version for each in requirement.specifier if each.operator == ">="]
        if [Version(each) for each in floors] != [Version(resolved[name])]:
            wrong.append(f"{requirement}: {resolved[name]} is the oldest that resolves")
    return wrong


def install(environment: Path, resolved: dict[str, str]) -> None:
    """Make the environment: these versions, the lock's of all else, and this checkout."""
    lock = pins((TOP / "requirements" / "dev.txt").read_text()) | resolved
    wanted = [f"{name}=={version}" for name, version in sorted(lock.items())]
    if not environment.exists():
        _uv("venv", "--quiet", "--python", sys.executable, str(environment))
    into = ("--quiet", "--python", str(environment / "bin" / "python"))
    _uv("pip", "install", *into, "--exact", *wanted)
    _uv("pip", "install", *into, "--no-deps", "--no-build-isolation", "--editable", ".")


def _uv(*arguments: str) -> str:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    command = [uv, *arguments]
    # An organization's own authority is one of the system, which uv asks only if told to.
    variables = {"UV_SYSTEM_CERTS": "true", **os.environ}
    return subprocess.run(  # noqa: S603 - our own command
        command, cwd=TOP, check=True, stdout=subprocess.PIPE, text=True, env=variables
    ).stdout


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
