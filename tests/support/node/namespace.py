"""One namespace for the node's network, mounts and processes: entered from outside, set up inside.

The end of its first process ends every process, mount and link in it. It has no way out.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from support.control_plane.commands import NODE_ADDRESS, SERVICE_ADDRESS
from support.control_plane.processes import spawn_tied

UNSHARE = "/usr/bin/unshare"
CGROUPS = Path("/sys/fs/cgroup")
# What a kubelet would set for the whole kernel: it finds these values in place and sets nothing.
_KERNEL = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
# Folders that the node's programs write to, wherever they are told to keep their state.
_OWN_FOLDERS = ("/run", "/var/lib/cni", "/var/log")


def spawn_inside(
    argv: Sequence[str | Path], *, log: Path, env: dict[str, str], pass_fds: Sequence[int]
) -> subprocess.Popen[bytes]:
    """Start a program as the first process of a new namespace, tied to this process."""
    command = [UNSHARE, "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return spawn_tied([*command, "--", *argv], log=log, env=env, pass_fds=pass_fds)


def set_up(folder: Path) -> None:
    """Give this namespace, which must be a fresh one, its addresses and folders.

    `folder` takes files of its own. Raises CalledProcessError.
    """
    if os.getpid() != 1:
        raise RuntimeError("not the first process of a namespace: this would change the machine")
    for path in _OWN_FOLDERS:
        Path(path).mkdir(parents=True, exist_ok=True)
        _run("mount", "-t", "tmpfs", "tmpfs", path)
    for name, value in _KERNEL.items():
        stand_in = folder / name.replace("/", ".")
        stand_in.write_text(f"{value}\n")
        _run("mount", "--bind", str(stand_in), f"/proc/sys/{name}")
    _run("ip", "link", "set", "lo", "up")
    for address in (NODE_ADDRESS, SERVICE_ADDRESS):
        _run("ip", "address", "add", f"{address}/32", "dev", "lo")


def make_cgroup(name: str) -> None:
    """Create the node's root cgroup in every hierarchy, version 1 or 2."""
    for hierarchy in _hierarchies():
        (hierarchy / name).mkdir()


def remove_cgroup(name: str) -> bool:
    """Remove one with all below it; False while processes are left in it."""
    for hierarchy in _hierarchies():
        for folder, _, _ in os.walk(hierarchy / name, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
    return not any((hierarchy / name).exists() for hierarchy in _hierarchies())


def _hierarchies() -> list[Path]:
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    # Several names may be links to one hierarchy.
    return sorted({path.resolve() for path in CGROUPS.iterdir() if path.is_dir()})


def _run(*command: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        print(result.stderr, file=sys.stderr)
        result.check_returncode()
