"""The tenants: how many objects each of them has, and what the good one was promised."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from artifact_index.kube.resources import ARTIFACT_INDEXES, INDEX_OPTIONS, SECRETS
from bench.scene import Object
from support.clouds import AwsStandIn
from support.world import artifact_index, basic_auth, code_artifact, index_options, secret

GOOD, REFUSED, HUNG, LARGE, SLOW, HOARD = "good", "refused", "hung", "large", "slow", "hoard"
NAMESPACES = (GOOD, REFUSED, HUNG, LARGE, SLOW, HOARD)
GOOD_USER = "arn:aws:iam::111122223333:user/good"
HUNG_USER = "arn:aws:iam::111122223333:user/hung"
"""Whom the cloud never answers, whatever the region."""

NEW = "new-"
"""How the names of the good tenant's new files begin."""

_SECRET = "login"
_FILE_OF = 10
_GROUP = 100
"""Indexes in each file of the tenants whose logins fail."""
_OUTPUTS = 8
_FORMATS = ["UvToml", "Netrc", "PipConf", "Pypirc", "PdmToml"]


@dataclass(frozen=True)
class Limits:
    """What the good tenant may notice of the others.

    Seconds: `new_file` to its new files at p99, `after_start` the same where the operator has just
    been started, and asks clouds before it watches; `life` that its tokens have left at the least.
    Milliseconds: `lag` of the event loop at p99. `memory` is MiB. `mints` are the requests for
    tokens in a second, `lookups` those for URLs in a phase, for each login of all tenants. `ratio`
    is of the time to a new file, to that without the others. None where nothing is promised.
    """

    new_file: float = 2.0
    after_start: float = 2.0
    life: float | None = 0.0
    lag: float | None = 100.0
    memory: float = 250.0
    mints: float = 10.5
    lookups: float = 2.0
    ratio: float | None = 1.5


