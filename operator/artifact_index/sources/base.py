"""What every kind of source answers, and the types of its questions and answers. Pure."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import SecretStr

from artifact_index.api.artifact_index import IndexFormat
from artifact_index.api.reasons import Reason
from artifact_index.credentials.requests import NO_KEY_MATERIAL, KeyMaterial, TokenRequest
from artifact_index.formats.document import Credential
from artifact_index.sources.policy import Policy, Problem
from artifact_index.sources.values import not_text


@dataclass(frozen=True, slots=True)
class SecretUse:
    """A Secret that a source reads: the spec's field, and the keys that must be there.

    Keys that are `optional` are read if they are there.
    """

    field: str
    name: str
    keys: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def all_keys(self) -> tuple[str, ...]:
        """The keys that are looked for."""
        return self.keys + self.optional


@dataclass(frozen=True, slots=True)
class AccountUse:
    """A ServiceAccount that a source logs in as, and the spec's field that names it."""

    field: str
    name: str


@dataclass(frozen=True, slots=True)
class SourceSecret:
    """The keys of a source Secret that were looked for, and nothing of its other keys.

    Values stay SecretStr until they are rendered. A value that is not UTF-8 is in `binary` instead:
    no source can use it. A key that the Secret does not have is in `missing`, and beside one there
    are a few `names` of the keys that it has. `is_output` is True for an output of ours that has
    lost its label or is not in the cache yet; it has no values. `watched`: it has the label of a
    source, so that a watch reports its changes.
    """

    uid: str
    resource_version: int
    values: Mapping[str, SecretStr]
    binary: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    is_output: bool = False
    names: tuple[str, ...] = ()
    watched: bool = True

    @property
    def size(self) -> int:
        """Characters of all values."""
        return sum(map(len, self.values.values()))

    def is_version_of(self, other: "SourceSecret") -> bool:
        """Whether both are of one version of one object."""
        return (self.uid, self.resource_version) == (other.uid, other.resource_version)

    def knows(self, keys: Iterable[str]) -> bool:
        """Whether these keys were looked for, or need not be."""
        return self.is_output or all(
            key in self.values or key in self.binary or key in self.missing for key in keys
        )

    def without(self, keys: Set[str]) -> "SourceSecret":
        """The Secret as if these keys had not been looked for."""
        values = {key: value for key, value in self.values.items() if key not in keys}
        return replace(self, values=values, binary=self.binary - keys, missing=self.missing - keys)

    def without_values(self) -> "SourceSecret":
        """The Secret as if no key had been looked for."""
        return replace(self, values={}, binary=frozenset(), missing=frozenset(), names=())


@dataclass(frozen=True, slots=True)
class SourceServiceAccount:
    """A ServiceAccount, with those of its annotations that some kind of source reads."""

    uid: str
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RefusedServiceAccount:
    """RBAC does not let the operator read the ServiceAccount."""


