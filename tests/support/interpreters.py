"""The Pythons of this machine, of the minor versions that the operator supports."""

import os
import shutil
import subprocess
from pathlib import Path

SUPPORTED = ("3.11", "3.12", "3.13")


def interpreter(minor: str) -> Path | None:
    """One that runs: on PATH, where it may be a shim that only fails, or of pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    on_path = shutil.which(f"python{minor}")
    found = [Path(on_path)] if on_path else []
    for candidate in [*found, *sorted(pyenv.glob(f"{minor}.*/bin/python{minor}"))]:
        ask = [str(candidate), "-c", "import sys, venv; print(*sys.version_info[:2], sep='.')"]
        told = subprocess.run(ask, capture_output=True, text=True, check=False, timeout=60)
        if told.stdout.strip() == minor:
            return candidate
    return None
