"""Namespaces, consent and answers change at random, processes are killed: the end is right."""

import asyncio
import base64
import random
import tomllib
from typing import Any

import pytest

from artifact_index.api.constants import ROLE_LABEL
from artifact_index.kube.errors import ApiError
from support.cluster_world import BUILDS, HOME, INDEX, OPTIONS, ClusterWorld
from support.engine import GAR
from support.reconcile_builders import SECRETS, secret_body

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

STEPS = 200
NAMES = [f"ns-{number}" for number in range(12)]
LATEST = 900.0
"""Seconds in which everything is as it should be: the longest back-off, and a token."""

CONSENTS: list[dict[str, Any]] = [
    {"selector": {}},
    {"selector": {"matchLabels": BUILDS}},
    {"selector": {"matchExpressions": [{"key": "team", "operator": "In", "values": ["a"]}]}},
    {"names": NAMES[:4]},
]


class Life:
    """A world in which one thing after another happens."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.world = ClusterWorld()
        self.world.port.latency = lambda: self.rng.uniform(0, 0.2)
        self.world.port.loses = lambda: self.rng.random() < self.trouble
        self.world.port.refuse = self._refuse
        self.trouble = 0.0
        self.consents = {"gar": CONSENTS[1], "other": CONSENTS[0]}
        self.labels: dict[str, dict[str, str]] = {}
        self.ending: set[str] = set()

    def _refuse(self, verb: str, plural: str, name: str) -> ApiError | None:
        if verb in ("get", "list") or self.rng.random() >= self.trouble:
            return None
        return self.rng.choice(
            [
                ApiError(503, "ServiceUnavailable", "later"),
                ApiError(429, "TooManyRequests", "", 1.0),
            ]
        )

    async def step(self) -> None:
        """Let one thing happen."""
        name = self.rng.choice(NAMES)
        what = self.rng.choices(
            [self.relabel, self.delete, self.consent, self.rotate, self.edit, self.kill],
            [8, 6, 3, 2, 2, 2],
        )[0]
        await what(name)
        await asyncio.sleep(self.rng.choice([0, 0.01, 0.1, 0.1, 1, 5]))
        self.found()

    async def relabel(self, name: str) -> None:
        """Create a namespace, or give it other labels."""
        if name in self.ending:
            return
        labels = {"team": self.rng.choice("ab")} | (BUILDS if self.rng.random() < 0.7 else {})
        self.labels[name] = labels
        self.world.namespace(name, labels)

    async def delete(self, name: str) -> None:
        """Begin to delete a namespace, or delete it at last."""
        if name in self.ending:
            self.ending.discard(name)
            self.world.drop_namespace(name)
        elif name in self.labels:
            self.ending.add(name)
            del self.labels[name]
            self.world.end_namespace(name)

    async def consent(self, name: str) -> None:
        """Let an index be served elsewhere."""
        index = self.rng.choice([*self.consents])
        self.consents[index] = self.rng.choice(CONSENTS)
        self.world.index(index, {**GAR, "name": index, "namespaces": self.consents[index]})

    async def rotate(self, name: str) -> None:
        """Change the key, which all files have to follow."""
        values = SECRETS["gcp-key"]
        key = values["key.json"].replace('"type"', f'"n": "{self.rng.random()}", "type"')
        body = secret_body(
            "gcp-key", {**values, "key.json": key}, namespace=HOME, labels={ROLE_LABEL: "source"}
        )
        old = self.world.port.find("secrets", HOME, "gcp-key")
        assert old is not None
        body["metadata"]["uid"] = old["metadata"]["uid"]
        self.world.port.change("secrets", body)

    async def edit(self, name: str) -> None:
        """Somebody overwrites or deletes an output."""
        body = self.world.port.find("secrets", name, "uv-config")
        if body is None or name in self.ending:
            return
        if self.rng.random() < 0.5:
            self.world.port.remove("secrets", name, "uv-config")
        else:
            data = {**body["data"], "uv.toml": base64.b64encode(b"index = []").decode()}
            self.world.port.change("secrets", {**body, "data": data})

    async def kill(self, name: str) -> None:
        """A process ends in the middle of its work, and another one takes over."""
        await self.world.retire()

    def expected(self) -> dict[str, set[str]]:
        """The indexes that each namespace has consented to."""
        found = {}
        for name, labels in self.labels.items():
            if BUILDS.items() <= labels.items():
                given = {
                    index for index, each in self.consents.items() if _includes(each, name, labels)
                }
                if given:
                    found[name] = given
        return found

    def found(self) -> dict[str, set[str]]:
        """The indexes in each file; at any time all logins in a file are of one minted token."""
        found = {}
        for (plural, namespace, name), body in self.world.port.objects.items():
            if plural != "secrets" or name != "uv-config" or namespace in self.ending:
                continue
            text = base64.b64decode(body["data"]["uv.toml"]).decode()
            tables = [each for each in tomllib.loads(text)["index"] if each["name"] != "pypi"]
            logins = {each["url"].partition("://")[2].partition("@")[0] for each in tables}
            assert len(logins) <= 1, f"{namespace} has a torn file"
            found[namespace] = {each["name"] for each in tables}
        return found


def _includes(consent: dict[str, Any], name: str, labels: dict[str, str]) -> bool:
    if "names" in consent:
        return name in NAMES[:4]
    if consent == CONSENTS[1]:
        return BUILDS.items() <= labels.items()
    return consent == CONSENTS[0] or labels.get("team") == "a"


@pytest.mark.parametrize("seed", range(3))
async def test_each_namespace_ends_with_exactly_what_it_consented_to(seed: int) -> None:
    life = Life(seed)
    life.world.index("gar", {**INDEX, "name": "gar"})
    life.world.index("other", {**GAR, "name": "other", "namespaces": CONSENTS[0]})
    life.world.options(spec=OPTIONS)
    await life.world.start()
    for number in range(STEPS):
        await life.step()
        life.trouble = 0.1 if number % 50 < 40 else 0.0
        if number % 50 == 49:
            await asyncio.sleep(LATEST)
            assert life.found() == life.expected()
    before = life.world.mints
    assert await life.world.restart() == []
    assert life.world.mints == before
    selected = len(life.expected())
    assert life.world.status()["namespaces"] == {
        "selected": selected, "written": selected, "failing": 0,
    }  # fmt: skip
    await life.world.kill()
