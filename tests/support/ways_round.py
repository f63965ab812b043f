"""What in an image or a project beats the file: the rows of a table in docs/how-to/builders.md.

Each row is tried with the real client against the logging index: once with the private index in
the file, once with its blocked entry, and once more with the values that undo the row. The private
index has `mine` 1.0, the public host has a look-alike, `mine` 9.9.
"""

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

from artifact_index.api.index_options import OutputFormat
from support.client_runs import Clients
from support.index_server import IndexServer, Repository
from support.python_clients import PDM, PINS, PIP_NEWEST
from support.rendered import secret_text
from support.uv_clients import FLOOR, NEWEST
from support.uv_scenes import document, entry_for, good
from support.wheels import make_wheel

PUBLIC = "{public}"
"""Replaced by the URL of the public index."""
PAGE = "{page}"
"""Replaced by a page of links to the look-alike."""
PRIVATE = "{private}"
"""The private index."""
_EMPTY = '""'

UV_HARMLESS: Mapping[str, str] = {
    "UV_DEFAULT_INDEX": "",
    "UV_INDEX_URL": "",
    "UV_INDEX": "",
    "UV_EXTRA_INDEX_URL": "",
    "UV_FIND_LINKS": "",
    "UV_INDEX_STRATEGY": "first-index",
}
"""What the examples set for uv, over whatever the image has."""
UV_SYSTEM_HARMLESS: Mapping[str, str] = {
    **UV_HARMLESS,
    "UV_NO_CONFIG": "false",
    "UV_NO_SYSTEM_CONFIG": "false",
}
"""The same where the file is the system's; uv stops if these two are empty."""
PIP_HARMLESS: Mapping[str, str] = {
    "PIP_INDEX_URL": "",
    "PIP_EXTRA_INDEX_URL": "",
    "PIP_FIND_LINKS": "",
}
"""What the examples set for pip."""
HARMLESS: Mapping[str, Mapping[str, str]] = {
    "uv": UV_HARMLESS,
    "uv at `/etc/uv`": UV_SYSTEM_HARMLESS,
    "pip": PIP_HARMLESS,
    "PDM": {"PDM_PYPI_URL": "", "PDM_IGNORE_STORED_INDEX": ""},
}

VERSIONS: Mapping[str, tuple[str, ...]] = {
    "uv": (FLOOR, NEWEST),
    "uv at `/etc/uv`": (FLOOR, NEWEST),
    "pip": (PIP_NEWEST,),
    "PDM": (PDM,),
}
"""The clients in the table, with the releases that answer for each."""

UV_INSTALL = ("pip", "install", "--target", "target")
PIP_INSTALL = ("install", "--no-deps", "--no-compile", "--target", "target")
MINE = '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["mine"]\n'
DECLARED = f'[[tool.uv.index]]\nname = "public"\nurl = "{PUBLIC}"\n'


@dataclass(frozen=True)
class Way:
    """A row: what the image or the project has, in files and variables."""

    what: str
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    lock: str = ""
    """The index that the project's uv.lock was made with."""
    public: bool = False
    """Whether the file names the public index, after the private one."""


def _project(what: str, declares: str = "", *arguments: str, lock: str = "") -> Way:
    files = {"pyproject.toml": MINE + declares}
    return Way(what, files=files, arguments=("sync", *arguments), lock=lock)


def _requirements(line: str, installs: tuple[str, ...]) -> Way:
    files = {"requirements.txt": f"{line}\nmine\n"}
    what = f"`{line.partition(' ')[0]}` in requirements.txt"
    return Way(what, files=files, arguments=(*installs, "-r", "requirements.txt"))


