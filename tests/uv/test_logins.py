"""Credentials arrive at the index exactly as they are, and nowhere else."""

from dataclasses import replace

import pytest
from pydantic import SecretStr

from artifact_index.formats.document import IndexEntry
from artifact_index.formats.names import NameAssignment, NameRequest, assign_names, environment_form
from support.index_server import IndexServer, Repository
from support.rendered import public_text
from support.uv_clients import MIDDLE, NEWEST, Uv
from support.uv_scenes import (
    LOGIN,
    asked_pages,
    document,
    entry_for,
    logins,
    private_repository,
    public_repository,
    rendered,
)
from support.wheels import make_wheel

pytestmark = pytest.mark.uv

HOSTILE = [
    ("aws", "@:/#?%&=+;,!$()*[]{}<>|^`~"),
    ("aws", "quote\"s and 'both' and back\\slash"),
    ("aws", "%41%zz%00%"),
    ("user@example.com", "a/b#c?d"),
    ("domain\\user", "]] # = \"\"\" '''"),
    ("ümläut", "пароль密码🔑"),
    ("aws", 'x"\nindex-strategy = "unsafe-best-match'),
    ("aws", " leading and trailing "),
    ("aws", "t" * 2400),
    ("", "password-only"),
    ("token-only", ""),
]


@pytest.mark.parametrize(("username", "password"), HOSTILE)
def test_any_login_arrives_as_it_is_at_pages_and_files(
    uv: Uv, server: IndexServer, username: str, password: str
) -> None:
    repository = server.add_repository(
        "private",
        make_wheel("mine", "1.0"),
        accepts=lambda *given: given == (username, password),
    )
    config = rendered(entry_for(repository, "acme", login=(username, password)), public=None)

    run = uv.install(config, "mine")

    assert run.installed == {"mine==1.0"}, run.output
    assert logins(server.requests()) == {(username, password)}


def test_two_repositories_of_one_host_get_their_own_token_each(uv: Uv, server: IndexServer) -> None:
    """The shape of Artifact Registry: one host, a path for project and repository."""
    login = {name: ("oauth2accesstoken", f"ya29.{name}-token_x") for name in ("one", "two")}
    entries = []
    for name, token in login.items():
        repository = server.add_repository(
            f"my-project/{name}",
            make_wheel(f"lib-{name}", "1.0"),
            accepts=lambda *given, token=token: given == token,
        )
        entries.append(entry_for(repository, name, login=token))

    run = uv.install(rendered(*entries, public=None), "lib-one", "lib-two")

    assert run.installed == {"lib-one==1.0", "lib-two==1.0"}, run.output
    for name, token in login.items():
        assert logins(server.requests(f"my-project/{name}")) == {token}
        assert {r.status for r in server.requests(f"my-project/{name}")} <= {200, 404}


def _verbatim(repository: Repository, userinfo: str) -> IndexEntry:
    url = repository.url.replace("http://", f"http://{userinfo}")
    return IndexEntry(name="pre", url=repository.url, verbatim_url=SecretStr(url), public_path=True)


@pytest.mark.parametrize(
    ("userinfo", "login"),
    [
        ("aws:good-token@", ("aws", "good-token")),
        ("us%40er:p%2Fa%23%22@", ("us@er", 'p/a#"')),
        ("user:raw\"quote'ümlaut@", ("user", "raw\"quote'ümlaut")),
        ("token@", ("token", "")),
        ("token:@", ("token", "")),
        (":password@", ("", "password")),
    ],
)
def test_a_preauthenticated_url_logs_in_with_what_stands_in_it(
    uv: Uv, server: IndexServer, userinfo: str, login: tuple[str, str]
) -> None:
    repository = server.add_repository(
        "private", make_wheel("mine", "1.0"), accepts=lambda *given: given == login
    )

    run = uv.install(rendered(_verbatim(repository, userinfo), public=None), "mine")

    assert run.installed == {"mine==1.0"}, run.output
    assert logins(server.requests()) == {login}


def test_a_preauthenticated_url_without_userinfo_is_asked_anonymously(
    uv: Uv, server: IndexServer
) -> None:
    repository = server.add_repository("s3cr3t-path", make_wheel("mine", "1.0"))

    run = uv.install(rendered(_verbatim(repository, ""), public=None), "mine")

    assert run.installed == {"mine==1.0"}, run.output
    assert logins(server.requests()) == {(None, None)}


