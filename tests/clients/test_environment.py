"""The variables of a Secret, by programs started with them as a pod's `envFrom` would.

uv has the credential-free uv.toml of the ConfigMap beside them: both speak of the same names.
"""

from dataclasses import replace

import pytest

from artifact_index.formats.document import Claims, Document, IndexEntry
from artifact_index.formats.environment import Environment
from artifact_index.formats.expiry import VARIABLE
from support.client_runs import Clients
from support.index_server import IndexServer, Repository
from support.python_clients import POETRY, TWINE
from support.rendered import public_text
from support.uv_clients import FOUR_VERSIONS
from support.uv_scenes import LOGIN, document, entry_for, logins
from support.wheels import make_wheel

pytestmark = pytest.mark.clients

STALE = ("aws", "expired-token")
INSTALL = ("pip", "install", "--target", "target")
PINNED = """\
[project]
name = "project"
version = "1"
requires-python = ">=3.11"
dependencies = ["mine"]

[[tool.uv.index]]
name = "acme"
url = "{url}"
explicit = true

[tool.uv.sources]
mine = {{ index = "acme" }}
"""
POETRY_PROJECT = """\
[tool.poetry]
package-mode = false

[tool.poetry.dependencies]
python = ">=3.11"
mine = "*"

[[tool.poetry.source]]
name = "acme-2"
url = "{url}"
priority = "primary"
"""


def variables(asked: Document, *publishers: str) -> dict[str, str]:
    """What `envFrom` makes of the Secret."""
    made = Environment().render_secret(replace(asked, claims=Claims(publishers)))
    assert made.limits == ()
    return {name: value.get_secret_value() for name, value in made.files.items()}


def publishing(private: Repository, login: tuple[str, str] = LOGIN) -> IndexEntry:
    return replace(entry_for(private, "acme", login=login), publish_url=private.publish_url)


@pytest.mark.parametrize("version", FOUR_VERSIONS)
@pytest.mark.parametrize("login", [LOGIN, ("us:er"[:2], "@:/?#%41 \"'\\$HOME\n[x]ü")])
def test_uv_logs_in_with_the_public_file_and_the_variables(
    clients: Clients, server: IndexServer, private: Repository, public: Repository,
    version: str, login: tuple[str, str],
) -> None:  # fmt: skip
    private.accepts = lambda *given: given == login
    asked = document(entry_for(private, "acme-2", login=login), public=public)
    config = clients.write("uv.toml", public_text("UvToml", asked))

    env = {"UV_CONFIG_FILE": str(config), **variables(asked)}
    run = clients.uv(version, *INSTALL, "mine", env=env)

    assert run.returncode == 0, run.output
    assert clients.installed("target") == {"mine==1.0"}
    assert logins(server.requests("pypi/acme")) == {login}
    assert server.requests("public") == []


@pytest.mark.parametrize("version", FOUR_VERSIONS)
@pytest.mark.parametrize("login", [None, STALE])
def test_without_the_variables_or_with_stale_ones_uv_stops(
    clients: Clients, server: IndexServer, private: Repository, public: Repository,
    version: str, login: tuple[str, str] | None,
) -> None:  # fmt: skip
    config = public_text("UvToml", document(entry_for(private, "acme"), public=public))
    env = {"UV_CONFIG_FILE": str(clients.write("uv.toml", config))}
    if login is not None:
        env |= variables(document(entry_for(private, "acme", login=login), public=public))

    run = clients.uv(version, *INSTALL, "mine", env=env)

    assert run.returncode != 0
    assert server.requests("public") == []


@pytest.mark.parametrize("version", FOUR_VERSIONS)
def test_a_project_that_declares_the_index_by_its_name_gets_the_login(
    clients: Clients, server: IndexServer, private: Repository, public: Repository, version: str
) -> None:
    """The project pins the package with `tool.uv.sources`; both files name the index `acme`."""
    asked = document(entry_for(private, "acme", explicit=True), public=public)
    config = clients.write("system/uv/uv.toml", public_text("UvToml", asked))
    clients.write("pyproject.toml", PINNED.format(url=private.url))

    env = {"XDG_CONFIG_DIRS": str(config.parents[1]), **variables(asked)}
    run = clients.uv(version, "sync", env=env)

    assert run.returncode == 0, run.output
    lock = (clients.directory / "uv.lock").read_text()
    assert private.url in lock and LOGIN[1] not in lock
    assert logins(server.requests("pypi/acme")) == {LOGIN}
    assert server.requests("public") == []


@pytest.mark.parametrize("version", FOUR_VERSIONS)
def test_uv_publishes_with_the_variables_alone(
    clients: Clients, server: IndexServer, private: Repository, version: str
) -> None:
    asked = document(publishing(private), public=None)
    wheel = make_wheel("fresh", "1.2")
    (clients.directory / wheel.filename).write_bytes(wheel.content)
    config = clients.write("uv.toml", public_text("UvToml", asked))
    env = {"UV_CONFIG_FILE": str(config), **variables(asked, "acme")}

    published = clients.uv(version, "publish", wheel.filename, env=env)
    run = clients.uv(version, *INSTALL, "fresh", env=env)

    assert published.returncode == 0, published.output
    assert clients.installed("target") == {"fresh==1.2"}, run.output
    assert logins(server.requests()) == {LOGIN}
    assert LOGIN[1] not in published.output


