"""Which index uv asks first, with which login, and which package wins."""

import pytest

from artifact_index.api.index_options import IndexStrategy
from support.index_server import IndexServer
from support.uv_clients import Uv
from support.uv_scenes import (
    LOGIN,
    STRATEGIES,
    asked_pages,
    entry_for,
    logins,
    private_repository,
    public_repository,
    rendered,
)
from support.wheels import make_wheel

pytestmark = pytest.mark.uv

NOBODY = (None, None)


@pytest.mark.parametrize(
    ("prefer_private", "strategy", "requirement", "version", "asked"),
    [
        # Private first: the public look-alike is not even asked for.
        (True, "first-index", "shared", "1.0", ["private"]),
        (True, "unsafe-first-match", "shared", "1.0", ["private", "public"]),
        (True, "unsafe-first-match", "shared>5", "9.9", ["private", "public"]),
        (True, "unsafe-best-match", "shared", "9.9", ["private", "public"]),
        # Public really first.
        (False, "first-index", "shared", "9.9", ["public"]),
        (False, "unsafe-first-match", "shared", "9.9", ["public", "private"]),
        (False, "unsafe-first-match", "shared<5", "1.0", ["public", "private"]),
        (False, "unsafe-best-match", "shared", "9.9", ["public", "private"]),
    ],
)
def test_a_shared_name_comes_from_the_index_that_the_options_put_first(
    uv: Uv,
    server: IndexServer,
    pypi: IndexServer,
    prefer_private: bool,
    strategy: IndexStrategy,
    requirement: str,
    version: str,
    asked: list[str],
) -> None:
    private = private_repository(server, "private", "shared")
    public = public_repository(pypi, "shared")
    config = rendered(
        entry_for(private, "acme"),
        public=public,
        prefer_private=prefer_private,
        index_strategy=strategy,
    )

    run = uv.install(config, requirement)

    assert run.installed == {f"shared=={version}"}, run.output
    assert logins(server.requests("private")) <= {LOGIN}
    assert logins(server.requests("public")) <= {NOBODY}
    if strategy == "first-index":
        assert asked_pages(server.requests(), "shared") == asked
    else:  # uv asks all of them at once
        assert sorted(asked_pages(server.requests(), "shared")) == sorted(asked)
    assert server.tunnels() == []  # the public index is replaced: PyPI itself is not asked


@pytest.mark.parametrize(("prefer_private", "winner"), [(True, "private"), (False, "public")])
def test_best_match_takes_the_first_index_of_two_that_have_the_best_version(
    uv: Uv, server: IndexServer, pypi: IndexServer, prefer_private: bool, winner: str
) -> None:
    private = private_repository(server, "private", "shared")
    public = pypi.add_repository("public", make_wheel("shared", "1.0"))
    config = rendered(
        entry_for(private, "acme"),
        public=public,
        prefer_private=prefer_private,
        index_strategy="unsafe-best-match",
    )

    run = uv.install(config, "shared")

    assert run.returncode == 0, run.output
    downloads = {r.path.split("/")[1] for r in server.requests() if "/packages/" in r.path}
    assert downloads == {winner}


@pytest.mark.parametrize(
    ("prefer_private", "package", "asked"),
    [
        (True, "only-public", ["a", "b", "c", "public"]),
        (True, "only-c", ["a", "b", "c"]),
        (False, "only-public", ["public"]),
        (False, "only-c", ["public", "a", "b", "c"]),
    ],
)
def test_private_indexes_are_asked_in_file_order_each_with_its_own_login(
    uv: Uv,
    server: IndexServer,
    pypi: IndexServer,
    prefer_private: bool,
    package: str,
    asked: list[str],
) -> None:
    tokens = {name: ("oauth2accesstoken", f"token-{name}") for name in "abc"}
    entries = []
    for name, login in tokens.items():
        repository = server.add_repository(
            name,
            *([make_wheel("only-c", "1.0")] if name == "c" else []),
            accepts=lambda *given, login=login: given == login,
        )
        entries.append(entry_for(repository, name, login=login))
    public = public_repository(pypi, "only-public")

    run = uv.install(rendered(*entries, public=public, prefer_private=prefer_private), package)

    assert run.returncode == 0, run.output
    assert asked_pages(server.requests(), package) == asked
    for name, login in tokens.items():
        assert logins(server.requests(name)) <= {login}
    assert logins(server.requests("public")) <= {NOBODY}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_without_a_public_index_uv_never_asks_pypi(
    uv: Uv, server: IndexServer, strategy: IndexStrategy
) -> None:
    private = private_repository(server, "private", "mine")
    config = rendered(entry_for(private, "acme"), public=None, index_strategy=strategy)

    found = uv.install(config, "mine")
    missing = uv.install(config, "not-mine")

    assert found.installed == {"mine==1.0"}, found.output
    assert missing.returncode != 0
    assert missing.installed == set()
    assert server.tunnels() == []
    assert asked_pages(server.requests(), "not-mine") == ["private"]


def test_a_file_without_our_default_would_ask_pypi(uv: Uv, server: IndexServer) -> None:
    """The way out is really watched: a default taken away shows up there."""
    private = private_repository(server, "private", "mine")
    config = rendered(entry_for(private, "acme"), public=None).replace("default = true\n", "")

    run = uv.install(config, "not-mine")

    assert run.returncode != 0
    assert "pypi.org:443" in server.tunnels()


def test_with_no_index_at_all_uv_asks_nobody(uv: Uv, server: IndexServer) -> None:
    run = uv.install(rendered(public=None), "anything")

    assert run.returncode != 0
    assert server.requests() == []


def test_an_explicit_index_is_not_asked_for_packages_that_are_not_pinned_to_it(
    uv: Uv, server: IndexServer, pypi: IndexServer
) -> None:
    pinned = private_repository(server, "pinned", "shared")
    searched = private_repository(server, "searched")
    public = public_repository(pypi, "shared")
    config = rendered(
        entry_for(pinned, "pinned", explicit=True), entry_for(searched, "searched"), public=public
    )

    run = uv.install(config, "shared")

    assert run.installed == {"shared==9.9"}, run.output
    assert server.requests("pinned") == []
    assert asked_pages(server.requests(), "shared") == ["searched", "public"]


@pytest.mark.parametrize("others", [0, 1])
def test_explicit_indexes_without_a_public_one_leave_pypi_out(
    uv: Uv, server: IndexServer, others: int
) -> None:
    """The default goes to the last index that is searched, else to an explicit one."""
    pinned = private_repository(server, "pinned", "shared")
    searched = private_repository(server, "searched")
    entries = [entry_for(searched, "searched")] * others
    config = rendered(*entries, entry_for(pinned, "pinned", explicit=True), public=None)

    run = uv.install(config, "shared")

    assert run.returncode != 0
    assert asked_pages(server.requests(), "shared") == ["searched"] * others
    assert server.tunnels() == []
