#!/usr/bin/env python3
"""`kubectl artifact-index` as krew installs it: it installs its packages once, then runs them.

Some of the packages are compiled for one platform and one Python, so krew's archive holds a lock of
them with hashes, and pip gets those that fit. They go into a virtual environment beside this file,
which krew removes with the plugin. The syntax is that of old Pythons too, which are to say more
than SyntaxError.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENT = HERE / "venv"
PROGRAM = ENVIRONMENT / "bin" / "artifact-index"
INSTALLED = ENVIRONMENT / "installed"
NEWER = ("python3.14", "python3.13", "python3.12", "python3.11")
COULD_NOT = 3
"""The exit status of what could not be found out, as of every command."""


def main() -> int:
    """Run the program with the arguments of this one; returns only if it cannot."""
    if not INSTALLED.exists():
        if sys.version_info < (3, 11):  # noqa: UP036 - kubectl runs whatever `python3` is
            return with_newer_python()
        try:
            install()
        except (OSError, subprocess.CalledProcessError) as error:
            say(f"its packages cannot be installed: {error}; see above, and call it again")
            return COULD_NOT
    return os.execv(PROGRAM, [str(PROGRAM), *sys.argv[1:]])  # noqa: S606 - our own program


def with_newer_python() -> int:
    """Run this file with a Python that has its version in its name."""
    for name in NEWER:
        found = shutil.which(name)
        if found:
            os.execv(found, [found, __file__, *sys.argv[1:]])  # noqa: S606 - our own program
    say(f"it needs Python 3.11 or newer on PATH, and python3 is {sys.version.split()[0]}")
    return COULD_NOT


def install() -> None:
    """Make the virtual environment, unless another call does. Raises CalledProcessError, OSError.

    Standard output belongs to the command, so what is said goes to standard error.
    """
    with (HERE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if INSTALLED.exists():
            return
        say(f"installing its packages in {ENVIRONMENT}, once")
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        pip += ["install", "--quiet", "--only-binary", ":all:"]
        (wheel,) = HERE.glob("*.whl")
        for what in (
            ["--require-hashes", "--requirement", str(HERE / "requirements.txt")],
            ["--no-index", "--no-deps", str(wheel)],
        ):
            subprocess.run([*pip, *what], check=True, stdout=sys.stderr)  # noqa: S603 - our own
        INSTALLED.touch()


def say(text: str) -> None:
    """Write a line to standard error."""
    sys.stderr.write(f"kubectl artifact-index: {text}\n")


if __name__ == "__main__":
    sys.exit(main())
