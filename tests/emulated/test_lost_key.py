"""A start after the signing key was lost: a hundred logins by real boto3, each with its key."""

import random
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from support.control_plane import wait_until
from support.emulated_world import EmulatedWorld, emulated_world
from support.operator_process import OPERATOR_NAMESPACE
from support.world import PATIENCE, artifact_index, index_options

pytestmark = pytest.mark.emulated

LOGINS = 100
NAMESPACE = "builders"


@pytest.fixture
def world() -> Iterator[EmulatedWorld]:
    with emulated_world() as opened:
        yield opened


def login(domain: str, hours: int) -> dict[str, object]:
    return {
        "domain": domain,
        "domainOwner": "111122223333",
        "region": "eu-west-1",
        "repository": "python",
        "endpoint": f"https://{domain}.example/pypi/python/",
        "tokenDuration": f"{hours}h",
        "auth": {"secretRef": {"name": domain}},
    }


def resident_kib(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4


def test_logins_are_minted_anew_within_the_rate_most_urgent_first_and_clients_are_dropped(
    world: EmulatedWorld,
) -> None:
    hours = {f"d{number:02}": 2 + number % 10 for number in range(LOGINS)}
    shuffled = random.Random(4).sample(sorted(hours), LOGINS)
    for domain in shuffled:
        world.add(NAMESPACE, world.access_key(domain, domain))
        index = artifact_index(domain, name=domain, codeArtifact=login(domain, hours[domain]))
        world.add(NAMESPACE, index)
    world.add(NAMESPACE, index_options("uv-config"))
    with world.operator("--mints-per-second", "50") as operator:
        wait_until(lambda: accepted(world) == LOGINS, "the first tokens", PATIENCE)
        world.settle()
        operator.stop()
    assert len(world.aws.tokens.all()) == LOGINS
    world.emulator.delete("secrets", OPERATOR_NAMESPACE, "artifact-index-operator-signing-key")
    world.aws.expire_tokens()

    begun = time.time()
    with world.operator() as operator:
        wait_until(lambda: len(world.aws.tokens.all()) >= LOGINS // 4, "a quarter", PATIENCE)
        quarter = resident_kib(operator.pid)
        wait_until(lambda: accepted(world) == LOGINS, "all tokens", PATIENCE)
        world.settle()
        grown = resident_kib(operator.pid) - quarter

    issued = sorted(world.aws.tokens.all(), key=lambda token: token.issued_at)
    assert len({token.principal for token in issued}) == len(issued) == LOGINS
    # Ten begin in each second from some time after the start. They reach AWS later, and on a busy
    # machine many at once: in no less time than this, whatever holds them up.
    for number, token in enumerate(issued):
        assert token.issued_at - begun >= number // 10 - 1
    # Ten tokens each ended in the same hour; a few calls overtake each other on the way.
    lives = [hours[token.scope.rpartition("/")[2]] for token in issued]
    groups = [sum(lives[at : at + 10]) / 10 for at in range(0, LOGINS, 10)]
    assert all(abs(group - expected) < 0.7 for expected, group in enumerate(groups, 2)), lives
    # Kept clients would be 0.2 MB each.
    assert grown < 8 * 1024


def accepted(world: EmulatedWorld) -> int:
    """How many indexes are served with a token that CodeArtifact takes."""
    urls = [urlsplit(table["url"]) for table in world.served(NAMESPACE).values()]
    return sum(world.aws.is_valid("aws", unquote(url.password or "")) for url in urls)