_UV = (
    *(
        Way(f"`{name}`", {name: PUBLIC})
        for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL")
    ),
    Way("`UV_FIND_LINKS`", {"UV_FIND_LINKS": PAGE}),
    Way(
        "`UV_INDEX_STRATEGY=unsafe-best-match`, with a public index in the file",
        {"UV_INDEX_STRATEGY": "unsafe-best-match"},
        public=True,
    ),
    Way("`UV_NO_CONFIG`", {"UV_NO_CONFIG": "1"}),
    _requirements(f"--index-url {PUBLIC}", UV_INSTALL),
    _requirements(f"--extra-index-url {PUBLIC}", UV_INSTALL),
    _requirements(f"--find-links {PAGE}", UV_INSTALL),
    _project("`[[tool.uv.index]]` in the project", DECLARED),
    _project(
        "`[[tool.uv.index]]` in the project, with `tool.uv.sources` that names it",
        DECLARED + '[tool.uv.sources]\nmine = { index = "public" }\n',
    ),
    _project("`uv sync --locked`, uv.lock made with the public index", "", "--locked", lock=PUBLIC),
    _project("`uv sync --frozen`, uv.lock made with the public index", "", "--frozen", lock=PUBLIC),
    _project("`uv sync --frozen`, uv.lock made with this file", "", "--frozen", lock=PRIVATE),
)
_UV_SYSTEM = (
    Way("`UV_DEFAULT_INDEX`", {"UV_DEFAULT_INDEX": PUBLIC}),
    Way("`UV_INDEX`", {"UV_INDEX": PUBLIC}),
    Way("`UV_NO_CONFIG`", {"UV_NO_CONFIG": "1"}),
    Way("`UV_NO_SYSTEM_CONFIG`", {"UV_NO_SYSTEM_CONFIG": "1"}),
    _project("`[[tool.uv.index]]` in the project", DECLARED),
    _project(
        "`[[tool.uv.index]]` in the project, with `default = true`", DECLARED + "default = true\n"
    ),
    Way(
        "`~/.config/uv/uv.toml` in the image",
        files={"home/.config/uv/uv.toml": DECLARED.replace("tool.uv.", "")},
    ),
)
_PIP = (
    Way("`PIP_INDEX_URL`", {"PIP_INDEX_URL": PUBLIC}),
    Way("`PIP_EXTRA_INDEX_URL`", {"PIP_EXTRA_INDEX_URL": PUBLIC}),
    Way("`PIP_FIND_LINKS`", {"PIP_FIND_LINKS": PAGE}),
    *(
        Way(
            f"`[{section}] {key}` in the image's pip.conf",
            files={"image/pip/pip.conf": f"[{section}]\n{key} = {value}\n"},
        )
        for section in ("global", "install")
        for key, value in (
            ("index-url", PUBLIC), ("extra-index-url", PUBLIC), ("find-links", PAGE)
        )
    ),
    _requirements(f"--index-url {PUBLIC}", PIP_INSTALL),
    _requirements(f"--extra-index-url {PUBLIC}", PIP_INSTALL),
    _requirements(f"--find-links {PAGE}", PIP_INSTALL),
)  # fmt: skip
_PDM_PROJECT = MINE + "[tool.pdm]\ndistribution = false\n"
_PDM = (
    Way("`PDM_PYPI_URL`", {"PDM_PYPI_URL": PUBLIC}),
    Way("`PDM_IGNORE_STORED_INDEX`", {"PDM_IGNORE_STORED_INDEX": "1"}),
    Way(
        "a source in the image's pdm/config.toml",
        files={"image/pdm/config.toml": f'[pypi.public]\nurl = "{PUBLIC}"\n'},
    ),
    Way(
        "`[[tool.pdm.source]]` in the project",
        files={"pyproject.toml": _PDM_PROJECT + DECLARED.replace("uv.index", "pdm.source")},
    ),
)
WAYS: Mapping[str, tuple[Way, ...]] = {
    "uv": _UV, "uv at `/etc/uv`": _UV_SYSTEM, "pip": _PIP, "PDM": _PDM
}  # fmt: skip

_FILES: Mapping[str, tuple[str, OutputFormat, str]] = {
    "uv": ("uv.toml", "UvToml", "UV_CONFIG_FILE"),
    "uv at `/etc/uv`": ("image/uv/uv.toml", "UvToml", ""),
    "pip": ("pip.conf", "PipConf", "PIP_CONFIG_FILE"),
    "PDM": ("config.toml", "PdmToml", "PDM_CONFIG_FILE"),
}
"""Where each client's file is, its format, and the variable that names it."""


_AT_ONCE = 3
"""Runs of clients at once, each of which waits for its servers now and then."""


class _Hosts:
    """A private and a public host, for one run after the other."""

    def __init__(self, stack: ExitStack) -> None:
        self.server = stack.enter_context(IndexServer())
        pypi = stack.enter_context(IndexServer(log=self.server.log))
        self.private = self.server.add_repository(
            "private", make_wheel("mine", "1.0"), accepts=good
        )
        self.public = pypi.add_repository("public", make_wheel("mine", "9.9"))


