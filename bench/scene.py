"""What is measured on: so many ArtifactIndex and IndexOptions, namespaces and logins."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from artifact_index.kube.resources import ARTIFACT_INDEXES, INDEX_OPTIONS, SECRETS, Resource
from bench.phase import COLD_START, IDLE, KEY_ROTATED, RESTART, TOKEN_REFRESHED
from support.clouds import AwsStandIn
from support.world import artifact_index, basic_auth, code_artifact, index_options

PRINCIPAL = "arn:aws:iam::111122223333:user/bench"
_URL = "https://packages.example/team-{place}/simple/"

Object = tuple[Resource, str, dict[str, Any]]
"""A kind, a namespace, and the body."""


class Place(NamedTuple):
    """Where an index stands: its namespace, its group there, and its place in the group's file."""

    namespace: int
    group: int
    place: int


@dataclass(frozen=True)
class Scene:
    """`options` IndexOptions over `indexes` ArtifactIndex, spread evenly over `namespaces`.

    Each IndexOptions selects `per_output` indexes. Where a namespace has more indexes than that,
    they are split among its IndexOptions by a label; otherwise each IndexOptions selects them all.
    `source` is what all indexes are: CodeArtifact repositories of one domain, or Basic auth.
    `logins` is the number of source Secrets in each namespace; all indexes of one file share one.
    `phases` happen in this order, after the cold start. `flags` are the operator's. `both_clouds`
    loads the SDK of the cloud that no index is of. With `many_calls` the bare loop asks the cloud
    as often as the logins have to.
    """

    name: str
    title: str
    indexes: int
    options: int
    per_output: int = 10
    namespaces: int = 1
    logins: int = 1
    source: Literal["codeArtifact", "basicAuth"] = "codeArtifact"
    phases: tuple[str, ...] = (RESTART, IDLE, KEY_ROTATED, TOKEN_REFRESHED)
    flags: tuple[str, ...] = ()
    compared: bool = True
    both_clouds: bool = False
    many_calls: bool = False

    @property
    def all_phases(self) -> tuple[str, ...]:
        """The cold start, and what follows it."""
        return (COLD_START, *self.phases)

    @property
    def split(self) -> bool:
        """Whether each index belongs to one IndexOptions only."""
        return self.indexes // self.namespaces > self.per_output

    @property
    def mints(self) -> int:
        """The tokens that all logins take."""
        return self.logins * self.namespaces if self.source == "codeArtifact" else 0

    @property
    def endpoints(self) -> int:
        """The repositories that are asked for their URL, each once for each login."""
        if self.source != "codeArtifact":
            return 0
        places = (self.place(number) for number in range(self.indexes))
        return len({(place.namespace, place.group % self.logins, place.place) for place in places})

    @property
    def outputs(self) -> int:
        """The Secrets that are written."""
        return self.options

    @property
    def statuses(self) -> tuple[tuple[str, int], ...]:
        """The writes that tell something of every object, with their numbers."""
        return (
            ("patch indexoptions/status", self.options),
            ("patch artifactindexes/status", self.indexes),
        )

    @property
    def expiring(self) -> bool:
        """Whether statuses tell an expiry, which another key or token changes."""
        return self.source == "codeArtifact"

    def place(self, number: int) -> Place:
        """Where an index stands, counted from 0."""
        namespace, inside = divmod(number, self.indexes // self.namespaces)
        return Place(namespace, *divmod(inside, self.per_output))

    def index_at(self, number: int) -> tuple[str, str]:
        """Namespace and name of an ArtifactIndex."""
        return _namespace(self.place(number).namespace), f"index-{number:05}"

    def secrets(self) -> Iterator[tuple[str, str]]:
        """Namespace and name of each source Secret."""
        for namespace in range(self.namespaces):
            for login in range(self.logins):
                yield _namespace(namespace), _login(login)

    def output_of_secret(self, namespace: str, secret: str) -> tuple[str, str]:
        """Namespace and name of the first output that shows a source Secret's login."""
        inside = int(secret.removeprefix("login-"))
        return namespace, f"uv-{inside:05}"

    def namespace_objects(self) -> list[dict[str, Any]]:
        """The namespaces, for kubectl."""
        names = (_namespace(number) for number in range(self.namespaces))
        return [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in names
        ]

    def objects(self, aws: AwsStandIn) -> list[Object]:
        """The source Secrets with fresh logins, and the custom resources."""
        return [
            *((SECRETS, namespace, self.login(aws, name)) for namespace, name in self.secrets()),
            *(self._index(number) for number in range(self.indexes)),
            *(self._options(number) for number in range(self.options)),
        ]

    def login(self, aws: AwsStandIn, name: str) -> dict[str, Any]:
        """A source Secret with a login that was not there before."""
        key = aws.add_access_key(principal=PRINCIPAL)
        values = {
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        }
        if self.source == "basicAuth":
            values = {"username": "ci", "password": key.secret_access_key}
        labels = {"artifactindex.dev/role": "source"}
        return {"metadata": {"name": name, "labels": labels}, "stringData": values}

    def _index(self, number: int) -> Object:
        at = self.place(number)
        login = _login(at.group % self.logins)
        if self.source == "codeArtifact":
            source: dict[str, Any] = code_artifact(login, repository=f"team-{at.place}")
        else:
            source = basic_auth(_URL.format(place=at.place), login)
        namespace, name = self.index_at(number)
        body = artifact_index(
            name,
            labels={"group": f"group-{at.group}"},
            name=f"team-{at.place}",
            **{self.source: source},
        )
        return ARTIFACT_INDEXES, namespace, body

    def _options(self, number: int) -> Object:
        namespace, inside = divmod(number, self.options // self.namespaces)
        selector = {"matchLabels": {"group": f"group-{inside}"}} if self.split else {}
        body = index_options(f"uv-{inside:05}", indexSelector=selector)
        return INDEX_OPTIONS, _namespace(namespace), body


def _namespace(number: int) -> str:
    return f"bench-{number:03}"


def _login(number: int) -> str:
    return f"login-{number:05}"
