"""What clients print when a build stops, as docs/how-to/troubleshooting.md quotes it."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from artifact_index.formats.document import Document
from artifact_index.formats.environment import Environment
from support.client_runs import Clients, Run
from support.index_server import IndexServer, Repository
from support.python_clients import PDM_NEWEST, PIP_NEWEST, POETRY
from support.rendered import secret_text
from support.troubleshooting import quoted
from support.uv_clients import NEWEST
from support.uv_scenes import LOGIN, document, entry_for

pytestmark = pytest.mark.clients

STALE = ("aws", "expired-token")
URL = "https://acme.example/pypi/acme/simple/"
"""What the page writes for the URL of the private index."""
PROJECT = """\
[project]
name = "project"
version = "1"
requires-python = ">=3.11"
dependencies = ["mine"]

[tool.pdm]
distribution = false
"""
POETRY_SOURCE = """
[tool.poetry]
package-mode = false

[[tool.poetry.source]]
name = "acme"
url = "{url}"
priority = "primary"
"""


@dataclass(frozen=True)
class Symptom:
    """How the index answers, and what the file holds."""

    denied_status: int = 401
    login: tuple[str, str] = STALE
    blocked: bool = False
    empty: bool = False


SYMPTOMS = {
    "401": Symptom(401),
    "403": Symptom(403),
    "404": Symptom(login=LOGIN, empty=True),
    ".unavailable.invalid": Symptom(blocked=True),
}


def uv(clients: Clients, asked: Document, private: Repository) -> Run:
    config = clients.write("uv.toml", secret_text("UvToml", asked))
    env = {"UV_CONFIG_FILE": str(config)}
    return clients.uv(NEWEST, "pip", "install", "--target", "target", "mine", env=env)


def pip(clients: Clients, asked: Document, private: Repository) -> Run:
    config = clients.write("pip.conf", secret_text("PipConf", asked))
    env = {"PIP_CONFIG_FILE": str(config)}
    return clients.python(PIP_NEWEST, "install", "--target", "target", "mine", env=env)


def poetry(clients: Clients, asked: Document, private: Repository) -> Run:
    clients.write("pyproject.toml", PROJECT + POETRY_SOURCE.format(url=private.url))
    written = Environment().render_secret(asked).files
    env = {name: value.get_secret_value() for name, value in written.items()}
    return clients.python(POETRY, "lock", env=env)


def pdm(clients: Clients, asked: Document, private: Repository) -> Run:
    config = clients.write("config.toml", secret_text("PdmToml", asked))
    clients.write("pyproject.toml", PROJECT)
    env = {"PDM_CONFIG_FILE": str(config), "PDM_CACHE_DIR": str(clients.directory / "cache")}
    return clients.python(PDM_NEWEST, "lock", env=env)


CLIENTS: dict[str, Callable[[Clients, Document, Repository], Run]] = {
    "uv": uv,
    "pip": pip,
    "Poetry": poetry,
    "PDM": pdm,
}


@pytest.mark.parametrize(("symptom", "client"), quoted())
def test_a_client_says_what_the_page_quotes(
    clients: Clients, server: IndexServer, private: Repository, symptom: str, client: str
) -> None:
    told = SYMPTOMS[symptom]
    private.denied_status = told.denied_status
    if told.empty:
        private.wheels.clear()
    entry = entry_for(private, "acme", login=told.login, blocked=told.blocked)

    run = CLIENTS[client](clients, document(entry, public=None), private)

    assert run.returncode != 0
    said = _folded(run.output.replace(private.url, URL))
    for line in quoted()[symptom, client]:
        assert _folded(line) in said
    assert told.login[1] not in run.output


def _folded(text: str) -> str:
    """Without the line ends and frames by which clients fit the width of a terminal."""
    return re.sub(r"[\s│]+", " ", text)
