"""Real pip, Poetry, PDM, twine and hatch in pinned versions, each in an environment of its own.

They are installed once, from the package index, into the cache that real uv binaries live in. What
each environment holds stands in `client_pins/`, dependencies included.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from support.uv_clients import NEWEST, cache_directory, uv_binary

PINS = Path(__file__).with_name("client_pins")

PIP_FLOOR = "pip-floor"
"""pip 22.3.1, which came with the first Python 3.11."""
PIP_NEWEST = "pip"
POETRY = "poetry"
PDM = "pdm"
PDM_NEWEST = "pdm-newest"
"""With hishel 1: PDM 2.29.4 fails to lock with the hishel 2 that a fresh install takes."""
TWINE = "twine"
HATCH = "hatch"
AZURE = "azure"
"""azure-identity, and artifacts-keyring-nofuss, which logs in to feeds for pip and uv."""
CLOUDSMITH = "cloudsmith"
"""Cloudsmith's command line with what its credential helper imports: a tenth of the whole."""

POETRY_VENV = {
    "POETRY_VIRTUALENVS_CREATE": "1",
    "POETRY_VIRTUALENVS_IN_PROJECT": "1",
    "POETRY_VIRTUALENVS_OPTIONS_NO_PIP": "1",
}
"""`poetry install` goes into `.venv` of the project."""

POETRY_PROJECT = """\
[tool.poetry]
package-mode = false
[tool.poetry.dependencies]
python = ">=3.11"
mine = "*"
[[tool.poetry.source]]
name = "acme"
url = "{url}"
"""
"""A project that needs `mine` from the index `acme` at a `url`."""

PIPS = (PIP_FLOOR, PIP_NEWEST)
PDMS = (PDM, PDM_NEWEST)


def client_python(client: str) -> Path:
    """The interpreter of a client's environment: `python -m pip` and so on. Made at first use."""
    pins = (PINS / f"{client}.txt").read_bytes()
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(pins).hexdigest()[:12]
    target = cache_directory() / "clients" / f"{client}-{minor}-{digest}"
    python = target / "bin" / "python"
    if python.exists():
        return python
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f"{client}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not python.exists():
            _install(client, target)
    return python


def _install(client: str, target: Path) -> None:
    """Make it beside the target and rename, so that nobody sees half an environment."""
    uv = str(uv_binary(NEWEST))
    staging = Path(tempfile.mkdtemp(prefix=f".{client}-", dir=target.parent))
    try:
        made = staging / "env"
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, made], check=True)
        install = [uv, "pip", "install", "--quiet", "--no-deps", "--compile-bytecode"]
        pins = ["-r", str(PINS / f"{client}.txt")]
        subprocess.run([*install, "--python", made / "bin" / "python", *pins], check=True)
        if target.exists():
            shutil.rmtree(target)
        made.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
