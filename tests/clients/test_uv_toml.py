"""uv.toml, by every command of uv that asks an index, in four versions."""

from dataclasses import replace

import pytest

from artifact_index.formats.document import Document
from support.client_runs import Clients, Run
from support.index_server import IndexServer, Repository
from support.rendered import secret_text
from support.uv_clients import FLOOR, FOUR_VERSIONS
from support.uv_scenes import LOGIN, document, entry_for, logins
from support.wheels import make_wheel

pytestmark = pytest.mark.clients

STALE = ("aws", "expired-token")
PROJECT = """\
[project]
name = "project"
version = "1"
requires-python = ">=3.11"
dependencies = [{dependency}]
"""
COMMANDS = {
    "lock": ("lock",),
    "sync": ("sync",),
    "pip install": ("pip", "install", "--target", "target", "mine"),
    "add": ("add", "mine"),
    "tool install": ("tool", "install", "mine"),
}


def _run(clients: Clients, version: str, command: str, asked: Document) -> Run:
    config = clients.write("uv.toml", secret_text("UvToml", asked))
    dependency = '"mine"' if command in ("lock", "sync") else ""
    clients.write("pyproject.toml", PROJECT.format(dependency=dependency))
    env = {
        "UV_CONFIG_FILE": str(config),
        "UV_TOOL_DIR": str(clients.directory / "tools"),
        "UV_TOOL_BIN_DIR": str(clients.directory / "bin"),
    }
    return clients.uv(version, *COMMANDS[command], env=env)


@pytest.mark.parametrize("version", FOUR_VERSIONS)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_the_private_package_with_its_login(
    clients: Clients, server: IndexServer, private: Repository, public: Repository,
    version: str, command: str,
) -> None:  # fmt: skip
    run = _run(clients, version, command, document(entry_for(private, "acme"), public=public))

    assert run.returncode == 0, run.output
    assert logins(server.requests("pypi/acme")) == {LOGIN}
    assert server.requests("public") == []  # the look-alike is not even asked for
    assert server.tunnels() == []
    assert LOGIN[1] not in run.output
    for written in ("uv.lock", "pyproject.toml"):
        path = clients.directory / written
        assert not path.exists() or LOGIN[1] not in path.read_text()


@pytest.mark.parametrize("version", FOUR_VERSIONS)
@pytest.mark.parametrize("command", COMMANDS)
def test_with_a_stale_token_every_command_stops(
    clients: Clients, server: IndexServer, private: Repository, public: Repository,
    version: str, command: str,
) -> None:  # fmt: skip
    stale = entry_for(private, "acme", login=STALE)

    run = _run(clients, version, command, document(stale, public=public))

    assert run.returncode != 0
    assert logins(server.requests("pypi/acme")) == {STALE}
    assert server.requests("public") == []


@pytest.mark.parametrize("version", FOUR_VERSIONS)
def test_uv_publishes_a_wheel_and_installs_it_again(
    clients: Clients, server: IndexServer, private: Repository, version: str
) -> None:
    entry = replace(entry_for(private, "acme"), publish_url=private.publish_url)
    config = clients.write("uv.toml", secret_text("UvToml", document(entry, public=None)))
    wheel = make_wheel("fresh", "1.2")
    (clients.directory / wheel.filename).write_bytes(wheel.content)
    env = {"UV_CONFIG_FILE": str(config)}

    published = clients.uv(version, "publish", "--index", "acme", wheel.filename, env=env)
    assert published.returncode == 0, published.output
    assert private.wheels["fresh"][wheel.filename].content == wheel.content

    run = clients.uv(version, "pip", "install", "--target", "target", "fresh", env=env)
    assert run.returncode == 0, run.output
    assert clients.installed("target") == {"fresh==1.2"}
    assert logins(server.requests()) == {LOGIN}
    posts = [request for request in server.requests() if request.method == "POST"]
    assert {post.path for post in posts} == {"/pypi/acme/"}


@pytest.mark.parametrize("version", FOUR_VERSIONS)
def test_uv_publishes_nothing_with_a_stale_token(
    clients: Clients, private: Repository, version: str
) -> None:
    stale = replace(entry_for(private, "acme", login=STALE), publish_url=private.publish_url)
    config = clients.write("uv.toml", secret_text("UvToml", document(stale, public=None)))
    wheel = make_wheel("fresh", "1.2")
    (clients.directory / wheel.filename).write_bytes(wheel.content)

    env = {"UV_CONFIG_FILE": str(config)}
    run = clients.uv(version, "publish", "--index", "acme", wheel.filename, env=env)

    assert run.returncode != 0
    assert "fresh" not in private.wheels


