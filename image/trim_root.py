"""Keep of the base what the operator needs, while the image is built: Python, the Debian packages
whose libraries Python and the installed packages load, certificates and time zones.

dpkg's list of packages, and of their files, is cut to what is left, and the licences stay:
vulnerability scanners and the bill of materials read them. Run by the base's own Python, as root.
"""

import compileall
import contextlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from py_compile import PycInvalidationMode

ENVIRONMENT = "/opt/artifact-index"
DPKG = Path("/var/lib/dpkg")
STDLIB = os.path.realpath(sysconfig.get_path("stdlib"))

KEPT = {"base-files", "ca-certificates", "libc-bin", "libc6", "libgcc-s1", "netbase", "tzdata"}
"""Debian packages that no library names: files of the system, and libgcc, which ends threads."""
UNOWNED = re.compile(
    r"/[^/]+$|/etc/(group|passwd|ld\.so\.cache|localtime|nsswitch\.conf)$|/etc/ssl/certs/"
    r"|/usr/local/(bin|lib)/(lib)?python3"
)
"""Files of no Debian package that stay: links at the top, what packages make when they are
installed, and the Python of Docker's Python image."""
UNUSED = re.compile(
    r"/usr/s?bin/(?!python3)|/usr/(local/)?bin/.*config$|/usr/libexec/|/gconv/|/__pycache__/"
    r"|/usr/share/(bash-completion|gcc|gdb|i18n|info|lintian|locale|man|python3)/"
    r"|/usr/share/doc/(?!.*/copyright$)[^/]+/|/lib/python3/"
    r"|/lib/python3\.\d+/(config-.*|curses|dbm|ensurepip|idlelib|lib2to3|pydoc_data"
    r"|site-packages|sqlite3|test|tkinter|turtledemo|venv)/|/lib/python3\.\d+/turtle\.py$"
    r"|/lib-dynload/(_curses|_dbm|_gdbm|_sqlite3|_test|_tkinter|_xx|readline|xx)[^/]*$"
)
"""Programs, documentation, translations, helpers of debuggers, and the parts of Python for
installers, terminals, databases and tests."""


def main() -> None:
    """Remove everything else."""
    owners = dict(_owners())
    python = {path for path in (*_files_below(STDLIB), *_links(sys.executable)) if _is_used(path)}
    needed = python | set(_libraries({*python, *_files_below(ENVIRONMENT)}))
    packages = KEPT | {owners[path] for path in needed if path in owners}
    packages |= {_licence_holder(package) for package in packages}
    for path in list(_files_below("/")):
        kept = owners[path] in packages if path in owners else UNOWNED.match(path)
        if not (kept and _is_used(path)):
            Path(path).unlink()
    _cut_package_lists(packages)
    _finish()


def _is_used(path: str) -> bool:
    return UNUSED.search(path) is None


def _files_below(top: str) -> Iterator[str]:
    """Every file and link but what is mounted for the build, and what is tidied up apart."""
    for folder, names, files in os.walk(top):
        links = [name for name in names if os.path.islink(os.path.join(folder, name))]
        for path in (os.path.join(folder, name) for name in [*files, *links]):
            if not os.path.ismount(path):
                yield path
        if top == "/":
            apart = (ENVIRONMENT, str(DPKG), "/dev", "/proc", "/run", "/sys")
            names[:] = [name for name in names if os.path.join(folder, name) not in apart]


def _links(path: str) -> Iterator[str]:
    """The path, where it leads to, and so on."""
    yield path
    if os.path.islink(path):
        yield from _links(os.path.join(os.path.dirname(path), os.readlink(path)))


def _owners() -> Iterator[tuple[str, str]]:
    """Every file of a Debian package, at its real place, with the package."""
    for listed in sorted((DPKG / "info").glob("*.list")):
        for line in listed.read_text().splitlines():
            yield _real(line), listed.stem.partition(":")[0]


def _real(path: str) -> str:
    """Without links above the file: Debian still names some files below /lib."""
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name)


def _libraries(paths: set[str]) -> Iterator[str]:
    """The shared libraries that compiled files among the paths load, links and targets."""
    compiled = [path for path in sorted(paths) if _is_compiled(path)]
    told = subprocess.run(["ldd", *compiled], capture_output=True, text=True, check=True).stdout
    if "not found" in told:
        sys.exit(f"a library is missing:\n{told}")
    for path in set(re.findall(r"(?:=> |\t)(/\S+) \(0x", told)):
        yield from {_real(path), os.path.realpath(path)}


def _is_compiled(path: str) -> bool:
    if os.path.islink(path) or not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def _licence_holder(package: str) -> str:
    """The package that has the licence: some only link to the folder of another one."""
    return Path("/usr/share/doc", package).resolve().name


def _cut_package_lists(packages: set[str]) -> None:
    """Leave dpkg's entries of these packages, with the files that are still there."""
    lists = {
        file: [line for line in file.read_text().splitlines() if os.path.lexists(_path_in(line))]
        for file in [*(DPKG / "info").glob("*.list"), *(DPKG / "info").glob("*.md5sums")]
        if file.stem.partition(":")[0] in packages
    }
    entries = (DPKG / "status").read_text().strip().split("\n\n")
    kept = [entry for entry in entries if re.match(r"Package: (\S+)", entry)[1] in packages]
    shutil.rmtree(DPKG)
    (DPKG / "info").mkdir(parents=True)
    (DPKG / "status").write_text("\n\n".join(kept) + "\n")
    for file, lines in lists.items():
        file.write_text("".join(f"{line}\n" for line in lines))


def _path_in(line: str) -> str:
    """The path of a line: alone, or without its first slash after a checksum."""
    return line if line.startswith("/") else f"/{line.partition('  ')[2]}"


def _finish() -> None:
    shutil.rmtree(ENVIRONMENT)
    for top in ("/etc", "/opt", "/usr", "/var"):
        for folder, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
    for path in _files_below("/"):
        if not os.path.islink(path):
            Path(path).chmod(Path(path).stat().st_mode & 0o777)
    with open("/etc/passwd", "a") as users, open("/etc/group", "a") as groups:
        users.write("nonroot:x:65532:65532:operator:/nonexistent:/usr/sbin/nologin\n")
        groups.write("nonroot:x:65532:\n")
    # The root file system is read-only, so modules not compiled now are compiled at every start.
    compileall.compile_dir(STDLIB, quiet=1, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)


if __name__ == "__main__":
    main()
