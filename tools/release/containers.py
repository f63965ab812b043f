"""Container images, built by buildah, which needs no daemon: for tests and for releases alike.

The base is the image that is named. Without one Debian stands in for it, bootstrapped from its
packages: the same release and the same Python, and no registry is asked.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
PLATFORM: Final = f"linux-{_ARCHITECTURES.get(platform.machine(), platform.machine())}"
"""This machine's, in the words of OCI."""
# The release of the Dockerfile's own base, with the same Python.
SUITE: Final = "trixie"
BASE_PACKAGES: Final = "ca-certificates,python3,python3-venv"
BASE_KEY: Final = hashlib.sha256(f"{SUITE} {BASE_PACKAGES}".encode()).hexdigest()[:12]
BUILD_SECONDS: Final = 900
# Where pip is told about indexes; those that exist here also count inside the build.
_PIP_FILES: Final = ("/etc/pip.conf", "~/.config/pip/pip.conf", "~/.pip/pip.conf")
# Of the package debian-archive-keyring.
KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_CA_BUNDLE: Final = Path("/etc/ssl/certs/ca-certificates.crt")


class BuildError(Exception):
    """An image cannot be built; the message ends with the last lines of what failed."""


class Builder:
    """buildah with a store of its own, in which layers stay and are used again."""

    def __init__(self, store: Path) -> None:
        """Take the folder of the store."""
        self._options: list[str | Path] = ["--storage-driver", "overlay"]
        self._options += ["--root", store / "store", "--runroot", store / "running"]

    def build(
        self,
        name: str,
        context: Path,
        *,
        epoch: int,
        base: str | None = None,
        arguments: Mapping[str, str] | None = None,
        cached: bool = True,
    ) -> None:
        """Build a folder's Dockerfile; every file gets the time `epoch`. Raises BuildError.

        Where it is `cached`, layers of an earlier build are used again, with the times that files
        have there. Otherwise nothing of another build is used, and nothing left for one.
        """
        pull = "--pull" if base else "--pull-never"
        given = {"PYTHON_IMAGE": base or self._debian(), **(arguments or {})}
        say(f"building {name}")
        options = ["--quiet", "--isolation", "chroot", "--network", "host", pull]
        options += ["--layers"] if cached else ["--no-cache"]
        options += ["--timestamp", str(epoch), *_network_files()]
        options += [f"--build-arg={key}={value}" for key, value in given.items()]
        self.run("build", *options, "--tag", name, context)

    def save(self, name: str, to: Path, form: Literal["docker-archive", "oci-archive"]) -> None:
        """Write an image to a file under its name. Raises BuildError."""
        staging = to.with_suffix(".partial")
        staging.unlink(missing_ok=True)
        self.run("push", "--quiet", name, f"{form}:{staging}:{name}")
        staging.replace(to)

    def run(self, *arguments: str | Path) -> str:
        """Run buildah. Raises BuildError."""
        return _run("buildah", *self._options, *arguments)

    def _debian(self) -> str:
        """Debian with Python, as small as debootstrap makes it."""
        name = f"localhost/python:{BASE_KEY}"
        if name in self.run("images", "--format", "{{.Name}}:{{.Tag}}").split():
            return name
        if not KEYRING.is_file():
            raise BuildError(f"no {KEYRING}: install debian-archive-keyring, or name a base image")
        say(f"bootstrapping Debian {SUITE} (once, under a minute)")
        with tempfile.TemporaryDirectory(prefix="debian-") as scratch:
            root, archive = Path(scratch, "root"), Path(scratch, "root.tar")
            # Without Debian's keys, as on other distributions, it would take whatever it gets.
            verified = ("--force-check-gpg", f"--keyring={KEYRING}")
            packages = ("--variant=minbase", f"--include={BASE_PACKAGES}")
            _run("debootstrap", *verified, *packages, SUITE, root)
            _run("tar", "-C", root, "-cf", archive, ".")
            shutil.rmtree(root)
            Path(scratch, "Dockerfile").write_text("FROM scratch\nADD root.tar /\n")
            self.run("build", "--quiet", "--tag", name, scratch)
        return name


def default_store() -> Path:
    """Where this machine's layers are, those of the tests as well."""
    configured = os.environ.get("ARTIFACT_INDEX_CACHE")
    cache = Path(configured) if configured else Path.home() / ".cache" / "artifact-index-operator"
    return cache / "node"


def say(what: str) -> None:
    """Tell the progress of what takes a minute."""
    sys.stderr.write(f"image: {what}\n")
    sys.stderr.flush()


def _network_files() -> list[str]:
    """Mounts that let pip in a build reach what pip reaches outside."""
    files = [path for name in _PIP_FILES if (path := Path(name).expanduser()).is_file()]
    mounts = [f"--volume={path}:/etc/pip.conf:ro" for path in files[-1:]]
    if _CA_BUNDLE.is_file():
        mounts.append(f"--volume={_CA_BUNDLE}:{_CA_BUNDLE}:ro")
    return mounts


def _run(*command: str | Path) -> str:
    try:
        result = subprocess.run(  # noqa: S603 - our own commands
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=BUILD_SECONDS,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"LC_ALL": "C.UTF-8"},
        )
    except FileNotFoundError as error:
        raise BuildError(f"no `{command[0]}` is on PATH") from error
    if result.returncode != 0:
        last = "\n".join([*result.stdout.splitlines(), *result.stderr.splitlines()][-20:])
        raise BuildError(f"{command[0]} failed; it ends with:\n{last}")
    return result.stdout
