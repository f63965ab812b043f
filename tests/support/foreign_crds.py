"""The real CRDs of other projects, whose objects the examples and the chart hold.

They come from Go modules, where a version can never change, pinned by the modules' own checksum.
Only the files named here are kept, in the cache outside the repository.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from support.control_plane import ControlPlaneUnavailable
from support.uv_clients import cache_directory

DOWNLOAD_SECONDS = 300.0


@dataclass(frozen=True)
class Source:
    """One Go module, its checksum as a go.sum file has it, and the files wanted of it."""

    module: str
    version: str
    checksum: str
    files: tuple[str, ...]


SOURCES = (
    Source(
        "github.com/tektoncd/pipeline",
        "v1.15.0",
        "h1:ZGboFUaEdpYurZWqeGT5rn9e6qmomGL/gLSKhHp2vvQ=",
        ("config/300-crds/300-task.yaml", "config/300-crds/300-taskrun.yaml"),
    ),
    Source(
        # The chart of the scale sets is not a module of its own: this release's copy is 0.6.1.
        "github.com/actions/actions-runner-controller",
        "v0.27.6",
        "h1:Uklv1+6+/BQuhV6HoXIgPZrnAW9/HWo3j9O7IcnzGXU=",
        (
            "charts/gha-runner-scale-set-controller/crds/"
            "actions.github.com_autoscalingrunnersets.yaml",
        ),
    ),
    Source(
        "github.com/argoproj/argo-cd/v3",
        "v3.5.7",
        "h1:Xm1BF+I5OgDKUG3SDK49vn2/Y5AMyaNVko+/JT08gj0=",
        ("manifests/crds/application-crd.yaml",),
    ),
    Source(
        "github.com/fluxcd/source-controller",
        "v1.9.6",
        "h1:nG534/bI6nVpyHra7ONAk6xDB3xPsVT+EOLHZHXPrrc=",
        (
            "config/crd/bases/source.toolkit.fluxcd.io_gitrepositories.yaml",
            "config/crd/bases/source.toolkit.fluxcd.io_ocirepositories.yaml",
        ),
    ),
    Source(
        "github.com/fluxcd/kustomize-controller",
        "v1.9.6",
        "h1:XB+G3A0mky0j5uVHZWv4oSlS2RvZBoNIUhstIvY0JKE=",
        ("config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml",),
    ),
    Source(
        "github.com/fluxcd/helm-controller",
        "v1.6.1",
        "h1:b0XKTQCGlQy4nOGfEFMbn/e+/j9IMEHSDlKecbZkG9M=",
        ("config/crd/bases/helm.toolkit.fluxcd.io_helmreleases.yaml",),
    ),
    Source(
        # What the chart's monitors and rules are.
        "github.com/prometheus-operator/prometheus-operator",
        "v0.85.0",
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        (
            "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
            "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
            "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
        ),
    ),
)


def crd_folder() -> Path:
    """The folder with all of them, downloaded the first time (10 s, 40 MB; 3 MB are kept).

    Raises ControlPlaneUnavailable where they are not cached and cannot be had.
    """
    root = cache_directory() / "foreign-crds"
    folder = root / _key()
    if folder.is_dir():
        return folder
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _download(root, folder)
    return folder


def _key() -> str:
    """Changes with every pin, so that a folder never holds files of two sets of versions."""
    return hashlib.sha256(repr(SOURCES).encode()).hexdigest()[:16]


def _download(root: Path, folder: Path) -> None:
    """Everything beside the folder first, and then renamed, so that nobody sees a half of it."""
    go = shutil.which("go")
    if go is None:
        raise ControlPlaneUnavailable("no CRDs of other projects: they are not cached, and no `go`")
    with tempfile.TemporaryDirectory(prefix=".download-", dir=root) as scratch:
        found = Path(scratch) / "crds"
        found.mkdir()
        for source in SOURCES:
            with zipfile.ZipFile(_module_zip(go, source, Path(scratch))) as archive:
                for file in source.files:
                    member = f"{source.module}@{source.version}/{file}"
                    (found / Path(file).name).write_bytes(archive.read(member))
        found.rename(folder)


def _module_zip(go: str, source: Source, scratch: Path) -> Path:
    """Download one module into a module cache of its own and check what came."""
    environment = os.environ | {
        "GOMODCACHE": str(scratch / "modules"),
        "GOFLAGS": "-modcacherw",
        "GOWORK": "off",
        "GOTOOLCHAIN": "local",
    }
    done = subprocess.run(
        [go, "mod", "download", "-json", f"{source.module}@{source.version}"],
        cwd=scratch,
        env=environment,
        capture_output=True,
        text=True,
        timeout=DOWNLOAD_SECONDS,
        check=False,
    )
    # A module for a newer Go is reported as an error, and is there all the same.
    answer = json.loads(done.stdout) if done.stdout.strip() else {}
    if "Zip" not in answer:
        said = answer.get("Error") or done.stderr
        raise ControlPlaneUnavailable(f"no CRDs of {source.module}: {said.strip()}")
    if answer["Sum"] != source.checksum:
        raise ValueError(f"{source.module} {source.version}: checksum {answer['Sum']}")
    return Path(answer["Zip"])
