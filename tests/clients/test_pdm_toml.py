"""PDM's config.toml, by PDM with `PDM_CONFIG_FILE`."""

from dataclasses import replace

import pytest

from artifact_index.formats.document import Document
from support.blocked import COMMAND
from support.client_runs import Clients, Run
from support.index_server import IndexServer, Repository
from support.python_clients import PDMS
from support.rendered import secret_text
from support.uv_scenes import LOGIN, document, entry_for, logins
from support.wheels import make_wheel

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
    clients: Clients, version: str, command: str, asked: Document, *, source: str = "",
    dependency: str = "mine", arguments: tuple[str, ...] = (),
) -> Run:  # fmt: skip
    text = secret_text("PdmToml", asked)
    config = clients.write("config.toml", text)
    clients.write("pyproject.toml", PROJECT.format(dependency=dependency) + source)
    env = {"PDM_CONFIG_FILE": str(config), "PDM_CACHE_DIR": str(clients.directory / "cache")}
    return clients.python(version, command, *arguments, env=env)


@pytest.mark.parametrize("version", PDMS)
def test_pdm_installs_from_a_stored_source_with_its_login(
    clients: Clients, server: IndexServer, private: Repository, version: str
) -> None:
    run = pdm(clients, version, "install", document(entry_for(private, "acme"), public=None))

    assert run.returncode == 0, run.output
    assert list(clients.directory.glob("__pypackages__/*/lib/mine.py"))
    assert logins(server.requests()) == {LOGIN}
    assert server.tunnels() == []
    assert LOGIN[1] not in (clients.directory / "pdm.lock").read_text()


@pytest.mark.parametrize("version", PDMS)
def test_a_project_that_declares_the_source_by_its_name_gets_the_login(
    clients: Clients, server: IndexServer, private: Repository, version: str
) -> None:
    asked = document(entry_for(private, "acme"), public=None)

    run = pdm(clients, version, "lock", asked, source=SOURCE.format(url=private.url))

    assert run.returncode == 0, run.output
    assert logins(server.requests()) == {LOGIN}


@pytest.mark.parametrize("version", PDMS)
@pytest.mark.parametrize(
    "login", [("us@er", "p:/?#[]@!$&'()*+,;=%41 ${HOME}\"\\"), ("u", "t" * 2400)]
)
def test_pdm_sends_any_login_as_it_is(
    clients: Clients, server: IndexServer, private: Repository, login: tuple[str, str], version: str
) -> None:
    private.accepts = lambda *given: given == login

    asked = document(entry_for(private, "acme", login=login), public=None)
    run = pdm(clients, version, "lock", asked)

    assert run.returncode == 0, run.output
    assert logins(server.requests()) == {login}


@pytest.mark.parametrize("version", PDMS)
def test_without_a_public_index_a_stale_token_stops_pdm(
    clients: Clients, server: IndexServer, private: Repository, public: Repository, version: str
) -> None:
    asked = document(entry_for(private, "acme", login=STALE), public=None)

    run = pdm(clients, version, "lock", asked)

    assert run.returncode != 0
    assert logins(server.requests()) <= {STALE}
    assert server.tunnels() == []


@pytest.mark.parametrize("version", PDMS)
@pytest.mark.parametrize("dependency", ["mine", "other"])
def test_a_blocked_index_stops_pdm_before_the_public_look_alike(
    clients: Clients,
    server: IndexServer,
    private: Repository,
    public: Repository,
    dependency: str,
    version: str,
) -> None:
    asked = document(entry_for(private, "acme", blocked=True), public=public)

    run = pdm(clients, version, "lock", asked, dependency=dependency)

    assert run.returncode != 0
    assert server.requests("public") == []
    # It prints no URL by itself, not even with -v.
    shown = pdm(clients, version, "config", asked, arguments=("pypi.url",))
    assert f"https://acme.unavailable.invalid/{COMMAND}/simple/" in shown.output


@pytest.mark.parametrize("version", PDMS)
def test_the_url_of_the_image_gets_no_login(
    clients: Clients, server: IndexServer, private: Repository, public: Repository, version: str
) -> None:
    """`PDM_PYPI_URL` takes the place of the URL in `[pypi]`, and keeps the login beside it."""
    config = secret_text("PdmToml", document(entry_for(private, "acme"), public=None))
    clients.write("pyproject.toml", PROJECT.format(dependency="mine"))
    env = {
        "PDM_CONFIG_FILE": str(clients.write("config.toml", config)),
        "PDM_CACHE_DIR": str(clients.directory / "cache"),
        "PDM_PYPI_URL": public.url,
    }

    clients.python(version, "lock", env=env)

    assert logins(server.requests("public")) == {(None, None)}
    assert logins(server.requests("pypi/acme")) == {LOGIN}


@pytest.mark.parametrize("version", PDMS)
@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("login", [LOGIN, STALE])
def test_pdm_publishes_to_the_index_by_its_name(
    clients: Clients,
    server: IndexServer,
    private: Repository,
    login: tuple[str, str],
    explicit: bool,
    version: str,
) -> None:
    """It would not search an explicit index, but it uploads to it."""
    entry = entry_for(private, "acme", login=login, explicit=explicit)
    asked = document(replace(entry, publish_url=private.publish_url), public=None)
    wheel = make_wheel("fresh", "1.2")
    clients.write(f"dist/{wheel.filename}", "")
    (clients.directory / "dist" / wheel.filename).write_bytes(wheel.content)

    run = pdm(clients, version, "publish", asked, arguments=("--no-build", "-r", "acme"))

    assert (run.returncode == 0) == (login != STALE), run.output
    assert ("fresh" in private.wheels) == (login != STALE)
    assert {(r.method, r.path) for r in server.requests()} == {("POST", "/pypi/acme/")}
    assert logins(server.requests()) == {login}
