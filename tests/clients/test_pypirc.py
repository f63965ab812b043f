"""The .pypirc, by a real upload of twine and an install of what was uploaded."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from artifact_index.formats.document import IndexEntry
from artifact_index.formats.pypirc import Pypirc
from support.client_runs import Clients, Run
from support.index_server import IndexServer, Repository
from support.python_clients import TWINE
from support.rendered import secret_text
from support.uv_clients import NEWEST
from support.uv_scenes import LOGIN, document, entry_for, logins
from support.wheels import make_wheel

pytestmark = pytest.mark.clients


def _entry(private: Repository, login: tuple[str, str] = LOGIN) -> IndexEntry:
    return replace(entry_for(private, "acme", login=login), publish_url=private.publish_url)


def _upload(clients: Clients, entry: IndexEntry, env: Mapping[str, str] | None = None) -> Run:
    rendered = Pypirc().render_secret(document(entry, public=None))
    assert rendered.limits == ()
    pypirc = clients.write(".pypirc", rendered.files[".pypirc"].get_secret_value())
    wheel = make_wheel("fresh", "1.2")
    (clients.directory / wheel.filename).write_bytes(wheel.content)
    arguments = ("--config-file", pypirc, "--repository", "acme", wheel.filename)
    return clients.python(
        TWINE, "upload", *arguments, env={"TWINE_NON_INTERACTIVE": "1", **(env or {})}
    )


def test_twine_uploads_a_wheel_that_installs_again(
    clients: Clients, server: IndexServer, private: Repository
) -> None:
    run = _upload(clients, _entry(private))

    assert run.returncode == 0, run.output
    assert logins(server.requests()) == {LOGIN}
    assert {request.path for request in server.requests()} == {"/pypi/acme/"}
    text = secret_text("UvToml", document(_entry(private), public=None))
    env = {"UV_CONFIG_FILE": str(clients.write("uv.toml", text))}
    clients.uv(NEWEST, "pip", "install", "--target", "target", "fresh", env=env)
    assert clients.installed("target") == {"fresh==1.2"}


@pytest.mark.parametrize(
    "login", [("us%er", "p:/?#[]@!$&'()*+,;=%(x)s \"\\ ;#"), ("u", "t" * 2400)]
)
def test_twine_sends_any_login_as_it_is(
    clients: Clients, server: IndexServer, private: Repository, login: tuple[str, str]
) -> None:
    private.accepts = lambda *given: given == login

    run = _upload(clients, _entry(private, login))

    assert run.returncode == 0, run.output
    assert logins(server.requests()) == {login}


@pytest.mark.parametrize(
    ("env", "sent"),
    [
        ({"TWINE_USERNAME": "image"}, ("image", LOGIN[1])),
        ({"TWINE_PASSWORD": "image"}, (LOGIN[0], "image")),
    ],
)
def test_twine_takes_the_halves_of_a_login_from_where_they_are(
    clients: Clients, server: IndexServer, private: Repository,
    env: dict[str, str], sent: tuple[str, str],
) -> None:  # fmt: skip
    run = _upload(clients, _entry(private), env)

    assert run.returncode != 0
    assert logins(server.requests()) == {sent}


def test_a_variable_beats_the_repository_of_the_pypirc(
    clients: Clients, private: Repository, public: Repository
) -> None:
    image = {"TWINE_REPOSITORY_URL": public.publish_url}
    assert _upload(clients, _entry(private), image).returncode != 0  # it has no login there

    image |= {"TWINE_USERNAME": "image", "TWINE_PASSWORD": "image"}
    run = _upload(clients, _entry(private), image)

    assert run.returncode == 0, run.output
    assert "fresh" not in private.wheels and "fresh" in public.wheels


def test_twine_stops_with_a_stale_token(
    clients: Clients, server: IndexServer, private: Repository
) -> None:
    run = _upload(clients, _entry(private, ("aws", "expired-token")))

    assert run.returncode != 0
    assert "fresh" not in private.wheels
