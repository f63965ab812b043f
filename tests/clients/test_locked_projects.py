"""Projects with a uv.lock, built with the operator's file: what docs/how-to/uv-lock.md says."""

from dataclasses import replace

import pytest

from artifact_index.formats.document import Document
from support.client_runs import Clients, Run
from support.index_server import IndexServer, Repository
from support.rendered import secret_text
from support.uv_clients import FLOOR, NEWEST
from support.uv_scenes import LOGIN, document, entry_for, good, logins
from support.wheels import make_wheel

pytestmark = pytest.mark.clients

PROJECT = (
    '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["mine"]\n'
)
CUT_OFF = 'exclude-newer = "2026-06-01T00:00:00Z"\n'
SETTINGS = {
    "exclude-newer": CUT_OFF,
    "prerelease": 'prerelease = "allow"\n',
    "resolution": 'resolution = "lowest-direct"\n',
    "index-strategy": 'index-strategy = "unsafe-best-match"\n',
    "fork-strategy": 'fork-strategy = "fewest"\n',
    "exclude-newer-package": "exclude-newer-package = { mine = false }\n",
    "dependency-metadata": (
        '[[tool.uv.dependency-metadata]]\nname = "mine"\nversion = "1.0"\nrequires-dist = []\n'
    ),
    "constraint-dependencies": 'constraint-dependencies = ["mine<2"]\n',
    "override-dependencies": 'override-dependencies = ["mine<2"]\n',
    "environments": "environments = [\"sys_platform == 'linux'\"]\n",
}
HIDDEN = {"exclude-newer", "prerelease", "resolution", "fork-strategy", "dependency-metadata"}
"""Those without which uv rejects the lock."""
HIDDEN_LATER = {"exclude-newer-package"}
"""The same; the oldest uv does not know them."""

versions = pytest.mark.parametrize("version", (FLOOR, NEWEST))


class Builder:
    """A project, and the operator's file in either place."""

    def __init__(self, clients: Clients, version: str) -> None:
        self._clients, self._version = clients, version

    def at_etc(self, asked: Document, *command: str) -> Run:
        """With the file as the system's."""
        path = self._clients.write("etc/uv/uv.toml", secret_text("UvToml", asked))
        return self._uv(command, {"XDG_CONFIG_DIRS": str(path.parents[1])})

    def by_variable(self, asked: Document, *command: str) -> Run:
        """With `UV_CONFIG_FILE`."""
        path = self._clients.write("uv-config.toml", secret_text("UvToml", asked))
        return self._uv(command, {"UV_CONFIG_FILE": str(path)})

    def _uv(self, command: tuple[str, ...], env: dict[str, str]) -> Run:
        return self._clients.uv(self._version, *command, env=env)


@pytest.fixture
def builder(clients: Clients, version: str) -> Builder:
    return Builder(clients, version)


@pytest.fixture
def asked(private: Repository) -> Document:
    return document(entry_for(private, "acme"), public=None)


@versions
@pytest.mark.parametrize("name", SETTINGS)
def test_the_variable_hides_settings_with_which_the_project_was_locked(
    clients: Clients, builder: Builder, asked: Document, name: str, version: str
) -> None:
    """The index gives no upload times, so with a cut-off the lock is made first."""
    cut_off = name == "exclude-newer"
    setting = f"[tool.uv]\n{SETTINGS[name]}"
    clients.write("pyproject.toml", PROJECT + ("" if cut_off else setting))
    locked = builder.at_etc(asked, "lock")
    assert locked.returncode == 0, locked.output
    if cut_off:
        clients.write("pyproject.toml", PROJECT + setting)
        lock = (clients.directory / "uv.lock").read_text()
        head, mark, packages = lock.partition("\n[[package]]")
        clients.write("uv.lock", f"{head}\n[options]\n{CUT_OFF}{mark}{packages}")

    assert builder.at_etc(asked, "sync", "--locked").returncode == 0
    run = builder.by_variable(asked, "sync", "--locked")
    hidden = HIDDEN if version == FLOOR else HIDDEN | HIDDEN_LATER
    assert (run.returncode != 0) == (name in hidden), run.output
    assert builder.by_variable(asked, "sync", "--frozen").returncode == 0


