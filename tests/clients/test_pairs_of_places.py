"""Whether a login reaches another index: the operator's verdict is what uv does, pair by pair.

Of two indexes the first has a login; the second has one of its own, or none and refuses whoever
comes. They are on hosts of their own behind a proxy, so that names and default ports are real.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

import pytest

from artifact_index.api.base import parse_spec
from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.reconcile.status.notes import shared_host_note
from support.client_runs import Clients
from support.index_server import IndexServer
from support.reconcile_builders import POLICY, index, index_state, plans_from, source
from support.rendered import secret_text
from support.tls_proxy import TlsProxy
from support.uv_clients import NEWEST
from support.uv_scenes import LOGIN, document, entry_for
from support.wheels import make_wheel

pytestmark = pytest.mark.clients

OTHER = ("oauth2accesstoken", "other-token")
HOSTS = {
    "pkg.test": ("pkg.test", "PKG.Test", "pkg.TEST"),
    "pkg.test.other.test": ("pkg.test.other.test",),
}
"""Hosts as uv sends them, each with its spellings."""
PORTS = {
    "http": {"": ("", ":80"), ":8080": (":8080",), ":443": (":443",)},
    "https": {"": ("", ":443"), ":8443": (":8443",), ":80": (":80",)},
}
FOLDERS = (
    "", "a/", "a/b/", "a/b/c/", "a/b%2F/", "ab/", "a-b/", "a.b/", "a%62/", "a%2Fb/", "a%20b/",
    "A/", "%61/", "%61/b/", "%C3%A4/", "%C3%A4/b/", "simple/", "simple/a/",
)  # fmt: skip
"""Folders, which uv sends as they are."""
SPELLINGS = ("{}simple/", "{}simple", "./{}simple/", "x/../{}simple/", "x/%2E%2e/{}./simple/")
PAIRS, PARTS = 240, 4


@dataclass(frozen=True)
class Place:
    """An index as uv sends its requests, and how its URL is spelt."""

    scheme: str
    host: str
    port: str
    base: str
    folder: str
    url: str

    @property
    def prefix(self) -> str:
        """Of the paths of its requests."""
        return f"{self.scheme}/{self.host}{self.port}/{self.base}{self.folder}"


def nested(one: str, other: str) -> bool:
    """Whether one folder is in the other, or would be if they were decoded, or without case."""
    plain, other_plain = unquote(one).lower(), unquote(other).lower()
    return one != other and (plain.startswith(other_plain) or other_plain.startswith(plain))


def place(draw: random.Random, like: Place | None, number: int) -> Place:
    """A place; mostly on the host and port of the other."""
    folders = list(FOLDERS)
    if like is None or draw.random() < 0.3:
        scheme = draw.choice(("http", "https"))
        host, port = draw.choice(tuple(HOSTS)), draw.choice(("", *PORTS[scheme]))
    else:
        scheme, host, port = like.scheme, like.host, like.port
    if like is not None and draw.random() < 0.7:
        folders = [each for each in FOLDERS if nested(each, like.folder)]
    folder = draw.choice(folders)
    spelt = draw.choice(SPELLINGS).format(folder)
    origin = draw.choice(HOSTS[host]) + draw.choice(PORTS[scheme][port])
    base = f"p{number}/"
    return Place(scheme, host, port, base, folder, f"{scheme}://{origin}/{base}{spelt}")


def pairs() -> Iterator[tuple[Place, Place, bool]]:
    """Two places, and whether the second has a login."""
    draw = random.Random(13)
    for number in range(PAIRS):
        one = place(draw, None, number)
        other = place(draw, one, number)
        # Pages of one index that are files of the other, as at simple/ and simple/simple/, tell
        # nothing: the server cannot know whose they are.
        while {f"{one.prefix}simple/", one.prefix} & {f"{other.prefix}simple/", other.prefix}:
            other = place(draw, one, number)
        yield one, other, draw.random() < 0.5


def verdict(one: Place, other: Place, has_login: bool) -> str:
    """What the operator says."""
    policy = replace(POLICY, allow_http=True)
    sources = (
        source("basicAuth", url=one.url),
        source("basicAuth" if has_login else "anonymous", url=other.url),
    )
    plans = plans_from(
        *(
            index_state(index(f"i{at}", {**each, "name": f"i{at}"}), policy=policy)
            for at, each in enumerate(sources)
        )
    )
    problems = [plan.problem for plan in plans if plan.problem is not None]
    assert all(problem.reason == "ShadowsSiblings" for problem in problems)
    if problems:
        return "shadows"
    spec = parse_spec(IndexOptionsSpec, {"publicIndex": {"enabled": False}})
    return "apart" if shared_host_note(spec, plans) is None else "shares login"


def measured(server: IndexServer, one: Place, other: Place, has_login: bool) -> str:
    """What uv did: which login came to which index, and whether it came unasked."""
    came = {
        each: [
            (request.username, request.password)
            for request in server.requests()
            if (found := server.find(request.path)) and found[0].prefix == each.prefix.strip("/")
        ]
        for each in (one, other)
    }
    assert came[one], "uv did not ask the first index"
    if has_login:
        crossed = OTHER in came[one] or LOGIN in came[other]
        return "shadows" if crossed else "apart"
    assert came[other], "uv did not ask the second index"
    if LOGIN not in came[other]:
        return "apart"
    return "shadows" if came[other][0] == LOGIN else "shares login"


def test_each_verdict_is_among_the_pairs() -> None:
    found = Counter(verdict(*pair) for pair in pairs())

    assert set(found) == {"apart", "shares login", "shadows"}
    assert min(found.values()) >= PAIRS // 8, found


@pytest.mark.parametrize("part", range(PARTS))
def test_the_operator_says_what_uv_does(tmp_path: Path, part: int) -> None:
    wrong = []
    with (
        IndexServer(by_host=True) as server,
        TlsProxy(tmp_path, list(HOSTS), int(server.netloc.partition(":")[2])) as tunnels,
    ):
        clients = Clients(tmp_path, proxy=tunnels.url)
        env = {"HTTP_PROXY": f"http://{server.netloc}", "SSL_CERT_FILE": str(tunnels.ca)}
        for one, other, has_login in list(pairs())[part::PARTS]:
            server.clear()
            of_one = server.add_repository(
                one.prefix, make_wheel("one", "1.0"), accepts=lambda *given: given == LOGIN
            )
            of_other = server.add_repository(
                other.prefix,
                make_wheel("other", "1.0"),
                accepts=lambda *given, has_login=has_login: has_login and given == OTHER,
            )
            login = OTHER if has_login else None
            entries = (
                replace(entry_for(of_one, "one"), url=one.url),
                replace(entry_for(of_other, "other", login=login), url=other.url),
            )
            text = secret_text("UvToml", document(*entries, public=None))
            env["UV_CONFIG_FILE"] = str(clients.write("uv.toml", text))
            clients.uv(
                NEWEST, "pip", "install", "--dry-run", "--target", "target", "one", "other", env=env
            )
            said, did = verdict(one, other, has_login), measured(server, one, other, has_login)
            if said != did:
                wrong.append((one.url, other.url, has_login, said, did))
    assert wrong == []
