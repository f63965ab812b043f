"""The image of a pod's sandbox: one static program that waits."""

import hashlib
import io
import json
import platform
import shutil
import tarfile
from pathlib import Path

IMAGE = "localhost/sandbox:1"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def write_sandbox_image(path: Path) -> None:
    """Write it in the format of `docker save`, which containerd imports."""
    busybox = shutil.which("busybox")
    assert busybox is not None
    layer = _tar({"busybox": Path(busybox).read_bytes()}, mode=0o755)
    config = {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Entrypoint": ["/busybox", "sleep", "2147483647"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [IMAGE], "Layers": ["layer.tar"]}]
    files = {
        "config.json": json.dumps(config).encode(),
        "layer.tar": layer,
        "manifest.json": json.dumps(manifest).encode(),
    }
    staging = path.with_suffix(".partial")
    staging.write_bytes(_tar(files, mode=0o644))
    staging.replace(path)


def _tar(files: dict[str, bytes], *, mode: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