@pytest.mark.parametrize("version", [NEWEST])
def test_an_index_that_is_exempt_builds_with_the_cut_off_of_the_project(
    clients: Clients, builder: Builder, asked: Document
) -> None:
    """`excludeNewer: "false"`, for a project that does not declare the index."""
    (entry,) = asked.entries
    exempt = replace(asked, entries=(replace(entry, exclude_newer="false"),))
    clients.write("pyproject.toml", f"{PROJECT}[tool.uv]\n{CUT_OFF}")
    assert builder.at_etc(asked, "lock").returncode != 0

    for command in (("lock",), ("sync", "--locked"), ("sync", "--frozen")):
        run = builder.at_etc(exempt, *command)
        assert run.returncode == 0, run.output
    assert CUT_OFF in (clients.directory / "uv.lock").read_text()


@versions
@pytest.mark.parametrize("slash", [True, False])
def test_a_lock_made_with_another_slash_is_rejected(
    clients: Clients, server: IndexServer, private: Repository, builder: Builder,
    asked: Document, slash: bool,
) -> None:  # fmt: skip
    """A laptop's URL beside `status.url`, which is what stands in the file."""
    private.url = private.url.rstrip("/") + ("/" if slash else "")
    laptop = document(entry_for(private, "acme"), public=None)
    clients.write("pyproject.toml", PROJECT)
    assert builder.by_variable(laptop, "lock").returncode == 0
    server.clear()

    run = builder.by_variable(asked, "sync", "--locked")
    assert (run.returncode == 0) == slash, run.output
    assert builder.by_variable(asked, "sync", "--frozen").returncode == 0
    assert logins(server.requests()) == {LOGIN}


@versions
def test_a_lock_of_another_stage_is_rejected_or_asks_that_stage(
    clients: Clients, server: IndexServer, pypi: IndexServer, builder: Builder, asked: Document
) -> None:
    dev = pypi.add_repository("dev", make_wheel("mine", "1.0"), accepts=good)
    clients.write("pyproject.toml", PROJECT)
    assert (
        builder.by_variable(document(entry_for(dev, "acme"), public=None), "lock").returncode == 0
    )
    server.clear()

    assert builder.by_variable(asked, "sync", "--locked").returncode != 0
    server.clear()
    assert builder.by_variable(asked, "sync", "--frozen").returncode != 0
    assert logins(server.requests("dev")) == {(None, None)}


@versions
def test_a_frozen_lock_goes_by_its_urls_while_its_index_is_blocked(
    clients: Clients, server: IndexServer, private: Repository, builder: Builder, asked: Document
) -> None:
    """Without a login first; every uv but the oldest then with that of a sibling on the host."""
    clients.write("pyproject.toml", PROJECT)
    assert builder.by_variable(asked, "lock").returncode == 0
    login = ("other", "login")
    sibling = server.add_repository("other", accepts=lambda *given: given == login)
    blocked = document(
        entry_for(sibling, "other", login=login),
        entry_for(private, "acme", blocked=True),
        public=None,
    )
    server.clear()

    for command in (("sync",), ("sync", "--locked"), ("lock", "--check")):
        assert builder.by_variable(blocked, *command).returncode != 0
        assert server.requests("pypi/acme") == []
    assert builder.by_variable(blocked, "sync", "--frozen").returncode != 0
    assert (None, None) in logins(server.requests("pypi/acme"))


@versions
@pytest.mark.parametrize("slash", [True, False])
def test_a_pinned_package_needs_an_index_that_the_project_declares(
    clients: Clients, server: IndexServer, private: Repository, builder: Builder,
    asked: Document, version: str, slash: bool,
) -> None:  # fmt: skip
    """The same name and URL, whatever the slash; the file has the login."""
    pinned = PROJECT + '[tool.uv.sources]\nmine = { index = "acme" }\n'
    clients.write("pyproject.toml", pinned)
    run = builder.by_variable(asked, "lock")
    assert run.returncode != 0 and "undeclared index" in run.output

    url = private.url.rstrip("/") + ("/" if slash else "")
    declared = f'[[tool.uv.index]]\nname = "acme"\nurl = "{url}"\n'
    clients.write("pyproject.toml", pinned + declared)
    run = builder.by_variable(asked, "lock")
    assert run.returncode == 0, run.output

    run = builder.at_etc(asked, "lock", "--upgrade")
    assert run.returncode == 0, run.output