@pytest.mark.parametrize("version", FOUR_VERSIONS)
def test_uv_publishes_with_a_token_that_has_no_user_name(
    clients: Clients, server: IndexServer, private: Repository, version: str
) -> None:
    """uv refuses it in `publish-url`, and takes the login of the index there; the oldest stops."""
    login = ("", "token-only")
    private.accepts = lambda *given: given == login
    entry = replace(entry_for(private, "acme", login=login), publish_url=private.publish_url)
    config = clients.write("uv.toml", secret_text("UvToml", document(entry, public=None)))
    wheel = make_wheel("fresh", "1.2")
    (clients.directory / wheel.filename).write_bytes(wheel.content)

    env = {"UV_CONFIG_FILE": str(config)}
    run = clients.uv(version, "publish", "--index", "acme", wheel.filename, env=env)

    assert (run.returncode == 0) == (version != FLOOR), run.output
    assert ("fresh" in private.wheels) == (version != FLOOR)
    assert logins(server.requests()) == {login}


@pytest.mark.parametrize("version", FOUR_VERSIONS[1:])
@pytest.mark.parametrize("login", [("uploader", "t/o=k%41:@"), ("uploader", "plain")])
def test_uv_uploads_with_a_login_that_needs_encoding(
    clients: Clients, server: IndexServer, private: Repository, version: str, login: tuple[str, str]
) -> None:
    """By its user name, although an index before it has another login on that host."""
    upload = entry_for(private, "acme-upload", login=login, explicit=True)
    upload = replace(upload, publish_url=private.publish_url)
    private.accepts = lambda *given: given in (LOGIN, login)
    text = secret_text("UvToml", document(entry_for(private, "acme"), upload, public=None))
    wheel = make_wheel("fresh", "1.2")
    (clients.directory / wheel.filename).write_bytes(wheel.content)

    env = {"UV_CONFIG_FILE": str(clients.write("uv.toml", text))}
    run = clients.uv(version, "publish", "--index", "acme-upload", wheel.filename, env=env)

    assert run.returncode == 0, run.output
    assert logins(server.requests()) == {login}


DEFAULT = '\n[[tool.uv.index]]\nurl = "{url}"\ndefault = true\n'


@pytest.mark.parametrize("version", FOUR_VERSIONS)
@pytest.mark.parametrize("blocked", [False, True])
def test_a_project_s_own_default_does_not_remove_the_private_index(
    clients: Clients, server: IndexServer, private: Repository, public: Repository,
    version: str, blocked: bool,
) -> None:  # fmt: skip
    """Beside the file at `/etc/uv`, which uv merges with the project's settings."""
    asked = document(entry_for(private, "acme", blocked=blocked), public=None)
    config = clients.write("system/uv/uv.toml", secret_text("UvToml", asked))
    project = PROJECT.format(dependency='"mine"') + DEFAULT.format(url=public.url)
    clients.write("pyproject.toml", project)

    run = clients.uv(version, "lock", env={"XDG_CONFIG_DIRS": str(config.parents[1])})

    assert (run.returncode == 0) != blocked, run.output
    lock = clients.directory / "uv.lock"
    assert lock.exists() != blocked
    assert blocked or 'version = "1.0"' in lock.read_text()
    assert server.requests("public") == []


@pytest.mark.parametrize("version", FOUR_VERSIONS)
def test_a_lock_stays_good_whichever_name_is_the_default(
    clients: Clients, private: Repository, version: str
) -> None:
    """Older operators marked the index itself: locks that were made so pass with the new file."""
    asked = document(entry_for(private, "acme"), public=None)
    text = secret_text("UvToml", asked)
    older = text[: text.rindex("[[index]]")].rstrip() + "\ndefault = true\n"
    clients.write("pyproject.toml", PROJECT.format(dependency='"mine"'))

    for file, check in ((older, ()), (text, ("--check",)), (older, ("--check",))):
        env = {"UV_CONFIG_FILE": str(clients.write("uv.toml", file))}
        run = clients.uv(version, "lock", *check, env=env)
        assert run.returncode == 0, run.output


def test_a_file_of_500_indexes_works(
    clients: Clients, server: IndexServer, private: Repository, public: Repository
) -> None:
    """The package is in the last of them: each of the others is asked first, with its own login."""
    entries = []
    for number in range(499):
        login = ("aws", f"token-{number}")
        empty = server.add_repository(
            f"many/{number}", accepts=lambda *given, login=login: given == login
        )
        entries.append(entry_for(empty, f"index-{number}", login=login))
    asked = document(*entries, entry_for(private, "acme"), public=public)
    config = clients.write("uv.toml", secret_text("UvToml", asked))

    env = {"UV_CONFIG_FILE": str(config)}
    arguments = ("pip", "install", "--target", "target", "mine")
    run = clients.uv(FOUR_VERSIONS[-1], *arguments, env=env)

    assert run.returncode == 0, run.output
    assert clients.installed("target") == {"mine==1.0"}
    for number in range(499):
        assert logins(server.requests(f"many/{number}")) == {("aws", f"token-{number}")}
