"""Whether two indexes shadow each other: the operator's verdict is what uv does, pair by pair."""

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations

import pytest

from support.client_runs import Clients
from support.index_server import IndexServer
from support.reconcile_builders import POLICY, index, index_state, plans_from, source
from support.rendered import secret_text
from support.uv_clients import NEWEST
from support.uv_scenes import LOGIN, document, entry_for, good
from support.wheels import make_wheel

pytestmark = pytest.mark.clients

OTHER = ("oauth2accesstoken", "other-token")
FOLDERS = ("", "a/", "a/b/", "a/b/c/", "ab/", "a-b/", "a.b/", "simple/", "simple/a/")
SPELLINGS = ("{}simple/", "{}simple", "./{}simple/", "x/../{}simple/", "x/%2E%2e/{}./simple/")
PAIRS, PARTS = 200, 4


def pairs() -> Iterator[tuple[int, tuple[str, str], tuple[str, str]]]:
    """Numbered pairs of two indexes, each by its folder and the spelling of its URL."""
    all_of_them = [(folder, spelling) for folder in FOLDERS for spelling in SPELLINGS]
    apart = [(one, other) for one, other in permutations(all_of_them, 2) if one[0] != other[0]]
    for number, (one, other) in enumerate(random.Random(13).sample(apart, PAIRS)):
        yield number, one, other


def refuses(urls: list[str]) -> bool:
    """Whether the operator refuses one of two indexes with logins."""
    policy = replace(POLICY, allow_http=True)
    states = [
        index_state(
            index(f"i{at}", {**source("basicAuth", url=url), "name": f"i{at}"}), policy=policy
        )
        for at, url in enumerate(urls)
    ]
    problems = [plan.problem for plan in plans_from(*states) if plan.problem is not None]
    assert all(problem.reason == "ShadowsSiblings" for problem in problems)
    return bool(problems)


def crossed(server: IndexServer) -> bool:
    """Whether one index was asked with the login of the other."""
    owners = {"one": LOGIN, "other": OTHER}
    for request in server.requests():
        found = server.find(request.path)
        given = request.username, request.password
        if found is not None and given != (None, None):
            (name,) = found[0].wheels
            if given != owners[name]:
                return True
    return False


@pytest.mark.parametrize("part", range(PARTS))
def test_the_operator_refuses_exactly_what_uv_mixes_up(
    clients: Clients, server: IndexServer, part: int
) -> None:
    wrong = []
    for number, (one, one_spelt), (other, other_spelt) in list(pairs())[part::PARTS]:
        server.clear()
        base = f"p{number}/"
        repositories = [
            server.add_repository(base + one, make_wheel("one", "1.0"), accepts=good),
            server.add_repository(
                base + other, make_wheel("other", "1.0"), accepts=lambda *given: given == OTHER
            ),
        ]
        urls = [
            f"http://{server.netloc}/{base}{spelt.format(folder)}"
            for folder, spelt in ((one, one_spelt), (other, other_spelt))
        ]
        entries = [
            replace(entry_for(repository, name, login=login), url=url)
            for repository, name, login, url in zip(
                repositories, ("one", "other"), (LOGIN, OTHER), urls, strict=True
            )
        ]
        text = secret_text("UvToml", document(*entries, public=None))
        env = {"UV_CONFIG_FILE": str(clients.write("uv.toml", text))}
        clients.uv(
            NEWEST, "pip", "install", "--dry-run", "--target", "target", "one", "other", env=env
        )
        if refuses(urls) is not crossed(server):
            wrong.append((urls, refuses(urls)))
    assert wrong == []