class _Scene:
    """One run: its own directory, a private and a public host, and the operator's file."""

    def __init__(self, directory: Path, hosts: _Hosts, client: str, version: str) -> None:
        self.directory = directory
        self.server, self._private, self._public = hosts.server, hosts.private, hosts.public
        self.server.clear()
        self._clients = Clients(directory, proxy=f"http://{self.server.netloc}")
        self._client, self._version = client, version

    def run(self, way: Way, undo: Mapping[str, str], *, blocked: bool) -> str:
        """What became of `mine`."""
        for name, text in way.files.items():
            self._clients.write(name, self._filled(text))
        if way.lock:
            self._lock(self._private if way.lock == PRIVATE else self._public)
        env = {name: self._filled(value) for name, value in way.env.items()}
        self._start(way, {**env, **undo}, blocked)
        return self._outcome()

    def _lock(self, made_with: Repository) -> None:
        entry = entry_for(made_with, "acme")
        config = self._clients.write(
            "lock.toml", secret_text("UvToml", document(entry, public=None))
        )
        run = self._clients.uv(self._version, "lock", env={"UV_CONFIG_FILE": str(config)})
        assert run.returncode == 0, run.output
        self.server.clear()

    def _start(self, way: Way, env: Mapping[str, str], blocked: bool) -> None:
        """Run the client with the file where the client looks for it."""
        asked = document(
            entry_for(self._private, "acme", blocked=blocked),
            public=self._public if way.public else None,
        )
        name, form, variable = _FILES[self._client]
        path = self._clients.write(name, secret_text(form, asked))
        env = {"XDG_CONFIG_DIRS": str(self.directory / "image"), **env}
        if variable:
            env[variable] = str(path)
        if form == "UvToml":
            self._clients.uv(self._version, *(way.arguments or (*UV_INSTALL, "mine")), env=env)
        elif form == "PipConf":
            install = way.arguments or (*PIP_INSTALL, "mine")
            self._clients.python(self._version, *install, env=env)
        else:
            if "pyproject.toml" not in way.files:
                self._clients.write("pyproject.toml", _PDM_PROJECT)
            env["PDM_CACHE_DIR"] = str(self.directory / "cache")
            self._clients.python(self._version, "lock", env=env)

    def _filled(self, text: str) -> str:
        page = f"{self._public.url}mine/"
        return text.replace(PUBLIC, self._public.url).replace(PAGE, page)

    def _outcome(self) -> str:
        found = set(self._versions())
        if "9.9" in found:
            return "**public look-alike**"
        if found:
            return "private package"
        if any(host.startswith("pypi.org") for host in self.server.tunnels()):
            return "**asks PyPI**"
        return "stops"

    def _versions(self) -> Iterator[str]:
        for target in ("target", *self.directory.glob(".venv/lib/*/site-packages")):
            for each in self._clients.installed(str(target)):
                yield each.removeprefix("mine==")
        lock = self.directory / "pdm.lock"
        if lock.exists():
            yield from re.findall(r'name = "mine"\nversion = "(.*)"', lock.read_text())


def _undo(client: str, way: Way) -> dict[str, str]:
    return {name: HARMLESS[client][name] for name in way.env if name in HARMLESS[client]}


def _tries(client: str, way: Way) -> list[tuple[Mapping[str, str], bool]]:
    """With the index in the file, with its blocked entry, and the values that undo the row."""
    undo = _undo(client, way)
    return [({}, False), ({}, True), *([(undo, False)] if undo else [])]


def _answer(client: str, way: Way, outcomes: list[str]) -> tuple[str, str, str]:
    """The cells of a row for one release, by what became of each try."""
    served, blocked, *undone = outcomes
    values = ", ".join(f"`{k}={v or _EMPTY}`" for k, v in _undo(client, way).items())
    return served, blocked, values if undone == ["private package"] else ""


def rows(client: str) -> list[tuple[str, ...]]:
    """The rows of one client. A cell in which its releases differ names them."""
    names = [_release(version) for version in VERSIONS[client]]
    free: SimpleQueue[_Hosts] = SimpleQueue()

    def run(version: str, way: Way, undo: Mapping[str, str], blocked: bool) -> str:
        hosts = free.get()
        try:
            with TemporaryDirectory() as directory:
                scene = _Scene(Path(directory), hosts, client, version)
                return scene.run(way, undo, blocked=blocked)
        finally:
            free.put(hosts)

    made = []
    with ExitStack() as stack:
        for _ in range(_AT_ONCE):
            free.put(_Hosts(stack))
        pool = stack.enter_context(ThreadPoolExecutor(_AT_ONCE))
        running = [
            (
                way,
                [
                    [pool.submit(run, version, way, *each) for each in _tries(client, way)]
                    for version in VERSIONS[client]
                ],
            )
            for way in WAYS[client]
        ]
        for way, releases in running:
            answers = [_answer(client, way, [each.result() for each in one]) for one in releases]
            cells = [_cell(names, column) for column in zip(*answers, strict=True)]
            made.append((client, way.what, *cells))
    return made


def _cell(names: list[str], answers: tuple[str, ...]) -> str:
    if len(set(answers)) == 1:
        return answers[0]
    each = zip(names, answers, strict=True)
    return "; ".join(f"{name}: {answer or 'nothing'}" for name, answer in each)


def _release(version: str) -> str:
    """The release behind the name of an environment of `client_pins`."""
    pins = PINS / f"{version}.txt"
    if not pins.exists():
        return version
    name = version.partition("-")[0]
    (found,) = re.findall(rf"^{name}==(.*)$", pins.read_text(), re.MULTILINE)
    return str(found)
