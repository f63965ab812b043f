"""PDM's config.toml, by PDM with `PDM_CONFIG_FILE`."""

import pytest

from artifact_index.formats.document import Document
from support.client_runs import Clients, Run
from support.index_server import IndexServer, Repository
from support.python_clients import PDM
from support.rendered import secret_text
from support.uv_scenes import LOGIN, document, entry_for, logins

pytestmark = pytest.mark.clients

PROJECT = """\
[project]
name = "project"
version = "1"
requires-python = ">=3.11"
dependencies = ["{dependency}"]

[tool.pdm]
distribution = false
"""
SOURCE = """
[[tool.pdm.source]]
name = "acme"
url = "{url}"
"""
STALE = ("aws", "expired-token")


def pdm(
    clients: Clients, command: str, asked: Document, *, source: str = "", dependency: str = "mine"
) -> Run:
    text = secret_text("PdmToml", asked)
    config = clients.write("config.toml", text)
    clients.write("pyproject.toml", PROJECT.format(dependency=dependency) + source)
    env = {"PDM_CONFIG_FILE": str(config), "PDM_CACHE_DIR": str(clients.directory / "cache")}
    return clients.python(PDM, command, env=env)


def test_pdm_installs_from_a_stored_source_with_its_login(
    clients: Clients, server: IndexServer, private: Repository
) -> None:
    run = pdm(clients, "install", document(entry_for(private, "acme"), public=None))

    assert run.returncode == 0, run.output
    assert list(clients.directory.glob("__pypackages__/*/lib/mine.py"))
    assert logins(server.requests()) == {LOGIN}
    assert server.tunnels() == []
    assert LOGIN[1] not in (clients.directory / "pdm.lock").read_text()


def test_a_project_that_declares_the_source_by_its_name_gets_the_login(
    clients: Clients, server: IndexServer, private: Repository
) -> None:
    asked = document(entry_for(private, "acme"), public=None)

    run = pdm(clients, "lock", asked, source=SOURCE.format(url=private.url))

    assert run.returncode == 0, run.output
    assert logins(server.requests()) == {LOGIN}


@pytest.mark.parametrize(
    "login", [("us@er", "p:/?#[]@!$&'()*+,;=%41 ${HOME}\"\\"), ("u", "t" * 2400)]
)
def test_pdm_sends_any_login_as_it_is(
    clients: Clients, server: IndexServer, private: Repository, login: tuple[str, str]
) -> None:
    private.accepts = lambda *given: given == login

    run = pdm(clients, "lock", document(entry_for(private, "acme", login=login), public=None))

    assert run.returncode == 0, run.output
    assert logins(server.requests()) == {login}


def test_without_a_public_index_a_stale_token_stops_pdm(
    clients: Clients, server: IndexServer, private: Repository, public: Repository
) -> None:
    asked = document(entry_for(private, "acme", login=STALE), public=None)

    run = pdm(clients, "lock", asked)

    assert run.returncode != 0
    assert logins(server.requests()) <= {STALE}
    assert server.tunnels() == []


@pytest.mark.parametrize("dependency", ["mine", "other"])
def test_a_blocked_index_stops_pdm_before_the_public_look_alike(
    clients: Clients, server: IndexServer, private: Repository, public: Repository, dependency: str
) -> None:
    asked = document(entry_for(private, "acme", blocked=True), public=public)

    run = pdm(clients, "lock", asked, dependency=dependency)

    assert run.returncode != 0
    assert server.requests("public") == []
