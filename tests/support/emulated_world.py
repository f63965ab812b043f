"""The operator's process against the API emulator and the AWS stand-in, for faults on demand."""

import base64
import contextlib
import time
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from support.clouds import AwsStandIn
from support.control_plane import wait_until
from support.emulator import Emulator
from support.operator_process import OPERATOR_NAMESPACE, OperatorProcess
from support.world import PATIENCE, secret

SIGNING_KEY = b"emulated signing key, 32 bytes.."
OURS = "artifact-index-operator"
"""How our own client names itself; kopf's watches come with another user agent."""

_POLL = 0.02

Body = dict[str, Any]


class EmulatedWorld:
    """An emulated API server whose every request is known, and the clouds beside it.

    `forked` is how its operators start.
    """

    def __init__(self, emulator: Emulator, aws: AwsStandIn, *, forked: bool) -> None:
        self.emulator = emulator
        self.aws = aws
        self._forked = forked
        key = base64.b64encode(SIGNING_KEY).decode()
        body = {"metadata": {"name": f"{OURS}-signing-key"}, "data": {"key": key}}
        emulator.create("secrets", body, namespace=OPERATOR_NAMESPACE)

    def operator(self, *flags: str) -> OperatorProcess:
        """The operator, not started yet."""
        return OperatorProcess(
            self.emulator.kubeconfig(),
            flags=["--allow-http", *flags],
            env=self.aws.env(),
            forked=self._forked,
        )

    # Objects

    def add(self, namespace: str, *objects: Body) -> None:
        """Create objects of any of our kinds, all at once: what one of them alone would lead to is
        never seen."""
        kinds = [(_PLURALS[body["kind"]], body) for body in objects]
        self.emulator.create_all(kinds, namespace=namespace)

    def access_key(self, name: str, principal: str) -> Body:
        """A labelled source Secret with an access key that the AWS stand-in knows."""
        key = self.aws.add_access_key(principal=f"arn:aws:iam::111122223333:user/{principal}")
        values = {
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        }
        return secret(name, values)

    def served(self, namespace: str, name: str = "uv-config") -> Mapping[str, Body]:
        """The [[index]] tables of a Secret's uv.toml by name; empty where there is no Secret."""
        found = self.emulator.find("secrets", namespace, name)
        if found is None:
            return {}
        text = base64.b64decode(found["data"]["uv.toml"]).decode()
        return {table["name"]: table for table in tomllib.loads(text)["index"]}

    def serves(self, namespace: str, *names: str, name: str = "uv-config") -> bool:
        """Whether an output holds these indexes, and no other besides PyPI."""
        return set(self.served(namespace, name)) == {"pypi", *names}

    def blocked(self, namespace: str, index: str) -> bool:
        """Whether an index stands in its output without being usable."""
        return ".unavailable.invalid" in self.served(namespace)[index]["url"]

    def reason(self, kind: str, namespace: str, name: str, what: str = "Ready") -> str:
        """The reason of a condition; empty where it is not set."""
        found = self.emulator.find(kind, namespace, name) or {}
        conditions = (found.get("status") or {}).get("conditions") or ()
        return next(
            (condition["reason"] for condition in conditions if condition["type"] == what), ""
        )

    # Waiting and counting

    def wait_served(
        self, namespace: str, *names: str, name: str = "uv-config", seconds: float = PATIENCE
    ) -> None:
        """Wait until an output holds these indexes, and no other besides PyPI."""
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: self.serves(namespace, *names, name=name), "the output", seconds)
        assert set(self.served(namespace, name)) == {"pypi", *names}

    def wait_reason(
        self, kind: str, namespace: str, name: str, reason: str, *, what: str = "Ready",
        seconds: float = PATIENCE,
    ) -> None:  # fmt: skip
        """Wait until a condition has a reason."""
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: self.reason(kind, namespace, name, what) == reason, reason, seconds)
        assert self.reason(kind, namespace, name, what) == reason

    def listings(self) -> int:
        """How often the operator has listed the ArtifactIndexes by itself."""
        return self.emulator.requests.count("list", "artifactindexes", user_agent=OURS)

    def wait_second_listing(self) -> None:
        """Wait for the listing that follows the start of the watches, some 5 s later."""

        def ended() -> bool:
            # ConfigMaps come last in a listing.
            listed = {"resource": "configmaps", "user_agent": OURS, "status": 200}
            return self.emulator.requests.count("list", **listed) >= 2

        wait_until(ended, "the second listing", PATIENCE)

    def settle(self, *, quiet: float = 0.5, seconds: float = PATIENCE) -> None:
        """Wait until no write has come for a while, which is longer on a busy machine.

        Renewals of a Lease do not end.
        """
        count, since, looks = -1, time.monotonic(), 0

        def is_quiet() -> bool:
            nonlocal count, since, looks
            now, every = time.monotonic(), self.emulator.requests.writes()
            writes = sum(request.resource != "leases" for request in every)
            looks += 1
            if writes != count:
                count, since, looks = writes, now, 0
            return now - since > quiet and looks > quiet / _POLL

        wait_until(is_quiet, "the writes to end", seconds, most=0.1)


@contextlib.contextmanager
def emulated_world(*, forked: bool = True) -> Iterator[EmulatedWorld]:
    """An emulator and an AWS stand-in."""
    with Emulator() as emulator, AwsStandIn() as aws:
        yield EmulatedWorld(emulator, aws, forked=forked)


def anonymous(name: str, **more: Any) -> Body:
    """The spec of an index that needs no login."""
    return {"name": name, "anonymous": {"url": f"https://{name}.example/simple/"}, **more}


_PLURALS = {
    "ArtifactIndex": "artifactindexes",
    "IndexOptions": "indexoptions",
    "Secret": "secrets",
    "ConfigMap": "configmaps",
}
