"""netrc, by uv, pip and curl with `NETRC`."""

import pytest

from artifact_index.formats.netrc import Netrc
from support.client_runs import Clients
from support.index_server import IndexServer, Repository
from support.python_clients import PIPS
from support.rendered import public_text
from support.uv_clients import FOUR_VERSIONS, NEWEST
from support.uv_scenes import LOGIN, document, entry_for, logins

pytestmark = pytest.mark.clients

INSTALL = ("install", "--target", "target", "mine")


def _netrc(clients: Clients, private: Repository, password: str = LOGIN[1]) -> dict[str, str]:
    asked = document(entry_for(private, "acme", login=(LOGIN[0], password)), public=None)
    rendered = Netrc().render_secret(asked)
    assert all(limit.reason == "TooLongForCurl" for limit in rendered.limits)
    return {"NETRC": str(clients.write("netrc", rendered.files["netrc"].get_secret_value()))}


@pytest.mark.parametrize("version", FOUR_VERSIONS)
def test_uv_takes_the_login_of_the_host(
    clients: Clients, server: IndexServer, private: Repository, public: Repository, version: str
) -> None:
    """With the credential-free uv.toml, whose `authenticate` makes uv look it up at once."""
    config = public_text("UvToml", document(entry_for(private, "acme"), public=public))
    env = {"UV_CONFIG_FILE": str(clients.write("uv.toml", config)), **_netrc(clients, private)}

    run = clients.uv(version, "pip", *INSTALL, env=env)

    assert run.returncode == 0, run.output
    assert clients.installed("target") == {"mine==1.0"}
    assert logins(server.requests("pypi/acme")) == {LOGIN}
    assert server.requests("public") == []


@pytest.mark.parametrize("version", FOUR_VERSIONS)
def test_without_the_netrc_uv_stops(
    clients: Clients, server: IndexServer, private: Repository, public: Repository, version: str
) -> None:
    config = public_text("UvToml", document(entry_for(private, "acme"), public=public))
    env = {"UV_CONFIG_FILE": str(clients.write("uv.toml", config))}

    run = clients.uv(version, "pip", *INSTALL, env=env)

    assert run.returncode != 0
    assert server.requests("public") == []


@pytest.mark.parametrize("pip", PIPS)
def test_pip_takes_the_login_of_the_host(
    clients: Clients, server: IndexServer, private: Repository, pip: str
) -> None:
    config = public_text("PipConf", document(entry_for(private, "acme"), public=None))
    conf = clients.write("pip.conf", config)
    env = {"PIP_CONFIG_FILE": str(conf), **_netrc(clients, private)}

    run = clients.python(pip, *INSTALL, env=env)

    assert run.returncode == 0, run.output
    assert clients.installed("target") == {"mine==1.0"}
    assert LOGIN in logins(server.requests())


@pytest.mark.parametrize("password", [LOGIN[1], "p#a;s=s&w%o/r+d:@!$(x)*[]{}<>|^`~'?", "t" * 2400])
def test_curl_sends_the_password_as_it_is(
    clients: Clients, server: IndexServer, private: Repository, password: str
) -> None:
    private.accepts = lambda *given: given == (LOGIN[0], password)
    netrc = _netrc(clients, private, password)["NETRC"]

    run = clients.run(
        "/usr/bin/env", "curl", "--silent", "--fail", "--netrc-file", netrc, private.url, env={}
    )

    assert run.returncode == 0, run.output
    assert "mine" in run.output
    assert logins(server.requests()) == {(LOGIN[0], password)}


@pytest.mark.parametrize("length", [4083, 4084, 5000])
def test_curl_passes_over_a_login_that_is_too_long_and_uv_does_not(
    clients: Clients, server: IndexServer, private: Repository, length: int
) -> None:
    password = "t" * length
    private.accepts = lambda *given: given == (LOGIN[0], password)
    entry = entry_for(private, "acme", login=(LOGIN[0], password))
    limits = Netrc().render_secret(document(entry, public=None)).limits
    netrc = _netrc(clients, private, password)["NETRC"]

    command = ("curl", "--silent", "--fail", "--netrc-file", netrc, private.url)
    run = clients.run("/usr/bin/env", *command, env={})

    assert (run.returncode != 0) is (length > 4083)
    assert [limit.reason for limit in limits] == ["TooLongForCurl"] * (length > 4083)
    config = clients.write("uv.toml", public_text("UvToml", document(entry, public=None)))
    env = {"UV_CONFIG_FILE": str(config), "NETRC": netrc}
    installed = clients.uv(NEWEST, "pip", *INSTALL, env=env)
    assert installed.returncode == 0, installed.output


def test_no_host_but_its_own_gets_the_login(
    clients: Clients, server: IndexServer, private: Repository, public: Repository
) -> None:
    """There is no `default` entry, so a host that asks for a login gets none."""
    refusing = server.add_repository("asks", accepts=lambda *given: False)
    other = refusing.url.replace("127.0.0.1", "localhost")
    netrc = _netrc(clients, private)["NETRC"]

    clients.run("/usr/bin/env", "curl", "--silent", "--netrc-file", netrc, other, env={})

    assert logins(server.requests("asks")) == {(None, None)}
