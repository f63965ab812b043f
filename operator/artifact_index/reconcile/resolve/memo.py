"""The memo of a reconcile: values with the printed key of everything that they depend on."""

from typing import Final, Generic, NamedTuple, TypeVar

from artifact_index.reconcile.cache.objects import ObjectRef
from artifact_index.sources.base import ServiceAccountResult
from artifact_index.sources.policy import Policy

STATES: Final = 2048
"""Index states that are held at most, in about 1 MiB: enough for one burst of reconciles."""

PLANS: Final = 256
"""Plans that are held at most: as many as several IndexOptions may share at a time."""


class Place(NamedTuple):
    """What the IndexOptions that can share the state of an index have in common.

    `max_build` is in seconds. `needs_token` is False if none of their outputs holds its login.
    """

    ref: ObjectRef
    max_build: int
    needs_token: bool


class SourceKey(NamedTuple):
    """What the login of an index depends on, beside the signing key of the process.

    `uid` and `generation` stand for the spec, which names the Secret or ServiceAccount. `secret` is
    the UID and the resourceVersion of the source Secret.
    """

    uid: str
    generation: int
    policy: Policy
    secret_name: str | None
    secret: tuple[str, int] | None
    secret_is_output: bool
    account_name: str | None
    account: ServiceAccountResult


class TokenKey(NamedTuple):
    """What an index's state depends on in its token.

    The serial grows with every change of the token's state. Of an index of cluster scope tenants
    may see different tokens in one state: `issued_at` tells them apart. `servable` and `expired`
    are all that time alone decides about it.
    """

    serial: int
    issued_at: int | None
    servable: bool
    expired: bool


class StateKey(NamedTuple):
    """Everything that the state of an index depends on; `url` is the serial of its URL's state."""

    place: Place
    source: SourceKey
    token: TokenKey | None
    url: int | None


Key = TypeVar("Key")
Value = TypeVar("Value")


class Memo(Generic[Key, Value]):
    """The latest value of each place, valid for an equal key only. The oldest are dropped first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: dict[Place, tuple[Key, Value]] = {}

    def latest(self, place: Place) -> tuple[Key, Value] | None:
        """The latest key and value of a place, whatever has changed since."""
        return self._entries.get(place)

    def get(self, place: Place, key: Key) -> Value | None:
        """The value of a place if it was computed for an equal key."""
        entry = self._entries.get(place)
        return entry[1] if entry is not None and entry[0] == key else None

    def put(self, place: Place, key: Key, value: Value) -> None:
        """Replace the value of a place."""
        self._entries.pop(place, None)
        self._entries[place] = key, value
        if len(self._entries) > self._size:
            del self._entries[next(iter(self._entries))]
