"""A page of links (`format: flat`) that asks for a login, by every client that takes one."""

from dataclasses import replace

import pytest

from artifact_index.formats.document import Document, IndexEntry
from artifact_index.formats.environment import Environment
from support.client_runs import Clients, Run
from support.index_server import IndexServer, Repository
from support.python_clients import PDMS, PIPS
from support.rendered import public_text, secret_text
from support.uv_clients import FLOOR, NEWEST
from support.uv_scenes import LOGIN, document, entry_for, logins

pytestmark = pytest.mark.clients

UV = (FLOOR, NEWEST)
PROJECT = (
    '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["mine"]\n'
)
STALE = ("aws", "expired-token")


def page_of(private: Repository, login: tuple[str, str] = LOGIN) -> IndexEntry:
    """The page with links to the files of `mine`, which lie elsewhere on the host."""
    entry = entry_for(private, "acme", login=login)
    return replace(entry, url=f"{private.url}mine/", flat=True)


def uv(clients: Clients, version: str, asked: Document, *command: str) -> Run:
    config = clients.write("uv.toml", secret_text("UvToml", asked))
    clients.write("pyproject.toml", PROJECT)
    arguments = command or ("pip", "install", "--target", "target", "mine")
    return clients.uv(version, *arguments, env={"UV_CONFIG_FILE": str(config)})


def pip(clients: Clients, version: str, asked: Document) -> Run:
    config = clients.write("pip.conf", secret_text("PipConf", asked))
    env = {"PIP_CONFIG_FILE": str(config)}
    return clients.python(version, "install", "--no-deps", "--target", "target", "mine", env=env)


@pytest.mark.parametrize("version", UV)
@pytest.mark.parametrize("with_public", [True, False])
def test_uv_takes_the_private_package_from_the_page(
    clients: Clients, server: IndexServer, private: Repository, public: Repository,
    version: str, with_public: bool,
) -> None:  # fmt: skip
    asked = document(page_of(private), public=public if with_public else None)

    assert uv(clients, version, asked).returncode == 0
    assert clients.installed("target") == {"mine==1.0"}
    assert LOGIN in logins(server.requests("pypi/acme"))
    assert server.requests("public") == [] and server.tunnels() == []
    for command in (("lock",), ("sync", "--locked"), ("sync", "--frozen")):
        run = uv(clients, version, asked, *command)
        assert run.returncode == 0, run.output
    assert LOGIN[1] not in (clients.directory / "uv.lock").read_text()


@pytest.mark.parametrize("version", UV)
def test_uv_takes_the_login_of_a_page_from_variables(
    clients: Clients, server: IndexServer, private: Repository, public: Repository, version: str
) -> None:
    asked = document(page_of(private), public=public)
    variables = Environment().render_secret(asked).files
    config = clients.write("uv.toml", public_text("UvToml", asked))
    env = {"UV_CONFIG_FILE": str(config)}
    env |= {name: text.get_secret_value() for name, text in variables.items()}

    run = clients.uv(version, "pip", "install", "--target", "target", "mine", env=env)

    assert run.returncode == 0, run.output
    assert clients.installed("target") == {"mine==1.0"} and server.requests("public") == []


@pytest.mark.parametrize("version", UV)
@pytest.mark.parametrize("status", [401, 403, 404])
def test_uv_stops_at_a_page_that_rejects_the_login_or_is_not_there(
    clients: Clients, server: IndexServer, private: Repository, public: Repository,
    version: str, status: int,
) -> None:  # fmt: skip
    private.denied_status = status

    assert uv(clients, version, document(page_of(private, STALE), public=public)).returncode != 0
    assert server.requests("public") == []


@pytest.mark.parametrize("version", UV)
def test_uv_stops_at_a_page_that_is_blocked(
    clients: Clients, server: IndexServer, private: Repository, public: Repository, version: str
) -> None:
    blocked = replace(page_of(private), blocked=True)

    assert uv(clients, version, document(blocked, public=public)).returncode != 0
    assert server.requests() == []


@pytest.mark.parametrize("version", UV)
def test_without_its_format_uv_passes_over_the_page(
    clients: Clients, private: Repository, public: Repository, version: str
) -> None:
    """Why a URL that ends in `.html` is rejected without `spec.format`."""
    simple = replace(page_of(private), flat=False)

    assert uv(clients, version, document(simple, public=public)).returncode == 0
    assert clients.installed("target") == {"mine==9.9"}


@pytest.mark.parametrize("version", PIPS)
def test_pip_takes_the_private_package_from_the_page(
    clients: Clients, server: IndexServer, private: Repository, version: str
) -> None:
    run = pip(clients, version, document(page_of(private), public=None))

    assert run.returncode == 0, run.output
    assert clients.installed("target") == {"mine==1.0"}
    assert logins(server.requests()) == {LOGIN} and server.tunnels() == []
    assert LOGIN[1] not in run.output


@pytest.mark.parametrize("version", PIPS)
@pytest.mark.parametrize("blocked", [True, False])
def test_pip_stops_if_it_cannot_read_the_page(
    clients: Clients, server: IndexServer, private: Repository, public: Repository,
    version: str, blocked: bool,
) -> None:  # fmt: skip
    """With a public index only while the page is blocked, as with any index."""
    page = replace(page_of(private, STALE), blocked=blocked)

    assert pip(clients, version, document(page, public=public if blocked else None)).returncode != 0
    assert server.requests("public") == []
    assert set(server.tunnels()) <= {"acme.unavailable.invalid:443"}


@pytest.mark.parametrize("version", PDMS)
def test_pdm_takes_the_private_package_from_the_page(
    clients: Clients, server: IndexServer, private: Repository, version: str
) -> None:
    asked = document(page_of(private), public=None)
    config = clients.write("config.toml", secret_text("PdmToml", asked))
    clients.write("pyproject.toml", PROJECT + "[tool.pdm]\ndistribution = false\n")
    env = {"PDM_CONFIG_FILE": str(config), "PDM_CACHE_DIR": str(clients.directory / "cache")}

    run = clients.python(version, "install", env=env)

    assert run.returncode == 0, run.output
    assert list(clients.directory.glob("__pypackages__/*/lib/mine.py"))
    assert logins(server.requests()) == {LOGIN} and server.tunnels() == []
