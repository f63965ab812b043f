"""The objects of the week: namespaces, files, indexes and their logins."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from artifact_index.election.candidate import Timing
from support.world import artifact_index, basic_auth, in_namespace, index_options, secret

HOUR = 3600
OWNER = "111122223333"
SLOTS = 10
"""Indexes of one file come in so many groups, each with a source and a login of its own."""

Source = Literal["codeArtifact", "googleArtifactRegistry", "basicAuth"]
Place = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True)
class Login:
    """`life` is that of its tokens in seconds, None for a password, which nobody mints.

    `secret` is where its key or password stands, None for the operator's own identity. One that
    is not `labelled` is read by name.
    """

    name: str
    source: Source
    life: int | None = None
    secret: Place | None = None
    labelled: bool = True

    @property
    def sort(self) -> str:
        """What it is called in tables."""
        cloud = "CodeArtifact" if self.source == "codeArtifact" else "Google"
        life = self.life or 0
        return f"{cloud} {life // HOUR} h" if life >= HOUR else f"{cloud} {life // 60} min"


class Index(NamedTuple):
    """An ArtifactIndex, the file that selects it, and its login (None: anonymous)."""

    name: str
    file: Place
    login: Login | None
    repository: str

    @property
    def place(self) -> Place:
        """Namespace and name."""
        return self.file[0], self.name


@dataclass(frozen=True)
class Week:
    """`files` IndexOptions in each namespace, over ten groups of `width` indexes each.

    Whoever plans another width keeps every login and every file. The election is most of what a
    short week with few objects costs, so that one of two may have slower times.
    """

    title: str
    hours: int = 168
    namespaces: int = 10
    files: int = 10
    width: int = 10
    election: Timing = field(default_factory=Timing)

    @property
    def seconds(self) -> int:
        """How long it lasts."""
        return self.hours * HOUR

    @property
    def size(self) -> int:
        """How many indexes there are."""
        return self.namespaces * self.files * SLOTS * self.width

    def all_files(self) -> list[Place]:
        """Every IndexOptions."""
        return [
            (_namespace(number), f"team-{file}")
            for number in range(self.namespaces)
            for file in range(self.files)
        ]

    def indexes(self) -> Iterator[Index]:
        """Every ArtifactIndex."""
        for number in range(self.namespaces):
            for file in range(self.files):
                for slot in range(SLOTS):
                    for each in range(self.width):
                        repository = f"repo-{slot}-{each}"
                        yield Index(
                            f"team-{file}-{slot}-{each}",
                            (_namespace(number), f"team-{file}"),
                            login_of(number, file, slot),
                            repository,
                        )

    def logins(self) -> dict[str, Login]:
        """Every login that is used, by name."""
        return {
            index.login.name: index.login for index in self.indexes() if index.login is not None
        }


def login_of(namespace: int, file: int, slot: int) -> Login | None:
    """Most tokens live for half a day and stand in many files; short ones are few."""
    where = _namespace(namespace)
    if slot < 4:
        return Login(f"platform-{namespace}", "codeArtifact", 12 * HOUR, (where, "platform"))
    if slot == 4:
        return Login("company", "codeArtifact", 12 * HOUR)
    if slot == 5:
        name = f"team-{namespace}-{file}"
        return Login(name, "codeArtifact", 8 * HOUR, (where, f"key-{file}"))
    if slot == 6 and (short := _short_lived(namespace, file)) is not None:
        return short
    if slot in (6, 7):
        return Login(f"mirror-{namespace}", "basicAuth", secret=(where, "mirror"))
    if slot == 8:
        secret_place = (where, "forge")
        return Login(f"forge-{namespace}", "basicAuth", secret=secret_place, labelled=False)
    return None


def _short_lived(namespace: int, file: int) -> Login | None:
    """Of every five namespaces, six files hold tokens that live for an hour or less."""
    where, (group, member) = _namespace(namespace), divmod(namespace, 5)
    match member, file:
        case 0, 0:
            name = f"paranoid-{group}"
            return Login(name, "codeArtifact", HOUR // 4, (where, "paranoid"))
        case 0, 1 | 2:
            return Login(f"hourly-{group}", "codeArtifact", HOUR, (where, "hourly"))
        case 0, 3:
            name = f"data-{group}"
            return Login(name, "googleArtifactRegistry", HOUR, (where, "google-key"))
        case (0, 4) | (1, 0):
            return Login(f"builder-{group}", "googleArtifactRegistry", HOUR)
    return None


def index_body(index: Index) -> dict[str, Any]:
    """The ArtifactIndex."""
    labels = {"file": index.file[1]}
    return artifact_index(index.name, labels=labels, name=index.name, **_source_of(index))


def file_body(file: Place) -> dict[str, Any]:
    """The IndexOptions."""
    return index_options(file[1], indexSelector={"matchLabels": {"file": file[1]}})


def secret_body(login: Login, key: int) -> dict[str, Any]:
    """The source Secret of a login, with its `key`-th key or password."""
    if login.secret is None:
        raise ValueError(f"{login.name} has no Secret")
    if login.source == "codeArtifact":
        values = {
            "AWS_ACCESS_KEY_ID": key_id(login, key),
            "AWS_SECRET_ACCESS_KEY": f"secret-of-{key_id(login, key)}",
        }
    elif login.source == "googleArtifactRegistry":
        account = {
            "type": "service_account",
            "client_email": f"{login.name}@acme-build.iam.gserviceaccount.com",
            "private_key_id": key_id(login, key),
            "private_key": "no key",
        }
        values = {"key.json": json.dumps(account)}
    else:
        values = {"username": "ci", "password": key_id(login, key)}
    namespace, name = login.secret
    return in_namespace(namespace, [secret(name, values, labelled=login.labelled)])[0]


def key_id(login: Login, key: int) -> str:
    """The public name of a login's `key`-th key; of a password, the password itself."""
    return f"AKIA{login.name}-{key}"


def _source_of(index: Index) -> dict[str, Any]:
    login, place = index.login, f"{index.file[1]}/{index.repository}"
    if login is None:
        return {"anonymous": {"url": f"https://open.example/{place}/simple/"}}
    if login.source == "basicAuth":
        url = f"https://{login.name}.example/{place}/simple/"
        return {"basicAuth": basic_auth(url, login.secret[1] if login.secret else "")}
    identity: dict[str, Any] = {"operatorIdentity": {}}
    if login.secret is not None:
        identity = {"secretRef": {"name": login.secret[1]}}
    if login.source == "codeArtifact":
        return {
            "codeArtifact": {
                "domain": login.name,
                "domainOwner": OWNER,
                "region": "eu-west-1",
                "repository": index.repository,
                "tokenDuration": f"{login.life}s",
                "auth": identity,
            }
        }
    step = {}
    if login.secret is None:
        account = f"{login.name}@acme-build.iam.gserviceaccount.com"
        step = {"impersonate": {"serviceAccount": account}}
    where = {"project": "acme-build", "location": "europe-west1", "repository": index.repository}
    return {"googleArtifactRegistry": {**where, "auth": identity, **step}}


def _namespace(number: int) -> str:
    return f"dept-{number}"
