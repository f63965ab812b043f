"""pip.conf, by the oldest pip of Python 3.11 and the newest, with `PIP_CONFIG_FILE`."""

import pytest

from artifact_index.formats.document import Document
from support.blocked import COMMAND
from support.client_runs import Clients, Run
from support.index_server import IndexServer, Repository
from support.python_clients import PIP_FLOOR, PIPS
from support.rendered import secret_text
from support.uv_scenes import LOGIN, document, entry_for, logins
from support.wheels import make_wheel

pytestmark = pytest.mark.clients

STALE = ("aws", "expired-token")


def install(clients: Clients, pip: str, asked: Document, *packages: str) -> Run:
    text = secret_text("PipConf", asked)
    env = {"PIP_CONFIG_FILE": str(clients.write("pip.conf", text))}
    return clients.python(pip, "install", "--target", "target", *packages, env=env)


@pytest.mark.parametrize("pip", PIPS)
def test_pip_installs_with_the_login_in_the_url(
    clients: Clients, server: IndexServer, private: Repository, pip: str
) -> None:
    run = install(clients, pip, document(entry_for(private, "acme"), public=None), "mine")

    assert run.returncode == 0, run.output
    assert clients.installed("target") == {"mine==1.0"}
    assert logins(server.requests()) == {LOGIN}
    assert server.tunnels() == []
    assert LOGIN[1] not in run.output


@pytest.mark.parametrize("pip", PIPS)
@pytest.mark.parametrize(
    "login", [("us@er", "p:/?#[]@!$&'()*+,;=%41 \"\\"), ("", "only"), ("token", "")]
)
def test_pip_sends_any_login_as_it_is(
    clients: Clients, server: IndexServer, private: Repository, pip: str, login: tuple[str, str]
) -> None:
    private.accepts = lambda *given: given == login

    asked = document(entry_for(private, "acme", login=login), public=None)
    run = install(clients, pip, asked, "mine")

    assert run.returncode == 0, run.output
    assert login in logins(server.requests())


@pytest.mark.parametrize("pip", PIPS)
def test_each_of_two_indexes_gets_its_own_login(
    clients: Clients, server: IndexServer, private: Repository, pip: str
) -> None:
    login = ("oauth2accesstoken", "second-token")
    second = server.add_repository(
        "second", make_wheel("theirs", "1.0"), accepts=lambda *given: given == login
    )
    asked = document(
        entry_for(private, "acme"), entry_for(second, "second", login=login), public=None
    )

    run = install(clients, pip, asked, "mine", "theirs")

    pages = [request for request in server.requests() if "/simple/" in request.path]
    assert logins(page for page in pages if page.path.startswith("/second/")) == {login}
    assert logins(page for page in pages if page.path.startswith("/pypi/acme/")) == {LOGIN}
    if pip == PIP_FLOOR:
        # It takes one of the two for all files of the host: the wrong one stops it.
        assert run.returncode != 0
        assert clients.installed("target") == set()
    else:
        assert run.returncode == 0, run.output
        assert clients.installed("target") == {"mine==1.0", "theirs==1.0"}
        assert logins(server.requests()) == {LOGIN, login}


@pytest.mark.parametrize("pip", PIPS)
def test_without_a_public_index_a_stale_token_stops_pip(
    clients: Clients, server: IndexServer, private: Repository, public: Repository, pip: str
) -> None:
    """With one it does not: see the row FormatWithoutOrder in test_dependency_confusion.py."""
    asked = document(entry_for(private, "acme", login=STALE), public=None)

    run = install(clients, pip, asked, "mine")

    assert run.returncode != 0
    assert server.tunnels() == []


@pytest.mark.parametrize("pip", PIPS)
@pytest.mark.parametrize("package", ["mine", "other"])
def test_a_blocked_index_stops_pip_before_the_public_look_alike(
    clients: Clients, server: IndexServer, private: Repository, public: Repository,
    pip: str, package: str,
) -> None:  # fmt: skip
    asked = document(entry_for(private, "acme", blocked=True), public=public)

    run = install(clients, pip, asked, package)

    assert run.returncode != 0
    assert server.requests("public") == []
    assert f"https://acme.unavailable.invalid/{COMMAND}/simple/" in run.output


@pytest.mark.parametrize("pip", PIPS)
def test_with_no_index_pip_asks_nobody(clients: Clients, server: IndexServer, pip: str) -> None:
    run = install(clients, pip, document(public=None), "mine")

    assert run.returncode != 0
    assert server.requests() == []


@pytest.mark.parametrize("pip", PIPS)
def test_an_explicit_index_is_not_asked(
    clients: Clients, server: IndexServer, private: Repository, public: Repository, pip: str
) -> None:
    asked = document(entry_for(private, "acme", explicit=True), public=public)

    run = install(clients, pip, asked, "other")

    assert run.returncode == 0, run.output
    assert server.requests("pypi/acme") == []


@pytest.mark.parametrize("pip", PIPS)
@pytest.mark.parametrize("key", ["extra-index-url", "extra_index_url", "find-links"])
@pytest.mark.parametrize("blocked", [False, True])
def test_the_file_of_the_image_adds_nothing(
    clients: Clients, server: IndexServer, private: Repository, public: Repository,
    pip: str, key: str, blocked: bool,
) -> None:  # fmt: skip
    """pip merges it with ours key by key, and takes the look-alike from whatever it adds."""
    url = f"{public.url}mine/" if key == "find-links" else public.url
    image = clients.write("etc/pip/pip.conf", f"[global]\n{key} = {url}\n")
    asked = document(entry_for(private, "acme", blocked=blocked), public=None)
    ours = clients.write("pip.conf", secret_text("PipConf", asked))

    env = {"PIP_CONFIG_FILE": str(ours), "XDG_CONFIG_DIRS": str(image.parents[1])}
    clients.python(pip, "install", "--target", "target", "mine", env=env)

    assert clients.installed("target") == (set() if blocked else {"mine==1.0"})
    assert server.requests("public") == []
