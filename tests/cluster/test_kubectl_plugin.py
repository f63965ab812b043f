"""`kubectl artifact-index` as krew validates, installs and runs it."""

import ast
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tools.plugin.build import PROGRAM, archive, files, write

from artifact_index import __version__

pytestmark = pytest.mark.cluster

LAUNCHER = Path(__file__).parents[2] / "tools" / "plugin" / "launcher.py"


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The archive with no packages beside our own: pip would take half a minute for them."""
    none = tmp_path_factory.mktemp("lock") / "requirements.txt"
    none.touch()
    return files(none)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The URL of the folder that the archive is written to."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def run(*command: str | Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def test_krew_accepts_installs_and_runs_it(
    krew_on_path: dict[str, str], content: dict[str, bytes], served: str, tmp_path: Path
) -> None:
    manifest, _ = write(tmp_path, archive(content), url=served, homepage="https://example.com")
    # This installs it for each platform, too.
    said = run("validate-krew-manifest", "-manifest", manifest, env=krew_on_path)
    assert said.returncode == 0, said.stderr
    assert "all 1 spec.platforms installed fine" in said.stderr

    root = tmp_path / "root of krew"
    env = {**krew_on_path, "KREW_ROOT": str(root)}
    env["PATH"] = f"{root / 'bin'}:{env['PATH']}"
    assert run("kubectl", "krew", "install", "--manifest", manifest, env=env).returncode == 0
    first = run("kubectl", "artifact-index", "--version", env=env)
    assert first.stdout == f"artifact-index {__version__}\n", first.stderr
    assert "installing its packages in " in first.stderr
    again = run("kubectl", "artifact-index", "--version", env=env)
    assert (again.stdout, again.stderr) == (first.stdout, "")

    # Where krew removes it with the plugin.
    assert list((root / "store").glob("artifact-index/*/venv"))


def test_the_same_checkout_gives_the_same_bytes(content: dict[str, bytes]) -> None:
    (name,) = (each for each in content if each.endswith(".whl"))
    assert archive(content) == archive(dict(content))
    assert files()[name] == content[name]


def test_packages_that_cannot_be_installed(content: dict[str, bytes], tmp_path: Path) -> None:
    lock = f"none==1 --hash=sha256:{'0' * 64}\n".encode()
    for name, data in {**content, "requirements.txt": lock}.items():
        (tmp_path / name).write_bytes(data)

    env = {"PATH": "/usr/bin:/bin", "PIP_NO_INDEX": "1"}
    said = run(sys.executable, tmp_path / PROGRAM, "--version", env=env)

    assert (said.returncode, said.stdout) == (3, "")
    assert "No matching distribution found for none==1" in said.stderr
    assert said.stderr.splitlines()[-1].startswith(
        "kubectl artifact-index: its packages cannot be installed: "
    )


def test_an_old_python_says_what_is_needed(tmp_path: Path) -> None:
    """macOS has Python 3.9 as `python3`."""
    ast.parse(LAUNCHER.read_text(), feature_version=(3, 8))
    shutil.copy(LAUNCHER, tmp_path / "launcher.py")
    code = "import sys; sys.version_info = (3, 9); import launcher; sys.exit(launcher.main())"
    said = run(sys.executable, "-c", code, env={"PATH": str(tmp_path), "PYTHONPATH": str(tmp_path)})

    assert said.returncode == 3
    assert "it needs Python 3.11 or newer on PATH, and python3 is 3." in said.stderr

    newer = tmp_path / "python3.12"
    newer.write_text('#!/bin/sh\necho "newer: $*"\n')
    newer.chmod(0o755)
    said = run(sys.executable, "-c", code, env={"PATH": str(tmp_path), "PYTHONPATH": str(tmp_path)})
    assert said.stdout == f"newer: {tmp_path / 'launcher.py'}\n"
