"""A platform team and its tenants, who never rest: namespaces, labels, consent and keys change."""

import base64
import http
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from artifact_index.kube.merge_patch import merge_patched
from artifact_index.kube.resources import CLUSTER_ARTIFACT_INDEXES
from support.chaos.platform_reader import EDITED, OUTPUT, OUTPUTS, Contents, secret_path
from support.cluster_objects import INDEXES, OPTIONS, cluster_object
from support.control_plane import wait_until
from support.kube_proxy import Body, KubeProxy
from support.operator_process import OPERATOR_NAMESPACE
from support.world import PATIENCE, World, access_key_secret, code_artifact

NAMES: Final = [f"platform-{number:02}" for number in range(16)]
SERVED: Final = {"platform": "served"}
"""The label by which a ClusterIndexOptions writes into a namespace."""
CONSENTS: Final[list[dict[str, Any]]] = [
    {"selector": {"matchLabels": None}, "names": None},
    {"selector": {"matchLabels": {"team": "a"}}, "names": None},
    {"selector": {"matchLabels": {"team": "b"}}, "names": None},
    {"selector": None, "names": NAMES[:6]},
]
"""As merge patches."""
REPOSITORIES: Final = ("one", "two", "three")
_LOGIN: Final = "platform-key"
_OURS: Final = {"platform": "index"}

Labels = dict[str, str]


