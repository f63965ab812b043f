"""Indexes that share a host: what uv does with them, and that the operator knows it."""

from dataclasses import replace

import pytest

from support.client_runs import Clients
from support.index_server import IndexServer
from support.reconcile_builders import POLICY, index, index_state, plans_from, source
from support.rendered import secret_text
from support.uv_clients import FLOOR, FOUR_VERSIONS, NEWEST
from support.uv_scenes import LOGIN, document, entry_for, logins, private_repository
from support.wheels import make_wheel

pytestmark = pytest.mark.clients

OTHER = ("oauth2accesstoken", "other-token")
INSTALL = ("pip", "install", "--target", "target")


def shadows(root: str, below: str) -> bool:
    """Whether the operator refuses one of two indexes with logins."""
    policy = replace(POLICY, allow_http=True)
    plans = plans_from(*(
        index_state(index(name, {**source("basicAuth", url=url), "name": name}), policy=policy)
        for name, url in (("root", root), ("below", below))))  # fmt: skip
    return [p.problem.reason for p in plans if p.problem] == ["ShadowsSiblings"]


@pytest.mark.parametrize("version", FOUR_VERSIONS)
@pytest.mark.parametrize("above", ["", "team"])
def test_uv_sends_the_login_of_a_root_to_what_is_below_it(
    clients: Clients, server: IndexServer, version: str, above: str
) -> None:
    """The reason for `ShadowsSiblings`: the sibling's files are asked for with the wrong login."""
    root = private_repository(server, above, "of-root")
    below = server.add_repository(
        "team/below", make_wheel("mine", "1.0"), accepts=lambda *given: given == OTHER
    )
    entries = (entry_for(root, "root"), entry_for(below, "below", login=OTHER))
    text = secret_text("UvToml", document(*entries, public=None))
    env = {"UV_CONFIG_FILE": str(clients.write("uv.toml", text))}

    run = clients.uv(version, *INSTALL, "mine", env=env)

    assert run.returncode != 0
    assert LOGIN in logins(server.requests("team/below"))


@pytest.mark.parametrize("version", (FLOOR, NEWEST))
@pytest.mark.parametrize(
    ("plain", "spelt"),
    [("/team/", "/./team/"), ("/team/", "/other/%2E./team/"), ("/team/", "//team/")],
)
def test_uv_takes_a_place_for_the_same_however_it_is_spelt(
    clients: Clients, server: IndexServer, version: str, plain: str, spelt: str
) -> None:
    root = private_repository(server, "team", "of-root")
    below = server.add_repository(
        "team/below", make_wheel("mine", "1.0"), accepts=lambda *given: given == OTHER
    )
    other = root.url.replace(plain, spelt)
    assert other != root.url and shadows(other, below.url)
    entries = (replace(entry_for(root, "root"), url=other), entry_for(below, "below", login=OTHER))
    text = secret_text("UvToml", document(*entries, public=None))
    env = {"UV_CONFIG_FILE": str(clients.write("uv.toml", text))}

    clients.uv(version, *INSTALL, "mine", env=env)

    assert LOGIN in logins(server.requests("team/below"))


@pytest.mark.parametrize("version", FOUR_VERSIONS)
def test_uv_sends_a_login_to_an_open_index_that_refuses(
    clients: Clients, server: IndexServer, version: str
) -> None:
    """The reason for the note `AnonymousBesideCredentialed`; only the oldest uv does not."""
    closed = private_repository(server, "closed", "of-closed")
    refusing = server.add_repository("open", accepts=lambda *given: False)
    entries = (entry_for(closed, "closed"), entry_for(refusing, "open", login=None))
    text = secret_text("UvToml", document(*entries, public=None))
    env = {"UV_CONFIG_FILE": str(clients.write("uv.toml", text))}

    clients.uv(version, *INSTALL, "mine", env=env)

    assert (LOGIN in logins(server.requests("open"))) == (version != FLOOR)