@pytest.mark.parametrize("version", FOUR_VERSIONS)
@pytest.mark.parametrize("file", [True, False])
def test_uv_skips_what_is_published_already(
    clients: Clients, server: IndexServer, private: Repository, version: str, file: bool
) -> None:
    """With the credential-free file, and with the variables alone."""
    asked = document(publishing(private), public=None)
    wheel = make_wheel("fresh", "1.2")
    (clients.directory / wheel.filename).write_bytes(wheel.content)
    env = variables(asked, "acme")
    if file:
        env["UV_CONFIG_FILE"] = str(clients.write("uv.toml", public_text("UvToml", asked)))

    runs = [clients.uv(version, "publish", wheel.filename, env=env) for _ in range(2)]

    assert [run.returncode for run in runs] == [0, 0], runs
    assert len([r for r in server.requests() if r.method == "POST"]) == 1
    assert logins(server.requests()) == {LOGIN}
    assert not [run for run in runs if LOGIN[1] in run.output]


@pytest.mark.parametrize("version", FOUR_VERSIONS)
def test_uv_publishes_with_a_token_that_has_no_user_name(
    clients: Clients, server: IndexServer, private: Repository, version: str
) -> None:
    login = ("", "token-only")
    private.accepts = lambda *given: given == login
    wheel = make_wheel("fresh", "1.2")
    (clients.directory / wheel.filename).write_bytes(wheel.content)
    env = variables(document(publishing(private, login), public=None), "acme")

    run = clients.uv(version, "publish", wheel.filename, env=env)

    assert run.returncode == 0, run.output
    assert "fresh" in private.wheels
    assert logins(server.requests()) == {login}


@pytest.mark.parametrize(("login", "succeeds"), [(LOGIN, True), (STALE, False)])
def test_twine_uploads_with_the_variables_alone(
    clients: Clients, server: IndexServer, private: Repository, login: tuple[str, str],
    succeeds: bool,
) -> None:  # fmt: skip
    asked = document(publishing(private, login), public=None)
    wheel = make_wheel("fresh", "1.2")
    (clients.directory / wheel.filename).write_bytes(wheel.content)

    run = clients.python(TWINE, "upload", wheel.filename, env=variables(asked, "acme"))

    assert (run.returncode == 0) == succeeds, run.output
    assert ("fresh" in private.wheels) == succeeds
    assert logins(server.requests()) == {login}


@pytest.mark.parametrize(
    ("login", "succeeds"),
    [
        (LOGIN, True),
        (("u", "@:/?#%41 \"'\\$HOME"), True),
        (("{u", "{}{5}{{x}{x y}{cache-dir"), True),
        (STALE, False),
    ],
)
def test_poetry_logs_in_to_a_source_of_that_name(
    clients: Clients, server: IndexServer, private: Repository, login: tuple[str, str],
    succeeds: bool,
) -> None:  # fmt: skip
    if succeeds:
        private.accepts = lambda *given: given == login
    asked = document(entry_for(private, "acme-2", login=login), public=None)
    clients.write("pyproject.toml", POETRY_PROJECT.format(url=private.url))

    run = clients.python(POETRY, "lock", env=variables(asked))

    assert (run.returncode == 0) == succeeds, run.output
    assert logins(server.requests()) == {login}
    assert server.tunnels() == []
    lock = clients.directory / "poetry.lock"
    assert lock.exists() == succeeds
    assert not succeeds or login[1] not in lock.read_text()


@pytest.mark.parametrize("setting", ["cache-dir", "HOME", "http-basic.acme-2.username"])
def test_poetry_would_replace_a_setting_in_a_password(
    clients: Clients, server: IndexServer, private: Repository, setting: str
) -> None:
    """So there are no variables for it, and Poetry asks without a login."""
    password = f"a{{{setting}}}b"
    private.accepts = lambda *given: given == ("u", password)
    asked = document(entry_for(private, "acme-2", login=("u", password)), public=None)
    clients.write("pyproject.toml", POETRY_PROJECT.format(url=private.url))
    made = Environment().render_secret(asked)
    found = {name: value.get_secret_value() for name, value in made.files.items()}
    logins_in = {"UV_INDEX_ACME_2_USERNAME", "UV_INDEX_ACME_2_PASSWORD"}
    assert found.keys() == {*logins_in, VARIABLE}

    clients.python(POETRY, "lock", env=found)
    assert logins(server.requests()) == {(None, None)}
    login = {"USERNAME": "u", "PASSWORD": password}
    written = {f"POETRY_HTTP_BASIC_ACME_2_{part}": value for part, value in login.items()}
    clients.python(POETRY, "lock", env={"POETRY_HOME": "/opt/poetry", **written})
    sent = {given for given in logins(server.requests()) if given != (None, None)}
    assert sent and ("u", password) not in sent


POETRY_PACKAGE = """\
[project]
name = "fresh"
version = "1.2"
requires-python = ">=3.11"

[[tool.poetry.source]]
name = "{name}"
url = "{url}"
priority = "supplemental"
"""


@pytest.mark.parametrize(("name", "login"), [("acme", LOGIN), ("acme-2", LOGIN), ("acme", STALE)])
def test_poetry_publishes_to_a_source_of_that_name(
    clients: Clients, server: IndexServer, private: Repository, name: str, login: tuple[str, str]
) -> None:
    """Not to the index's own URL, as it does without the variable."""
    entry = replace(publishing(private, login), name=name)
    wheel = make_wheel("fresh", "1.2")
    clients.write("pyproject.toml", POETRY_PACKAGE.format(name=name, url=private.url))
    clients.write(f"dist/{wheel.filename}", "")
    (clients.directory / "dist" / wheel.filename).write_bytes(wheel.content)

    env = variables(document(entry, public=None))
    run = clients.python(POETRY, "publish", "-r", name, env=env)

    assert (run.returncode == 0) == (login == LOGIN), run.output
    posts = {request.path for request in server.requests() if request.method == "POST"}
    assert posts == {"/pypi/acme/"}
    assert ("fresh" in private.wheels) == (login == LOGIN)