class Platform:
    """Changes things at random, and knows what each namespace has to end with.

    `consents` and `labels` are as they are now; a namespace that is being deleted has no labels.
    `changes` and `deleted` count, the latter the namespaces.
    """

    def __init__(self, world: World, proxy: KubeProxy, rng: random.Random) -> None:
        self.consents = dict.fromkeys(REPOSITORIES, CONSENTS[0])
        self.labels: dict[str, Labels] = {}
        self.principal = ""
        self.changes = 0
        self.deleted = 0
        self._world = world
        self._proxy = proxy
        self._rng = rng
        self._keys = 0
        self._consents_since: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self._labels_since: defaultdict[str, list[Labels]] = defaultdict(list)

    @property
    def mints(self) -> int:
        """The tokens that the last key was given."""
        return self._world.aws.mints("GetAuthorizationToken", principal=self.principal)

    def populate(self) -> None:
        """The definitions, their login, and half of the namespaces."""
        self._world.apply(self._new_login(), namespace=OPERATOR_NAMESPACE)
        for repository in REPOSITORIES:
            source = code_artifact(_LOGIN, domain="platform", repository=repository)
            given = merge_patched({}, self.consents[repository])
            spec = {"name": repository, "namespaces": given, "codeArtifact": source}
            kind = CLUSTER_ARTIFACT_INDEXES.kind
            self._send("POST", INDEXES, cluster_object(kind, _named(repository), spec, _OURS))
        selectors = {
            "namespaceSelector": {"matchLabels": SERVED},
            "indexSelector": {"matchLabels": _OURS},
        }
        self._send("POST", OPTIONS, cluster_object("ClusterIndexOptions", OUTPUT, selectors))
        for name in NAMES[: len(NAMES) // 2]:
            self._create(name)
        self.settled()

    def remove(self) -> None:
        """Delete everything, and wait for nothing."""
        self._send("DELETE", f"{OPTIONS}/{OUTPUT}")
        for repository in REPOSITORIES:
            self._send("DELETE", f"{INDEXES}/{_named(repository)}")
        for name in self.labels:
            self._send("DELETE", f"/api/v1/namespaces/{name}")

    def settled(self) -> None:
        """What was true before is over: what is written from here on must follow what is now."""
        self._consents_since.clear()
        self._labels_since.clear()
        for repository, consent in self.consents.items():
            self._consents_since[repository].append(consent)
        for name, labels in self.labels.items():
            self._labels_since[name].append(labels)

    # Changes

    def change(self) -> None:
        """Let one thing happen."""
        actions: list[tuple[int, Callable[[], None]]] = [
            (4, self._relabel),
            (3, self._consent),
            (2, self._withdraw_in_a_rotation),
            (2, self._spoil),
        ]
        weights = [weight for weight, _ in actions]
        [(_, act)] = self._rng.choices(actions, weights)
        act()
        self.changes += 1

    def replace_a_namespace(self) -> None:
        """Delete one, and create one."""
        name = self._rng.choice([*self.labels])
        del self.labels[name]
        self._send("DELETE", f"/api/v1/namespaces/{name}")
        self.deleted += 1
        free: list[str] = []

        def is_one_free() -> bool:
            absent = (each for each in NAMES if each not in self.labels)
            free[:] = [each for each in absent if self._is_gone(each)]
            return bool(free)

        wait_until(is_one_free, "a namespace to be gone", PATIENCE)
        self._create(self._rng.choice(free))
        self.changes += 2

    def _create(self, name: str) -> None:
        self._give(name, self._some_labels())
        body = {"metadata": {"name": name, "labels": self.labels[name]}}
        self._send("POST", "/api/v1/namespaces", body)

    def _relabel(self) -> None:
        name = self._rng.choice([*self.labels])
        labels = self._some_labels()
        patch = dict.fromkeys(SERVED, None) | labels
        self._give(name, labels)
        self._send("PATCH", f"/api/v1/namespaces/{name}", {"metadata": {"labels": patch}})

    def _consent(self, consents: Sequence[dict[str, Any]] = CONSENTS) -> None:
        repository = self._rng.choice(REPOSITORIES)
        consent = self.consents[repository] = self._rng.choice(consents)
        self._consents_since[repository].append(consent)
        patch = {"spec": {"namespaces": consent}}
        self._send("PATCH", f"{INDEXES}/{_named(repository)}", patch)

    def _withdraw_in_a_rotation(self) -> None:
        """While the files are being written with the token of another key."""
        data = self._new_login()["stringData"]
        path = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/secrets/{_LOGIN}"
        self._send("PATCH", path, {"stringData": data})
        self.pause(0.3)
        self._consent(CONSENTS[1:])

    def _spoil(self) -> None:
        """Somebody overwrites or deletes an output, if there is one."""
        path = secret_path(self._rng.choice([*self.labels]))
        if self._rng.random() < 0.5:
            self._proxy.request("DELETE", path)
        else:
            data = {"uv.toml": base64.b64encode(EDITED.encode()).decode()}
            self._proxy.request("PATCH", path, {"data": data})

    def pause(self, longest: float) -> None:
        """Until a random moment, which is the test's input; nothing is waited for here."""
        time.sleep(self._rng.uniform(0, longest))

    def _some_labels(self) -> Labels:
        served = SERVED if self._rng.random() < 0.75 else {}
        return {"team": self._rng.choice("ab"), **served}

    def _give(self, name: str, labels: Labels) -> None:
        self.labels[name] = labels
        self._labels_since[name].append(labels)

    def _new_login(self) -> dict[str, Any]:
        self._keys += 1
        self.principal = f"arn:aws:iam::111122223333:user/platform-{self._keys}"
        return access_key_secret(self._world, _LOGIN, self.principal)

    def _is_gone(self, name: str) -> bool:
        status, _ = self._proxy.request("GET", f"/api/v1/namespaces/{name}")
        return status == http.HTTPStatus.NOT_FOUND

    def _send(self, method: str, path: str, body: Body | None = None) -> None:
        status, answer = self._proxy.request(method, path, body)
        assert status < 300, (method, path, status, answer)

    # What it comes to

    def expected(self) -> dict[str, frozenset[str]]:
        """The indexes that each namespace consents to now; those that get none are left out."""
        found = {name: self._given(name, labels) for name, labels in self.labels.items()}
        return {name: given for name, given in found.items() if given}

    def bounds(self, namespace: str) -> tuple[frozenset[str], frozenset[str]]:
        """The indexes that every file since `settled` must have, and those that it may have."""
        since = self._labels_since.get(namespace)
        if since is None or namespace not in self.labels:
            return frozenset(), frozenset(REPOSITORIES)  # it is being deleted, and left alone
        states = [
            (
                {each for each in REPOSITORIES if self._is_given_in_all(each, namespace, labels)},
                {each for each in REPOSITORIES if self._is_given_in_any(each, namespace, labels)},
            )
            for labels in since
        ]
        least = frozenset(REPOSITORIES).intersection(*(must for must, _ in states))
        return least, frozenset().union(*(may for _, may in states))

    def trouble(self, contents: Contents) -> str | None:
        """The first way in which the namespaces are not what they have to be, if there is one.

        `contents` are the outputs that the reader has seen last. Raises Unanswered.
        """
        wanted = self.expected()
        _, answer = self._proxy.request("GET", f"/api/v1/secrets?{OUTPUTS}")
        there = {body["metadata"]["namespace"]: body for body in answer["items"]}
        tokens = set()
        for name in self.labels:
            body = there.get(name)
            if body is None or name not in wanted:
                if (body is None) != (name not in wanted):
                    return f"{name} is to have {sorted(wanted.get(name, ()))}: {body is not None}"
                continue
            content = contents.get(name)
            if content is None or content.version != body["metadata"]["resourceVersion"]:
                return f"the reader has not seen the last file of {name}"
            if content.urls.keys() != wanted[name]:
                return f"{name} has {sorted(content.urls)} and not {sorted(wanted[name])}"
            tokens |= {unquote(urlsplit(url).password or "") for url in content.urls.values()}
        issued = [self._world.aws.tokens.live(token) for token in tokens]
        if {token.principal if token else None for token in issued} - {self.principal}:
            return "there are files with another token than that of the last key"
        _, found = self._proxy.request("GET", f"{OPTIONS}/{OUTPUT}")
        counts = {"selected": len(wanted), "written": len(wanted), "failing": 0}
        if (told := found.get("status", {}).get("namespaces")) != counts:
            return f"the status counts {told} and not {counts}"
        return None

    def _given(self, name: str, labels: Labels) -> frozenset[str]:
        return frozenset(
            each for each in REPOSITORIES if _includes(self.consents[each], name, labels)
        )

    def _is_given_in_all(self, repository: str, name: str, labels: Labels) -> bool:
        return all(_includes(each, name, labels) for each in self._consents_since[repository])

    def _is_given_in_any(self, repository: str, name: str, labels: Labels) -> bool:
        return any(_includes(each, name, labels) for each in self._consents_since[repository])


def _named(repository: str) -> str:
    return f"platform-{repository}"


def _includes(consent: dict[str, Any], name: str, labels: Labels) -> bool:
    """Whether a namespace is selected and consented to."""
    if not SERVED.items() <= labels.items():
        return False
    if consent["names"] is not None:
        return name in consent["names"]
    wanted: Labels = consent["selector"]["matchLabels"] or {}
    return wanted.items() <= labels.items()
