"""What uv does when an index's login died, is blocked, or its entry was left out.

The public index always holds a look-alike (version 9.9) of the private package (1.0): installing it
is the accident that all of this is about.
"""

import pytest

from artifact_index.api.index_options import IndexStrategy
from support.blocked import COMMAND
from support.index_server import IndexServer
from support.uv_clients import FLOOR, Uv
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

pytestmark = pytest.mark.uv

STALE = ("aws", "expired-token")


@pytest.mark.parametrize("status", [401, 403])
def test_an_expired_token_stops_uv_before_the_public_look_alike(
    uv: Uv, server: IndexServer, pypi: IndexServer, status: int
) -> None:
    private = private_repository(server, "private", "mine")
    private.denied_status = status
    public = public_repository(pypi, "mine")

    run = uv.install(rendered(entry_for(private, "acme", login=STALE), public=public), "mine")

    assert run.returncode != 0
    assert run.installed == set()
    assert logins(server.requests("private")) == {STALE}
    assert server.requests("public") == []


@pytest.mark.parametrize(
    ("strategy", "status", "codes"),
    [
        ("unsafe-first-match", 401, ()),
        ("unsafe-best-match", 403, ()),
        ("first-index", 404, ()),
        ("first-index", 401, (401,)),
        ("first-index", 403, (401, 403)),
    ],
)
def test_an_expired_token_falls_through_where_the_options_or_the_host_let_it(
    uv: Uv,
    server: IndexServer,
    pypi: IndexServer,
    strategy: IndexStrategy,
    status: int,
    codes: tuple[int, ...],
) -> None:
    """Why a token leaves the file before it expires, and what the status warns of."""
    private = private_repository(server, "private", "mine")
    private.denied_status = status
    public = public_repository(pypi, "mine")
    entry = entry_for(private, "acme", login=STALE, ignore_error_codes=codes)

    run = uv.install(rendered(entry, public=public, index_strategy=strategy), "mine")

    assert run.installed == {"mine==9.9"}, run.output


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("sibling_first", [True, False])
def test_a_blocked_index_stops_uv_also_beside_a_sibling_with_a_good_login(
    uv: Uv, server: IndexServer, pypi: IndexServer, strategy: IndexStrategy, sibling_first: bool
) -> None:
    sibling = entry_for(private_repository(server, "a", "of-a"), "a")
    lost = private_repository(server, "b", "mine")
    blocked = entry_for(lost, "b", blocked=True, ignore_error_codes=(401, 403, 404))
    entries = [sibling, blocked] if sibling_first else [blocked, sibling]
    public = public_repository(pypi, "mine")
    config = rendered(*entries, public=public, index_strategy=strategy)

    run = uv.install(config, "mine")

    assert run.returncode != 0
    assert run.installed == set()
    assert server.requests("b") == []
    assert server.tunnels() == []  # the host is not even looked up
    assert not [r for r in server.requests() if "/packages/" in r.path]
    assert f"https://b.unavailable.invalid/{COMMAND}/simple/mine/" in run.output


@pytest.mark.parametrize(
    ("strategy", "package"),
    [
        ("first-index", "mine"),
        ("unsafe-first-match", "mine"),
        ("unsafe-first-match", "look-alike"),
        ("unsafe-best-match", "look-alike"),
    ],
)
def test_a_blocked_index_stops_uv_also_behind_a_public_index_that_is_asked_first(
    uv: Uv, server: IndexServer, pypi: IndexServer, strategy: IndexStrategy, package: str
) -> None:
    """But not under first-index where the public one has the name: then it wins anyway."""
    blocked = entry_for(private_repository(server, "b", package), "b", blocked=True)
    public = public_repository(pypi, "look-alike")
    config = rendered(blocked, public=public, prefer_private=False, index_strategy=strategy)

    run = uv.install(config, package)

    assert run.returncode != 0
    assert run.installed == set()
    assert server.tunnels() == []


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_blocked_index_that_is_the_only_one_stops_uv(
    uv: Uv, server: IndexServer, strategy: IndexStrategy
) -> None:
    blocked = entry_for(private_repository(server, "b", "mine"), "b", blocked=True)

    run = uv.install(rendered(blocked, public=None, index_strategy=strategy), "mine")

    assert run.returncode != 0
    assert server.requests() == []


@pytest.mark.parametrize("name", ["xn--x", "xn--bcher-kva-2", "xn----2", "a" * 63])
def test_a_blocked_index_of_any_name_leaves_the_file_readable(
    uv: Uv, server: IndexServer, pypi: IndexServer, name: str
) -> None:
    """A host's label that begins like punycode and is none makes uv refuse the whole file."""
    served = entry_for(private_repository(server, "a", "of-a"), "a")
    blocked = entry_for(private_repository(server, "b", "mine"), name, blocked=True)
    config = rendered(served, blocked, public=public_repository(pypi, "mine"))

    found, stopped = uv.install(config, "of-a"), uv.install(config, "mine")

    assert found.installed == {"of-a==1.0"}, found.output
    assert stopped.installed == set() and ".unavailable.invalid" in stopped.output
    assert server.requests("public") == []
    assert server.tunnels() == []


def test_its_own_url_without_a_login_would_not_stop_uv(
    uv: Uv, server: IndexServer, pypi: IndexServer
) -> None:
    """The reason for the blocked entry: it installs the look-alike.

    Every uv but the oldest also sends it the login of the sibling on its host.
    """
    sibling = entry_for(private_repository(server, "a", "of-a"), "a")
    refusing = server.add_repository("b", accepts=lambda *given: False)
    lost = entry_for(refusing, "b", login=None)
    public = public_repository(pypi, "mine")
    config = rendered(sibling, lost, public=public, index_strategy="unsafe-first-match")

    run = uv.install(config, "mine")

    assert run.installed == {"mine==9.9"}, run.output
    assert (LOGIN in logins(server.requests("b"))) == (uv.version != FLOOR)


def test_an_index_that_is_searched_earlier_still_serves_its_packages(
    uv: Uv, server: IndexServer, pypi: IndexServer
) -> None:
    served = entry_for(private_repository(server, "a", "of-a"), "a")
    blocked = entry_for(private_repository(server, "b"), "b", blocked=True)
    public = public_repository(pypi, "of-a")

    run = uv.install(rendered(served, blocked, public=public), "of-a")

    assert run.installed == {"of-a==1.0"}, run.output


def test_an_index_that_was_left_out_is_replaced_by_the_public_one(
    uv: Uv, server: IndexServer, pypi: IndexServer
) -> None:
    """What `whenUnavailable: Omit` means, and why the status calls it a risk."""
    served = entry_for(private_repository(server, "a"), "a")
    private_repository(server, "b", "mine")
    public = public_repository(pypi, "mine")

    run = uv.install(rendered(served, public=public), "mine")

    assert run.installed == {"mine==9.9"}, run.output
    assert server.requests("b") == []
    assert asked_pages(server.requests(), "mine") == ["a", "public"]
