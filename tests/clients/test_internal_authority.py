"""The variables by which clients trust an index's own authority, as the page on builders says."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from artifact_index.formats.document import IndexEntry
from support.client_runs import Clients, Run
from support.index_server import IndexServer, Repository
from support.python_clients import PDM, PIP_FLOOR, PIP_NEWEST, POETRY, TWINE
from support.rendered import secret_text
from support.tls_proxy import TlsProxy
from support.uv_clients import FLOOR, NEWEST
from support.uv_scenes import document, entry_for
from support.wheels import make_wheel

pytestmark = pytest.mark.clients

HOST = "index.corporate.test"
PROJECT = (
    '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["mine"]\n'
    "[tool.pdm]\ndistribution = false\n"
)
POETRY_SOURCE = (
    "[tool.poetry]\npackage-mode = false\n"
    '[[tool.poetry.source]]\nname = "acme"\nurl = "{url}"\npriority = "primary"\n'
)
DOCS = Path(__file__).parents[2] / "docs" / "how-to" / "builders.md"


@pytest.fixture
def proxy(tmp_path: Path, server: IndexServer) -> Iterator[TlsProxy]:
    """Where `https://index.corporate.test` is, with a certificate of its own authority."""
    with TlsProxy(tmp_path, [HOST], int(server.netloc.partition(":")[2])) as running:
        yield running


def _entry(private: Repository) -> IndexEntry:
    private.accepts = None
    url = f"https://{HOST}/pypi/acme/simple/"
    entry = replace(entry_for(private, "acme", login=("u", "p")), url=url)
    return replace(entry, publish_url=url.removesuffix("simple/"))


def _run(clients: Clients, client: str, entry: IndexEntry, env: dict[str, str]) -> Run:
    asked = document(entry, public=None)

    def file(variable: str, kind: str) -> dict[str, str]:
        return {variable: str(clients.write("file", secret_text(kind, asked))), **env}  # type: ignore[arg-type]

    if client in (FLOOR, NEWEST):
        found = file("UV_CONFIG_FILE", "UvToml")
        return clients.uv(client, "pip", "install", "--target", "target", "mine", env=found)
    if client in (PIP_FLOOR, PIP_NEWEST):
        found = file("PIP_CONFIG_FILE", "PipConf")
        return clients.python(client, "install", "--target", "target", "mine", env=found)
    if client == TWINE:
        wheel = make_wheel("fresh", "1.2")
        (clients.directory / wheel.filename).write_bytes(wheel.content)
        pypirc = clients.write(".pypirc", secret_text("Pypirc", asked))
        upload = ("upload", "--config-file", pypirc, "--repository", "acme", wheel.filename)
        return clients.python(TWINE, *upload, env={"TWINE_NON_INTERACTIVE": "1", **env})
    if client == POETRY:
        clients.write("pyproject.toml", PROJECT + POETRY_SOURCE.format(url=entry.url))
        return clients.python(POETRY, "lock", env=env)
    clients.write("pyproject.toml", PROJECT)
    return clients.python(PDM, "lock", env=file("PDM_CONFIG_FILE", "PdmToml"))


@pytest.mark.parametrize(
    ("client", "variable"),
    [
        (FLOOR, "SSL_CERT_FILE"),
        (NEWEST, "SSL_CERT_FILE"),
        (PIP_FLOOR, "PIP_CERT"),
        (PIP_NEWEST, "PIP_CERT"),
        (PDM, "SSL_CERT_FILE"),
        (POETRY, "REQUESTS_CA_BUNDLE"),
        (TWINE, "REQUESTS_CA_BUNDLE"),
    ],
)
def test_a_client_trusts_the_authority_that_its_variable_names(
    clients: Clients, private: Repository, proxy: TlsProxy, client: str, variable: str
) -> None:
    entry = _entry(private)
    through = {"HTTPS_PROXY": proxy.url, "NO_PROXY": ""}

    assert _run(clients, client, entry, through).returncode != 0
    run = _run(clients, client, entry, {**through, variable: str(proxy.ca)})

    assert run.returncode == 0, run.output
    assert HOST in proxy.asked
    assert re.search(rf"name: {variable},", DOCS.read_text())