ServiceAccountResult = SourceServiceAccount | RefusedServiceAccount | None


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that the checks and `Source.resolve` read, for one index.

    `namespace` and `name` are the index's own. `secret` and `account` are None if the source needs
    none or it does not exist. `missing_for` is how many seconds ago the operator first missed the
    Secret, its key or the ServiceAccount, at `missing_since` (POSIX seconds); both are 0 if it is
    there. `use` and `account_use` are what the source refers to.
    """

    namespace: str
    name: str
    source: "Source[Any]"
    policy: Policy
    use: SecretUse | None
    account_use: AccountUse | None
    secret: SourceSecret | None = None
    secret_is_output: bool = False
    missing_for: float = 0.0
    missing_since: float = 0.0
    account: ServiceAccountResult = None

    @classmethod
    def of(cls, namespace: str, name: str, source: "Source[Any]", policy: Policy) -> "Inputs":
        """What is known before the Secret is read. The source is asked once, for all checks."""
        return cls(namespace, name, source, policy, source.secret(), source.service_account())

    def checked_secret(self) -> SourceSecret:
        """The Secret that the checks have found; ValueError if there is none."""
        if self.secret is None:
            raise ValueError("an index that passed its checks without its Secret")
        return self.secret


@dataclass(frozen=True, slots=True)
class ResolvedSource:
    """How one index is reached.

    `url` is the index URL without userinfo; None while only the answer to `endpoint` can tell it.
    Static sources carry `credential` or `verbatim_url`; sources whose tokens the operator mints
    carry a `token` request and the user name that goes with it; None: the answer with the token
    tells it. Digests stand beside the requests.
    `note` says what looks like a slip in the Secret.
    """

    url: str | None
    credential: Credential | None = None
    verbatim_url: SecretStr | None = None
    username: str | None = ""
    token: TokenRequest | None = None
    token_digest: str = ""
    endpoint: TokenRequest | None = None
    endpoint_digest: str = ""
    material: KeyMaterial = field(default_factory=lambda: NO_KEY_MATERIAL, repr=False)
    note: str = ""

    @property
    def credentialed(self) -> bool:
        """Whether a user or password belongs to the index."""
        return self.token is not None or self.credential is not None


class Digester(Protocol):
    """The keyed digests that requests hold and are known by."""

    def request(self, request: TokenRequest) -> str:
        """The digest of a request with all of its inputs."""

    def material(self, values: Mapping[str, str]) -> str:
        """The digest of the referenced keys of a source Secret."""


Model = TypeVar("Model")


class Source(ABC, Generic[Model]):
    """The source of one ArtifactIndex: the answers that differ by kind.

    It holds nothing but its part of the spec, and the format: `registry.of` makes one wherever it
    is asked.
    """

    __slots__ = ("format", "model")

    field: ClassVar[str]
    """The spec's field that holds the source, such as `spec.basicAuth`."""
    named_by: ClassVar[str] = "url"
    """The fields below it that name the repository."""
    whole_url: ClassVar[bool] = False
    """Whether its Secret holds the URL as a whole, with the login in it."""
    to_read: ClassVar[str] = "let the user of its Secret read the repository"
    """What ends the refusal of a login that is valid."""

    def __init__(self, model: Model, index_format: IndexFormat | None = None) -> None:
        self.model = model
        self.format = index_format

    def secret(self) -> SecretUse | None:
        """Which Secret, and which of its keys, the source reads."""
        return None

    def service_account(self) -> AccountUse | None:
        """Which ServiceAccount the source logs in as."""
        return None

    def urls(self) -> list[tuple[str, str]]:
        """The URLs that the spec holds, each with its field."""
        return []

    def hosts(self) -> list[tuple[str, str]]:
        """Hosts that the spec holds in place of a URL, each with its field."""
        return []

    def needs_host_list(self) -> str | None:
        """Why the administrator must have a list of hosts, up to who sets it; None if not."""
        return None

    def uses_operator_identity(self) -> bool:
        """Whether the login is the operator's own cloud identity, also by leaving `auth` out."""
        return False

    def cloud_names(self) -> list[tuple[str, str]]:
        """Everything in a cloud that the login names: the spec's field, and its name there.

        The administrator lets a namespace use the operator's identity for such names: ARNs in AWS,
        the ID of the project and e-mail addresses in Google Cloud.
        """
        return []

    def session_tags(self) -> tuple[str, ...]:
        """The keys of the tags with which the spec marks a session of its login."""
        return ()

    def destination(self) -> tuple[object, ...]:
        """Where a credential of this index may be sent, whoever logs in; its kind first.

        While it stays the same, an older credential may stand in for one that is unavailable.
        """
        return self.field.removeprefix("spec."), self.url()

    def url(self) -> str | None:
        """The index URL; None unless the spec alone tells it."""
        return None

    def shown_url(self, url: str | None) -> str | None:
        """What a status may show of the index's URL."""
        return url

    def public_path(self) -> bool:
        """Whether a complete URL from a Secret is no secret without its user name and password."""
        return False

    def unchecked(self) -> str:
        """What Ready does not promise, as a sentence: the operator asks no index for a package."""
        return "Whether the index answers is not checked"

    def publish_url(self, url: str) -> str | None:
        """Where packages are uploaded if `url` is the index's; None if that is not known."""
        return None

    def token_domain(self) -> str | None:
        """Whose token CODEARTIFACT_AUTH_TOKEN would be; None for a source without such a token."""
        return None

    def unusable(self, key: str, value: str) -> str | None:
        """Why the value of this key of the Secret cannot be used, without quoting it."""
        return not_text(value)

    def problem(self, inputs: Inputs) -> Problem | None:
        """What only this kind demands of its Secret or ServiceAccount; asked after all else."""
        return None

    @abstractmethod
    def resolve(self, inputs: Inputs, digester: Digester) -> ResolvedSource:
        """How the index is reached; `inputs` have passed every check, else ValueError."""


def unusable_values(use: SecretUse, why: Mapping[str, str]) -> Problem:
    """The problem of a Secret's values that cannot be used, by their keys; it never shows them."""
    keys = "; ".join(f"key {key!r} cannot be used: {each}" for key, each in why.items())
    values = "value" if len(why) == 1 else "values"
    message = f"Secret {use.name!r} in {use.field}: {keys}; correct the {values}"
    return Problem(Reason.INVALID_SECRET_VALUE, message)


def missing_key(
    use: SecretUse, secret: SourceSecret, what: str, remedy: str, *, must_act: bool | None = None
) -> Problem:
    """The problem of a Secret without a key, with the keys that it has: their names are public.

    They have no quotes: the log's filter would take `'password', 'x'` for a name and its value.
    """
    keys = "key" if len(secret.names) == 1 else "keys"
    has = f". It has the {keys} {', '.join(secret.names)}" if secret.names else ""
    message = f"Secret {use.name!r} in {use.field} {what}{has}; {remedy}"
    return Problem(Reason.SECRET_KEY_MISSING, message, must_act=must_act)