@dataclass(frozen=True)
class Tenants:
    """How many objects each tenant has, and for how many `seconds` each phase is watched.

    `good`: logins of the good tenant, whose tokens live 15 minutes, or `life` seconds. `refused`:
    logins with a key that the cloud does not know. `hung`: logins that it never answers, in
    `regions`. `large`: indexes, all of them in each of `large_files` files of 8 outputs of 5
    formats, under a password that changes every `password_seconds`. `slow`: files in a namespace
    whose writes are admitted after `delay` seconds. `hoard`: labelled Secrets of 1 MB that no index
    names. All but the good tenant's objects arrive within `arrival` seconds. `flags` are the
    operator's.
    """

    title: str
    good: int = 50
    refused: int = 10_000
    hung: int = 512
    regions: int = 32
    large: int = 2_400
    large_files: int = 3
    slow: int = 100
    delay: float = 20.0
    hoard: int = 500
    arrival: float = 240.0
    seconds: float = 240.0
    password_seconds: float = 10.0
    life: int | None = None
    flags: tuple[str, ...] = ()
    limits: Limits = Limits()

    @property
    def logins(self) -> int:
        """The logins of all tenants, but for those of new files."""
        return self.good + self.refused + self.hung

    def good_objects(self, aws: AwsStandIn) -> Iterator[Object]:
        """The good tenant: logins of one key, ten in each file."""
        yield SECRETS, GOOD, _key_secret(aws, GOOD_USER)
        for number in range(self.good):
            yield _file_index(f"index-{number:02}", f"file-{number // _FILE_OF}")
        for number in range(-(-self.good // _FILE_OF)):
            yield _file(f"file-{number}")

    def hostile_objects(self, aws: AwsStandIn) -> Iterator[Object]:
        """All others, in turns: what each of them does happens all the time."""
        tenants = [self._refused(), self._hung(aws), self._large(), self._slow(), self._hoard()]
        for row in itertools.zip_longest(*tenants):
            yield from (item for item in row if item is not None)

    def _refused(self) -> Iterator[Object]:
        unknown = {"AWS_ACCESS_KEY_ID": "AKIA0000000000000000", "AWS_SECRET_ACCESS_KEY": "unknown"}
        yield SECRETS, REFUSED, secret(_SECRET, unknown)
        for number in range(self.refused):
            source = code_artifact(_SECRET, domain=f"domain-{number}")
            yield _index(REFUSED, number, codeArtifact=source)
        yield from _files_of_groups(REFUSED, self.refused)

    def _hung(self, aws: AwsStandIn) -> Iterator[Object]:
        yield SECRETS, HUNG, _key_secret(aws, HUNG_USER)
        for number in range(self.hung):
            region = f"xx-silent-{number % self.regions}"
            source = code_artifact(_SECRET, domain=f"domain-{number}", region=region)
            yield _index(HUNG, number, codeArtifact=source)
        yield from _files_of_groups(HUNG, self.hung)

    def _large(self) -> Iterator[Object]:
        yield SECRETS, LARGE, another_password(0)
        for number in range(self.large):
            source = basic_auth(f"https://host-{number}.example/simple/", _SECRET)
            source["publishURL"] = f"https://host-{number}.example/upload/"
            yield _index(LARGE, number, publish=True, basicAuth=source)
        for number in range(self.large_files):
            outputs = [
                {"kind": "Secret", "name": f"file-{number}-{output}", "formats": _FORMATS}
                for output in range(_OUTPUTS)
            ]
            yield _options(LARGE, f"file-{number}", outputs=outputs)

    def _slow(self) -> Iterator[Object]:
        yield _index(SLOW, 0, anonymous={"url": "https://public.example/simple/"})
        for number in range(self.slow):
            yield _options(SLOW, f"file-{number}")

    def _hoard(self) -> Iterator[Object]:
        for number in range(self.hoard):
            yield SECRETS, HOARD, secret(f"hoard-{number}", {"text": f"{number:06}" + "x" * 10**6})


def new_objects(name: str) -> tuple[Object, Object]:
    """An index of the good tenant with a login of its own, and the file for it alone."""
    return _file_index(name, name), _file(name)


def another_password(number: int) -> dict[str, Any]:
    """The Secret of the large tenant."""
    return secret(_SECRET, {"password": f"password-{number}"})


def _key_secret(aws: AwsStandIn, principal: str) -> dict[str, Any]:
    key = aws.add_access_key(principal=principal)
    values = {
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
    }
    return secret(_SECRET, values)


def _file_index(name: str, group: str) -> Object:
    # A domain for each index: that is what makes it a login of its own.
    source = code_artifact(_SECRET, domain=name, tokenDuration="15m")
    body = artifact_index(name, labels={"group": group}, name=name, codeArtifact=source)
    return ARTIFACT_INDEXES, GOOD, body


def _file(name: str) -> Object:
    selector = {"matchLabels": {"group": name}}
    return INDEX_OPTIONS, GOOD, index_options(name, indexSelector=selector, maxBuildDuration="2m")


def _files_of_groups(namespace: str, indexes: int) -> Iterator[Object]:
    for group in range(-(-indexes // _GROUP)):
        yield _options(
            namespace, f"file-{group}", indexSelector={"matchLabels": {"group": str(group)}}
        )


def _index(namespace: str, number: int, **spec: Any) -> Object:
    labels = {"group": str(number // _GROUP)}
    body = artifact_index(f"index-{number}", labels=labels, name=f"index-{number}", **spec)
    return ARTIFACT_INDEXES, namespace, body


def _options(namespace: str, name: str, **spec: Any) -> Object:
    return INDEX_OPTIONS, namespace, index_options(name, **spec)


EVERYBODY = Tenants(
    "a good tenant beside hostile ones",
    # The longest outage for which 15 minutes are enough with builds of 2 minutes: a token
    # in a file then never has less than the other margins and the build, 6m40s.
    flags=("--outage-budget=5m",),
    limits=Limits(life=400.0),
)

A_FEW = Tenants(
    "a good tenant beside a few hostile ones, with tokens of 24 s",
    good=5,
    refused=500,
    hung=64,
    regions=8,
    large=240,
    large_files=2,
    slow=32,
    delay=5.0,
    hoard=20,
    arrival=5.0,
    seconds=10.0,
    password_seconds=2.0,
    life=24,
    # They are replaced after 8 s, and withdrawn 6 s before their end.
    flags=("--min-refresh-interval=1s",),
    # For a machine that others keep busy: without fair shares all of it takes a minute.
    limits=Limits(
        new_file=15.0, after_start=25.0, life=None, lag=None, memory=150.0, mints=13.0, ratio=None
    ),
)
"""For CI."""
