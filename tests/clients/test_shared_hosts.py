"""Indexes that share a host: what uv does with them, and that the operator knows it."""

from dataclasses import replace
from urllib.parse import unquote

import pytest

from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.reconcile.status.notes import shared_host_note
from support.client_runs import Clients
from support.index_server import IndexServer
from support.python_clients import PIP_NEWEST
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


PLATFORM_FEED, DATA_FEED = (f"0f9d2a4c-6a1b-4c3d-8e5f-00000000000{n}" for n in (1, 2))


@pytest.mark.parametrize("version", (FLOOR, NEWEST))
@pytest.mark.parametrize("by_name", [True, False])
@pytest.mark.parametrize(
    ("path", "names", "numbers"),
    [
        ("api/v4/groups/{}/-/packages/pypi", ("acme%2Fplatform", "acme%2Fdata"), ("41", "42")),
        ("org/_packaging/{}/pypi", ("feed%20one", "two"), (PLATFORM_FEED, DATA_FEED)),
    ],
)
def test_uv_asks_for_files_outside_an_index_with_the_login_of_another(
    clients: Clients, server: IndexServer, version: str, by_name: bool,
    path: str, names: tuple[str, str], numbers: tuple[str, str],
) -> None:  # fmt: skip
    """The reason for the note `FilesOutsideIndex`; with the number in the URL all is well."""
    entries = []
    for name, number, login in zip(names, numbers, (LOGIN, OTHER), strict=True):
        wheel = make_wheel("mine" if login == OTHER else "of-platform", "1.0")

        def accepts(*given: str, login: tuple[str, str] = login) -> bool:
            return given == login

        numbered = server.add_repository(path.format(number), wheel, accepts=accepts)
        named = server.add_repository(path.format(unquote(name)), wheel, accepts=accepts)
        named.files_at = numbered.prefix
        url = f"http://{server.netloc}/{path.format(name if by_name else number)}/simple/"
        entries.append(replace(entry_for(named, f"i{number}", login=login), url=url))
    text = secret_text("UvToml", document(*entries, public=None))
    env = {"UV_CONFIG_FILE": str(clients.write("uv.toml", text))}

    run = clients.uv(version, *INSTALL, "mine", "of-platform", env=env)

    assert (run.returncode == 0) is not by_name, run.output
    files = [r for r in server.requests() if r.path.endswith(".whl")]
    crossed = [r for r in files if (r.password == OTHER[1]) is not ("mine" in r.path)]
    assert bool(crossed) is by_name
    assert noted([entry.url for entry in entries]) is by_name


@pytest.mark.parametrize("client", (FLOOR, NEWEST, PIP_NEWEST))
def test_clients_ask_for_the_files_of_a_page_with_the_login_of_another(
    clients: Clients, server: IndexServer, client: str
) -> None:
    """The same note for pages of links: the file of one is asked for with the other's login."""
    entries = []
    for package, login in (("of-platform", LOGIN), ("mine", OTHER)):

        def accepts(*given: str, login: tuple[str, str] = login) -> bool:
            return given == login

        repository = server.add_repository(package, make_wheel(package, "1.0"), accepts=accepts)
        page = f"{repository.url}{package}/"
        entries.append(replace(entry_for(repository, package, login=login), url=page, flat=True))
    pages = document(*entries, public=None)

    if client == PIP_NEWEST:
        env = {"PIP_CONFIG_FILE": str(clients.write("pip.conf", secret_text("PipConf", pages)))}
        run = clients.python(client, *INSTALL[1:], "mine", "of-platform", env=env)
    else:
        env = {"UV_CONFIG_FILE": str(clients.write("uv.toml", secret_text("UvToml", pages)))}
        run = clients.uv(client, *INSTALL, "mine", "of-platform", env=env)

    assert run.returncode != 0
    assert any(request.status == 401 and request.password for request in server.requests())
    assert noted([entry.url for entry in entries], format="flat")


def noted(urls: list[str], **more: str) -> bool:
    """Whether the operator has the note for two indexes with these URLs and different logins."""
    policy = replace(POLICY, allow_http=True)
    plans = plans_from(*(
        index_state(index(f"i{n}", {**source("basicAuth", url=url), "name": f"i{n}", **more}),
                    values={"username": "u", "password": f"p{n}"}, policy=policy)
        for n, url in enumerate(urls)))  # fmt: skip
    assert all(plan.ready for plan in plans)
    note = shared_host_note(IndexOptionsSpec(), plans)
    return note is not None and note.reason == "FilesOutsideIndex"
