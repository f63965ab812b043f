"""Commands of real clients, each in a directory, home and environment of its own.

A client reaches loopback alone: whatever else it asks for goes to a proxy that writes it down.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from support.python_clients import client_python
from support.uv_clients import fresh_cache, keep_interpreters, uv_binary

TIMEOUT = 240.0
"""Seconds that one command may take."""

ENVIRONMENT = {
    "PATH": os.defpath,
    "LANG": "C.UTF-8",
    "NO_PROXY": "127.0.0.1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_CACHE_DIR": "1",
    "PIP_RETRIES": "0",
    "UV_PYTHON_DOWNLOADS": "never",
    "UV_PYTHON": sys.executable,
    "UV_HTTP_RETRIES": "0",
    "UV_NO_PROGRESS": "1",
    "PDM_CHECK_UPDATE": "0",
    "PDM_USE_VENV": "0",
    "PDM_IGNORE_SAVED_PYTHON": "1",
    "POETRY_VIRTUALENVS_CREATE": "0",
    "POETRY_KEYRING_ENABLED": "0",
    "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
}


@dataclass(frozen=True)
class Run:
    """How a command ended."""

    returncode: int
    output: str


class Clients:
    """Runs clients in one directory. uv finds no package in a cache of an earlier run."""

    def __init__(self, directory: Path, *, proxy: str) -> None:
        self.directory = directory
        self._proxy = proxy
        self._runs = 0

    def write(self, name: str, text: str) -> Path:
        """A file in the directory."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def uv(self, version: str, *arguments: object, env: Mapping[str, str]) -> Run:
        """`uv …`."""
        return self.run(uv_binary(version), *arguments, env=env)

    def python(self, client: str, *arguments: object, env: Mapping[str, str]) -> Run:
        """`python -m <client> …`; of pip-floor it is pip."""
        module = client.partition("-")[0]
        return self.run(client_python(client), "-m", module, *arguments, env=env)

    def run(self, *command: object, env: Mapping[str, str]) -> Run:
        """The command, with the variables on top of an otherwise empty environment."""
        self._runs += 1
        home = self.directory / "home"
        cache = fresh_cache(self.directory / f"uv-cache-{self._runs}")
        done = subprocess.run(
            [str(part) for part in command],
            cwd=self.directory,
            env={
                **ENVIRONMENT,
                "HOME": str(home),
                "UV_CACHE_DIR": str(cache),
                "HTTPS_PROXY": self._proxy,
                **env,
            },
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        keep_interpreters(cache)
        return Run(done.returncode, done.stdout + done.stderr)

    def installed(self, target: str) -> set[str]:
        """`name==version` of what stands in a directory of packages."""
        found = metadata.distributions(path=[str(self.directory / target)])
        return {f"{item.name}=={item.version}" for item in found}
