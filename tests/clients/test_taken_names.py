"""Two indexes that ask for one name: every client stops at the one that is not served."""

from dataclasses import replace

import pytest

from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.reconcile.plan.outputs import document_of
from support.client_runs import Clients, Run
from support.index_server import IndexServer, Repository
from support.python_clients import PDM_NEWEST, PIP_NEWEST
from support.reconcile_builders import POLICY, index, index_state, plans_from, source
from support.rendered import secret_text
from support.uv_clients import FLOOR, NEWEST
from support.uv_scenes import good
from support.wheels import make_wheel

pytestmark = pytest.mark.clients

PROJECT = """\
[project]
name = "p"
version = "1"
requires-python = ">=3.11"
dependencies = ["{package}"]
[tool.pdm]
distribution = false
"""


def _install(
    clients: Clients, client: str, spec: IndexOptionsSpec, urls: list[str], what: str
) -> Run:
    """Install a package with the file of two indexes that are both called `acme`."""
    policy = replace(POLICY, allow_http=True)
    document = document_of(spec, plans_from(*(
        index_state(index(f"i{n}", {**source("basicAuth", url=url), "name": "acme"},
                          created=f"2026-01-0{n + 1}T00:00:00Z"),
                    policy=policy, values={"username": "aws", "password": "good-token"})
        for n, url in enumerate(urls))))  # fmt: skip
    install = ("install", "--target", "target", what)
    if client == PIP_NEWEST:
        file = clients.write("pip.conf", secret_text("PipConf", document))
        return clients.python(client, *install, env={"PIP_CONFIG_FILE": str(file)})
    if client == PDM_NEWEST:
        file = clients.write("config.toml", secret_text("PdmToml", document))
        clients.write("pyproject.toml", PROJECT.format(package=what))
        env = {"PDM_CONFIG_FILE": str(file), "PDM_CACHE_DIR": str(clients.directory / "cache")}
        return clients.python(client, "lock", env=env)
    file = clients.write("uv.toml", secret_text("UvToml", document))
    return clients.uv(client, "pip", *install, env={"UV_CONFIG_FILE": str(file)})


@pytest.mark.parametrize("client", [FLOOR, NEWEST, PIP_NEWEST, PDM_NEWEST])
def test_a_package_of_the_younger_is_not_looked_for_on_the_public_index(
    clients: Clients, server: IndexServer, private: Repository, public: Repository, client: str
) -> None:
    """The older has other packages, and uv still finds them."""
    older = server.add_repository("pypi/older", make_wheel("of-older", "1.0"), accepts=good)
    spec = IndexOptionsSpec.model_validate({"publicIndex": {"url": public.url}})

    run = _install(clients, client, spec, [older.url, private.url], "mine")

    assert run.returncode != 0, run.output
    assert [r for r in server.requests() if "mine" in r.path and r.status == 200] == []
    if client in (FLOOR, NEWEST):
        _install(clients, client, spec, [older.url, private.url], "of-older")
        assert clients.installed("target") == {"of-older==1.0"}
