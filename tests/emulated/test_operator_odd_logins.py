"""Logins with letters at which URL parsers stumble, beside a list of hosts, at DEBUG."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from support.canaries import Dump, strings
from support.control_plane import wait_until
from support.emulated_world import EmulatedWorld, anonymous, emulated_world
from support.operator_process import health
from support.world import PATIENCE, artifact_index, code_artifact, index_options, secret

pytestmark = pytest.mark.emulated

NAMESPACE = "odd"
SECRETS = ("T0ps3cretPassw0rd", "T0ps3cretUser", "T0ps3cretPath", "T0ps3cretQuery", "T0ps3cretCut")
USER, PASSWORD, PATH, QUERY, CUT = SECRETS
GOOD = {
    "brackets": f"https://{USER}:T0p[{PASSWORD}]x@pypi.example/{PATH}/simple/",
    "address": f"https://{USER}:[::1]{PASSWORD}@pypi.example/{PATH}/simple/",
    "open": f"https://{USER}[:{PASSWORD}[@pypi.example/{PATH}/simple/",
    "close": f"https://{USER}]:{PASSWORD}]@pypi.example/{PATH}/simple/",
    "look-alike": f"https://{USER}\u2100:{PASSWORD}\uff1a\uff20@pypi.example/{PATH}/simple/",
    "at": f"https://{USER}:{PASSWORD}@@[{CUT}@pypi.example/{PATH}/simple/",
    "percent": f"https://{USER}:{PASSWORD}%5B%@pypi.example/{PATH}/simple/",
    "quotes": f"https://{USER}:{PASSWORD}'\"[{CUT}@pypi.example/{PATH}/simple/",
    "token": f"https://{USER}[@pypi.example/token/simple/",
    "query": f"https://{USER}:{PASSWORD}[@pypi.example/[{PATH}]/?key=[{QUERY}]@#[\u2100{QUERY}",
}
UNUSABLE = {
    "port": f"https://{USER}:{PASSWORD}[@pypi.example:[{CUT}]/{PATH}/",
    "host": f"https://{USER}:{PASSWORD}@[{CUT}/{PATH}/",
    "backslash": f"https://{USER}:{PASSWORD}[\\{CUT}@pypi.example/{PATH}/",
    "space": f"https://{USER}:{PASSWORD}[ {CUT}@pypi.example/{PATH}/",
    "line": f"https://{USER}:{PASSWORD}\n[{CUT}@pypi.example/{PATH}/",
    "scheme": f"{USER}:{PASSWORD}[{CUT}@pypi.example/{PATH}/",
}
ELSEWHERE = {
    "evil": f"https://{USER}:{PASSWORD}[@evil.test/{PATH}/",
    "hidden": f"https://{USER}:{PASSWORD}@evil.test/[@pypi.example/{PATH}/",
}


@pytest.fixture
def world() -> Iterator[EmulatedWorld]:
    with emulated_world() as opened:
        yield opened


def preauthenticated(name: str, url: str) -> list[dict[str, Any]]:
    """A Secret with a URL, and the index that it is for."""
    return [
        secret(f"url-{name}", {"url": url}),
        artifact_index(name, name=name, preauthenticated={"urlSecretRef": {"name": f"url-{name}"}}),
    ]


def everything(world: EmulatedWorld) -> Dump:
    """All objects but the data of Secrets."""
    places: dict[str, str] = {}
    for kind in ("artifactindexes", "indexoptions", "configmaps", "secrets", "events"):
        for body in world.emulator.list(kind, namespace=NAMESPACE):
            shown = {key: value for key, value in body.items() if key not in ("data", "stringData")}
            name = f"{kind}/{body['metadata']['name']}"
            places[name] = json.dumps(shown) + "\n".join(strings(shown))
    return Dump(places)


def test_odd_logins_are_served_and_found_nowhere_else(world: EmulatedWorld) -> None:
    """The file lives, new indexes and tokens come, and nothing of a login is logged or shown."""
    flags = ("--allowed-hosts=*.example", "--log-level=debug")
    with world.operator(*flags) as operator:
        world.add(
            NAMESPACE,
            world.access_key("keys", "odd"),
            artifact_index("acme", name="acme", codeArtifact=code_artifact("keys")),
            index_options("uv-config"),
            index_options("public", outputs=[{"kind": "ConfigMap", "name": "public"}]),
        )
        world.wait_served(NAMESPACE, "acme")
        first, minted_by = world.served(NAMESPACE)["acme"]["url"], int(time.time())
        urls = GOOD | UNUSABLE | ELSEWHERE
        for name, url in urls.items():
            world.add(NAMESPACE, *preauthenticated(name, url))
        for name in GOOD:
            world.wait_reason("artifactindexes", NAMESPACE, name, "Available")
        for name in UNUSABLE:
            world.wait_reason("artifactindexes", NAMESPACE, name, "InvalidSecretValue")
        for name in ELSEWHERE:
            world.wait_reason("artifactindexes", NAMESPACE, name, "HostNotAllowed")
        served = world.served(NAMESPACE)
        assert {name: served[name]["url"] for name in GOOD} == GOOD
        assert all(world.blocked(NAMESPACE, name) for name in UNUSABLE | ELSEWHERE)

        # The file goes on: a new index, and a new token of the old one.
        world.add(NAMESPACE, artifact_index("late", **anonymous("late")))
        world.wait_served(NAMESPACE, "acme", "late", *urls)

        # A request of the second in which the token was minted is fulfilled already.
        wait_until(lambda: int(time.time()) > minted_by, "the next second", PATIENCE)

        def ask(body: dict[str, Any]) -> None:
            asked = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            body["metadata"]["annotations"] = {"artifactindex.dev/refresh-requested-at": asked}

        world.emulator.corrupt("artifactindexes", NAMESPACE, "acme", ask)
        wait_until(lambda: world.served(NAMESPACE)["acme"]["url"] != first, "a token", PATIENCE)
        world.settle()

        dump = everything(world)
        for page in ("healthz", "readyz", "metrics"):
            dump.places[page] = health(operator.health_port, page)[1]
        dump.places["log"] = operator.log
    assert "DEBUG" in operator.log and "internal error" not in operator.log
    assert {value: where for value in SECRETS if (where := dump.search(value))} == {}
    assert dump.search("InvalidSecretValue"), "the search finds what is there"
