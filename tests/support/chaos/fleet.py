"""Objects that change all the time, in a model that knows what they come to."""

import http
import itertools
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import SecretStr

from artifact_index.formats.document import Credential, IndexEntry
from support.kube_proxy import KubeProxy, Unanswered
from support.world import World, artifact_index, code_artifact, index_options, secret

GROUP: Final = "/apis/artifactindex.dev/v1alpha1"
PLURALS: Final = {
    "ArtifactIndex": f"{GROUP}/namespaces/{{}}/artifactindexes",
    "IndexOptions": f"{GROUP}/namespaces/{{}}/indexoptions",
    "Secret": "/api/v1/namespaces/{}/secrets",
}
MOST_INDEXES: Final = 14
ENVIRONMENTS: Final = ("dev", "prod")
RETRY_SECONDS: Final = 60.0


@dataclass
class Index:
    """One ArtifactIndex as the user wants it. `derived`: it takes the name of its URL's host."""

    name: str
    kind: str
    env: str
    derived: bool = False
    priority: int = 100
    edition: int = 0
    login: str = ""
    lasting: bool = False

    @property
    def url(self) -> str:
        """Its index URL; the object's name is in it whatever name it goes by in a file."""
        host = "shared" if self.derived else self.kind
        return f"https://{host}.example/o/{self.name}/{self.edition}/simple/"

    def body(self) -> dict[str, Any]:
        """The object."""
        spec: dict[str, Any] = {"priority": self.priority}
        if not self.derived:
            spec["name"] = self.name
        if self.kind == "anonymous":
            spec["anonymous"] = {"url": self.url}
        elif self.kind == "basic":
            spec["basicAuth"] = {"url": self.url, "secretRef": {"name": self.login}}
        else:
            endpoint = self.url.removesuffix("simple/")
            spec["codeArtifact"] = code_artifact(self.login, domain=self.login, endpoint=endpoint)
        return artifact_index(self.name, labels={"env": self.env}, **spec)


@dataclass
class Options:
    """One IndexOptions: its output takes the indexes of one environment, or all."""

    name: str
    env: str | None = None

    def selects(self, index: Index) -> bool:
        """Whether the output holds an index."""
        return self.env in (None, index.env)

    def body(self) -> dict[str, Any]:
        """The object."""
        selector = {"indexSelector": {"matchLabels": {"env": self.env}}} if self.env else {}
        return index_options(self.name, maxBuildDuration="1m", **selector)