def test_two_derived_names_take_their_logins_from_the_environment_without_mixing(
    uv: Uv, server: IndexServer, pypi: IndexServer
) -> None:
    names = assign_names(
        [
            NameRequest("u1", "one", "2024-01-01T00:00:00Z", host="x.a.example"),
            NameRequest("u2", "two", "2024-01-02T00:00:00Z", host="x.b.example"),
        ],
        public_name="pypi",
    )
    assert names == {"u1": NameAssignment("x", True), "u2": NameAssignment("x-2", True)}
    entries, env, wanted = [], {}, {}
    for uid, prefix in {"u1": "a", "u2": "b"}.items():
        name = names[uid].name
        wanted[prefix] = (f"user-{prefix}", f"raw %2F @ token {prefix}")
        repository = server.add_repository(
            prefix,
            make_wheel(f"lib-{prefix}", "1.0"),
            accepts=lambda *given, prefix=prefix: given == wanted[prefix],
        )
        entries.append(replace(entry_for(repository, name, login=None), credentialed=True))
        variable = f"UV_INDEX_{environment_form(name)}"
        env[f"{variable}_USERNAME"], env[f"{variable}_PASSWORD"] = wanted[prefix]
    public = public_repository(pypi, "lib-a", "lib-b")

    run = uv.install(
        public_text("UvToml", document(*entries, public=public)), "lib-a", "lib-b", **env
    )

    assert run.installed == {"lib-a==1.0", "lib-b==1.0"}, run.output
    assert logins(server.requests("a")) == {wanted["a"]}
    assert logins(server.requests("b")) == {wanted["b"]}


@pytest.mark.parametrize("preauthenticated", [True, False])
def test_the_credential_free_file_without_a_login_in_the_environment_stops_uv(
    uv: Uv, server: IndexServer, pypi: IndexServer, preauthenticated: bool
) -> None:
    private = private_repository(server, "private", "mine")
    public = public_repository(pypi, "mine")
    entry = _verbatim(private, "aws:good-token@") if preauthenticated else entry_for(private, "pre")
    config = public_text("UvToml", document(entry, public=public))
    assert LOGIN[1] not in config

    stopped = uv.install(config, "mine")
    served = uv.install(
        config, "mine", UV_INDEX_PRE_USERNAME=LOGIN[0], UV_INDEX_PRE_PASSWORD=LOGIN[1]
    )

    assert stopped.returncode != 0
    assert stopped.installed == set()
    assert served.installed == {"mine==1.0"}, served.output
    assert (None, None) not in logins(server.requests("private"))


def test_an_anonymous_index_is_asked_without_a_login(uv: Uv, server: IndexServer) -> None:
    open_index = server.add_repository("open", make_wheel("theirs", "1.0"))
    config = rendered(entry_for(open_index, "open", login=None), public=None)
    assert "authenticate" not in config

    run = uv.install(config, "theirs")

    assert run.installed == {"theirs==1.0"}, run.output
    assert logins(server.requests()) == {(None, None)}


@pytest.mark.parametrize("uv", [MIDDLE, NEWEST], indirect=True)
def test_an_explicit_index_logs_in_for_a_project_that_pins_a_package_to_it(
    uv: Uv, server: IndexServer, pypi: IndexServer
) -> None:
    """uv takes logins from every index of its configuration by URL (since 0.8.3)."""
    private = private_repository(server, "private", "mine")
    public = public_repository(pypi, "mine")
    config = rendered(entry_for(private, "acme", explicit=True), public=public)
    project = f"""
        [project]
        name = "builder"
        version = "0"
        requires-python = ">=3.11"
        dependencies = ["mine"]
        [tool.uv.sources]
        mine = {{ index = "acme" }}
        [[tool.uv.index]]
        name = "acme"
        url = "{private.url}"
        explicit = true
    """

    run = uv.compile_project(config, project)

    assert run.returncode == 0, run.output
    assert "mine==1.0" in run.output
    assert logins(server.requests("private")) == {LOGIN}
    assert asked_pages(server.requests(), "mine") == ["private"]


def test_authenticate_always_without_a_login_is_an_error_before_any_request(
    uv: Uv, server: IndexServer
) -> None:
    private = private_repository(server, "private", "mine")
    entry = replace(entry_for(private, "acme", login=None), authenticate="always")

    run = uv.install(rendered(entry, public=None), "mine")

    assert run.returncode != 0
    assert server.requests() == []


def test_the_explicit_choice_of_auto_still_sends_the_login(uv: Uv, server: IndexServer) -> None:
    private = private_repository(server, "private", "mine")
    entry = replace(entry_for(private, "acme"), authenticate="auto")

    run = uv.install(rendered(entry, public=None), "mine")

    assert run.installed == {"mine==1.0"}, run.output
    assert logins(server.requests()) == {LOGIN}
