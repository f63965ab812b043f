"""What an image, a project or an earlier build brings along, beside the operator's file."""

import os
from dataclasses import replace

import pytest

from support.client_runs import Clients
from support.index_server import IndexServer, Repository
from support.python_clients import PIP_FLOOR, PIP_NEWEST
from support.rendered import secret_text
from support.uv_clients import FLOOR, NEWEST
from support.uv_scenes import LOGIN, document, entry_for, good, logins
from support.wheels import make_wheel

pytestmark = pytest.mark.clients

OTHER = ("aws", "newer-token")
INSTALL = ("pip", "install", "--target", "target", "mine")
PROJECT = """\
[project]
name = "project"
version = "1"
requires-python = ">=3.11"
dependencies = ["mine"]

[[tool.uv.index]]
name = "acme"
url = "{url}"

[tool.uv.sources]
mine = {{ index = "acme" }}
"""
KEYRING = """\
#!/bin/sh
echo "$@" >> {log}
echo stale-password
"""


def _mounted(clients: Clients, text: str) -> dict[str, str]:
    return {"UV_CONFIG_FILE": str(clients.write("uv.toml", text))}


@pytest.mark.parametrize("version", [FLOOR, NEWEST])
def test_a_project_s_own_url_may_hold_a_user_name(
    clients: Clients, server: IndexServer, private: Repository, public: Repository, version: str
) -> None:
    """As for keyring. The password comes from the file, but not with the oldest uv."""
    text = secret_text("UvToml", document(entry_for(private, "acme"), public=public))
    url = private.url.replace("http://", f"http://{LOGIN[0]}@")
    clients.write("pyproject.toml", PROJECT.format(url=url))

    run = clients.uv(version, "sync", env=_mounted(clients, text))

    assert (run.returncode == 0) is (version != FLOOR), run.output
    assert server.requests("public") == []
    if version != FLOOR:
        assert LOGIN in logins(server.requests("pypi/acme"))


@pytest.mark.parametrize("version", [FLOOR, NEWEST])
def test_uv_s_cache_outlives_a_token(
    clients: Clients, server: IndexServer, private: Repository, version: str
) -> None:
    """It is by the URL without the login, so that nothing is kept twice."""
    private.accepts = lambda *given: given in (LOGIN, OTHER)
    cache = clients.directory / "cache"
    kept = []
    for number, login in enumerate((LOGIN, OTHER)):
        server.clear()
        text = secret_text("UvToml", document(entry_for(private, "acme", login=login), public=None))
        env = {**_mounted(clients, text), "UV_CACHE_DIR": str(cache)}
        install = ("pip", "install", "--refresh", "--target", f"target-{number}", "mine")
        run = clients.uv(version, *install, env=env)
        assert clients.installed(f"target-{number}") == {"mine==1.0"}, run.output
        assert logins(server.requests()) == {login}
        kept.append(sorted(path.name for path in cache.glob("simple-*/index/*")))

    assert kept[0] == kept[1] and len(kept[0]) == 1


@pytest.mark.parametrize("version", [FLOOR, NEWEST])
@pytest.mark.parametrize("blocked", [False, True])
def test_a_keyring_of_the_image_gives_no_login(
    clients: Clients, server: IndexServer, private: Repository, public: Repository,
    version: str, blocked: bool,
) -> None:  # fmt: skip
    log = clients.directory / "keyring.log"
    clients.write("bin/keyring", KEYRING.format(log=log)).chmod(0o755)
    entry = entry_for(private, "acme", blocked=blocked)
    env = {
        "PATH": f"{clients.directory}/bin:{os.defpath}",
        "UV_KEYRING_PROVIDER": "subprocess",
        **_mounted(clients, secret_text("UvToml", document(entry, public=public))),
    }

    run = clients.uv(version, *INSTALL, env=env)

    asked_for = log.read_text() if log.exists() else ""
    assert private.url not in asked_for and server.netloc not in asked_for
    assert clients.installed("target") == (set() if blocked else {"mine==1.0"}), run.output
    assert logins(server.requests()) == (set() if blocked else {LOGIN})
    assert server.requests("public") == [] and server.tunnels() == []


@pytest.mark.parametrize(
    ("client", "hidden"),
    [(FLOOR, False), (NEWEST, False), (PIP_NEWEST, False), (PIP_FLOOR, False), (PIP_FLOOR, True)],
)
def test_a_stale_netrc_of_the_image_does_not_replace_the_login_of_the_file(
    clients: Clients, server: IndexServer, private: Repository, client: str, hidden: bool
) -> None:
    """Only pip 22.3 takes it, for files, unless `NETRC` leads elsewhere."""
    clients.write("home/.netrc", "machine 127.0.0.1\n  login aws\n  password stale\n")
    asked = document(entry_for(private, "acme"), public=None)
    env = {"NETRC": "/dev/null"} if hidden else {}
    if client in (PIP_NEWEST, PIP_FLOOR):
        config = clients.write("pip.conf", secret_text("PipConf", asked))
        run = clients.python(client, *INSTALL[1:], env={"PIP_CONFIG_FILE": str(config), **env})
    else:
        run = clients.uv(client, *INSTALL, env=_mounted(clients, secret_text("UvToml", asked)))

    taken = client == PIP_FLOOR and not hidden
    assert clients.installed("target") == (set() if taken else {"mine==1.0"}), run.output
    assert (("aws", "stale") in logins(server.requests())) is taken


@pytest.mark.parametrize("version", [FLOOR, NEWEST])
@pytest.mark.parametrize(
    ("prefix", "url"),
    [
        (
            "Acme/My Project/_packaging/feed one/pypi",
            "Acme/My%20Project/_packaging/feed%20one/pypi",
        ),
        ("dl-token-Xy9/acme/python", "dl-token-Xy9/acme/python"),
        ("repository/PyPI-Group", "repository/PyPI-Group"),
        ("root/@scope/a+b", "root/@scope/a+b"),
    ],
)
def test_the_paths_of_registries_are_asked_as_they_are(
    clients: Clients, server: IndexServer, version: str, prefix: str, url: str
) -> None:
    """Azure DevOps with blanks, Cloudsmith with its token in the path, Nexus, devpi."""
    repository = server.add_repository(prefix, make_wheel("mine", "1.0"), accepts=good)
    spelt = repository.url.replace(prefix, url)
    entry = replace(entry_for(repository, "acme"), url=spelt)

    run = clients.uv(
        version,
        *INSTALL,
        env=_mounted(clients, secret_text("UvToml", document(entry, public=None))),
    )

    assert clients.installed("target") == {"mine==1.0"}, run.output
    assert logins(server.requests()) == {LOGIN}