@dataclass
class Fleet:
    """The user: changes objects at random, and remembers what ought to be there.

    `deleted` and `moved` are the indexes taken away since the last settled state, or from one
    environment to the other; `may_vanish` are the outputs taken away, whose names never come again.
    """

    world: World
    proxy: KubeProxy
    namespace: str
    rng: random.Random
    indexes: dict[str, Index] = field(default_factory=dict)
    options: dict[str, Options] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)
    may_vanish: set[str] = field(default_factory=set)
    changes: int = 0

    def __post_init__(self) -> None:
        self._numbers = itertools.count()
        self._running = threading.Event()
        self._ended = threading.Event()
        self._idle = threading.Event()
        self._turning = threading.Lock()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)

    # Life

    def populate(self) -> None:
        """The objects that stay: logins, three outputs, and an index for each environment."""
        for login in ("team-a", "team-b"):
            principal = f"arn:aws:iam::111122223333:user/{self.namespace}-{login}"
            key = self.world.aws.add_access_key(principal=principal)
            values = {
                "AWS_ACCESS_KEY_ID": key.access_key_id,
                "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
            }
            self._create(secret(login, values))
        for login in ("basic-a", "basic-b"):
            self.passwords[login] = f"{login}-0"
            self._create(secret(login, {"username": login, "password": f"{login}-0"}))
        for options in (Options("all"), *(Options(env, env) for env in ENVIRONMENTS)):
            self._add_options(options)
        for env in ENVIRONMENTS:
            self._add_index(Index(f"base-{env}", "anonymous", env, lasting=True))
            login = "team-a" if env == "dev" else "team-b"
            self._add_index(Index(f"code-{env}", "code", env, login=login, lasting=True))

    def __enter__(self) -> "Fleet":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._running.set()
        self._thread.join(RETRY_SECONDS)

    def resume(self) -> None:
        """Go on changing things."""
        with self._turning:
            self._idle.clear()
            self._running.set()

    def pause(self) -> None:
        """Finish the present change and rest."""
        self._running.clear()
        assert self._idle.wait(RETRY_SECONDS), "the user did not come to rest"
        if self._failure is not None:
            raise self._failure

    def settled(self) -> None:
        """What there is now was seen everywhere: from here on nothing of it may be missing."""
        self.deleted.clear()
        self.moved.clear()

    def may_lack(self, options: str, index: str) -> bool:
        """Whether an output may have lost an index by now.

        Also one that is younger than the index' deletion: the watches of two kinds are not ordered.
        """
        return index in self.deleted or (index in self.moved and options != "all")

    def _work(self) -> None:
        while not self._ended.is_set():
            with self._turning:
                rests = not self._running.is_set()
                if rests:
                    self._idle.set()
            if rests:
                self._running.wait()
                continue
            try:
                self._change()
            except BaseException as error:
                self._failure = error
                self._idle.set()
                return
            # Some changes at once, then a breath: what comes together is debounced together.
            time.sleep(self.rng.choice((0, 0, 0.01, 0.05, 0.15)))

    # Changes

    def _change(self) -> None:
        passing = [index for index in self.indexes.values() if not index.lasting]
        room = len(self.indexes) < MOST_INDEXES
        choices: list[tuple[int, Callable[[], None]]] = [
            (5 if room else 0, self._new_index),
            (3 if passing else 0, lambda: self._delete_index(self.rng.choice(passing))),
            (4, lambda: self._edit(self.rng.choice(list(self.indexes.values())))),
            (2 if passing else 0, lambda: self._relabel(self.rng.choice(passing))),
            (2, self._new_password),
            (1, self._turn_extra_output),
        ]
        weights = [weight for weight, _ in choices]
        [(_, action)] = self.rng.choices(choices, weights)
        action()
        self.changes += 1

    def _new_index(self) -> None:
        number = next(self._numbers)
        kind = self.rng.choice(("anonymous", "derived", "basic", "code"))
        login = {"basic": ("basic-a", "basic-b"), "code": ("team-a", "team-b")}.get(kind, ("",))
        self._add_index(
            Index(
                f"{kind}-{number}",
                "anonymous" if kind == "derived" else kind,
                self.rng.choice(ENVIRONMENTS),
                derived=kind == "derived",
                priority=self.rng.randrange(90, 110),
                login=self.rng.choice(login),
            )
        )

    def _add_index(self, index: Index) -> None:
        self._create(index.body())
        self.indexes[index.name] = index

    def _add_options(self, options: Options) -> None:
        self._create(options.body())
        self.options[options.name] = options

    def _delete_index(self, index: Index) -> None:
        self.deleted.add(index.name)
        self._delete("ArtifactIndex", index.name)
        del self.indexes[index.name]

    def _edit(self, index: Index) -> None:
        if self.rng.random() < 0.5:
            index.priority = self.rng.randrange(90, 110)
        else:
            index.edition += 1
        self._patch("ArtifactIndex", index.name, {"spec": index.body()["spec"]})

    def _relabel(self, index: Index) -> None:
        # A derived name belongs to an index while it is selected: one that leaves may come back
        # by another.
        if index.derived:
            return
        self.moved.add(index.name)
        index.env = "prod" if index.env == "dev" else "dev"
        self._patch("ArtifactIndex", index.name, {"metadata": {"labels": {"env": index.env}}})

    def _new_password(self) -> None:
        login = self.rng.choice(list(self.passwords))
        self.passwords[login] = f"{login}-{next(self._numbers)}/?#@"
        self._patch("Secret", login, {"stringData": {"password": self.passwords[login]}})

    def _turn_extra_output(self) -> None:
        extra = [name for name in self.options if name.startswith("extra")]
        if not extra:
            self._add_options(Options(f"extra-{next(self._numbers)}", "dev"))
            return
        self.may_vanish.add(extra[0])
        self._delete("IndexOptions", extra[0])
        del self.options[extra[0]]

    # Requests, sent until they are answered: each leads to the same end however often it is sent

    def _create(self, body: dict[str, Any]) -> None:
        path = PLURALS[body["kind"]].format(self.namespace)
        status = self._insist("POST", path, body)
        assert status in (201, 409), (status, body)

    def _patch(self, kind: str, name: str, body: dict[str, Any]) -> None:
        status = self._insist("PATCH", f"{PLURALS[kind].format(self.namespace)}/{name}", body)
        assert status == 200, (status, kind, name)

    def _delete(self, kind: str, name: str) -> None:
        status = self._insist("DELETE", f"{PLURALS[kind].format(self.namespace)}/{name}", None)
        assert status in (200, 404), (status, kind, name)

    def _insist(self, method: str, path: str, body: dict[str, Any] | None) -> int:
        deadline = time.monotonic() + RETRY_SECONDS
        while True:
            try:
                status = self.proxy.request(method, path, body)[0]
                # A patch that met too many of the operator's is refused, and has changed nothing.
                met = status == http.HTTPStatus.CONFLICT and method != "POST"
                if not met or time.monotonic() > deadline:
                    return status
            except Unanswered:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.05)

    # What it comes to

    def expected_order(self, options: Options) -> list[Index]:
        """The indexes of an output in search order."""
        chosen = [index for index in self.indexes.values() if options.selects(index)]
        return sorted(chosen, key=lambda index: (-index.priority, index.name))

    def expected_entry(self, index: Index, name: str, token: SecretStr | None) -> IndexEntry:
        """The entry of an index; a minted token is taken from the file, where it was checked."""
        credential, expires_at = None, None
        if index.kind == "basic":
            credential = Credential(index.login, SecretStr(self.passwords[index.login]))
        elif index.kind == "code" and token is not None:
            credential = Credential("aws", token)
            issued = self.world.aws.tokens.live(token.get_secret_value())
            expires_at = int(issued.expires_at) if issued else None
        return IndexEntry(
            name=name,
            url=index.url,
            credential=credential,
            credentialed=index.kind != "anonymous",
            expires_at=expires_at,
        )
