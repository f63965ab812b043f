"""What sources share whose tokens the operator mints: who asks a cloud for them. Pure."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Protocol, TypeVar

from pydantic import SecretStr

from artifact_index.api.auth import OperatorIdentityAuth
from artifact_index.credentials.requests import (
    NO_KEY_MATERIAL,
    Identity,
    KeyMaterial,
    OperatorIdentity,
    SecretIdentity,
    ServiceAccountIdentity,
)
from artifact_index.sources import base


class NamedRef(Protocol):
    """A reference to an object by its name."""

    @property
    def name(self) -> str:
        """Name of the object, in the index's namespace."""


class CloudAuth(Protocol):
    """The `auth` of a cloud's source, exactly one of which is set."""

    @property
    def operator_identity(self) -> OperatorIdentityAuth | None:
        """The operator's own identity."""

    @property
    def secret_ref(self) -> NamedRef | None:
        """Keys in a Secret."""

    @property
    def service_account_ref(self) -> NamedRef | None:
        """A ServiceAccount, whose token the cloud exchanges."""


class CloudModel(Protocol):
    """The part of a spec that names a repository in a cloud."""

    @property
    def auth(self) -> CloudAuth | None:
        """Which identity asks for the token; None for the operator's own."""


Model = TypeVar("Model", bound=CloudModel)


class CloudSource(base.Source[Model]):
    """A repository in a cloud."""

    __slots__ = ()

    provider: ClassVar[str]
    """The cloud's name in metrics."""
    optional_keys: ClassVar[tuple[str, ...]] = ()
    """Further keys of the Secret in `auth`, which are read if they are there."""
    account_annotations: ClassVar[Mapping[str, str]] = {}
    """Annotations of the ServiceAccount in `auth` that the source reads, each with a value that
    stands for one that is not known."""
    metrics_target: ClassVar[str]
    """What the label `target` of a login's metrics says, for their reference."""

    cloud: ClassVar[str]
    """The cloud's name in `artifact-index preflight --clouds`."""

    @staticmethod
    @abstractmethod
    def endpoints(region: str) -> dict[str, str]:
        """The URLs of the services that some login asks, by name.

        Raises ValueError if the cloud has regions and this is none.
        """

    @abstractmethod
    def services(self) -> list[str]:
        """The URLs of the services that this index's login asks."""

    @abstractmethod
    def secret_keys(self) -> dict[str, str]:
        """Keys of the Secret in `auth` by their name in the key material."""

    def key_material(self, secret: base.SourceSecret) -> dict[str, SecretStr]:
        """What logs in, of the values of the Secret."""
        return {name: secret.values[key] for name, key in self.secret_keys().items()}

    @abstractmethod
    def token_exchange(self, account: base.SourceServiceAccount) -> tuple[tuple[str, ...], str]:
        """For the ServiceAccount in `auth`: the audiences of its token, and who exchanges it."""

    def secret(self) -> base.SecretUse | None:
        """The Secret in `auth`."""
        if (auth := self.model.auth) is None or auth.secret_ref is None:
            return None
        keys, field = tuple(self.secret_keys().values()), f"{self.field}.auth.secretRef"
        return base.SecretUse(field, auth.secret_ref.name, keys, self.optional_keys)

    def service_account(self) -> base.AccountUse | None:
        """The ServiceAccount in `auth`."""
        if (auth := self.model.auth) is None or auth.service_account_ref is None:
            return None
        return base.AccountUse(
            f"{self.field}.auth.serviceAccountRef", auth.service_account_ref.name
        )

    def uses_operator_identity(self) -> bool:
        """Whether `auth` says so, or is left out."""
        auth = self.model.auth
        return auth is None or auth.operator_identity is not None

    def unchecked(self) -> str:
        """The cloud has issued a token, which is not of one repository."""
        return "Whether the repository exists is not checked"

    def publish_url(self, url: str) -> str | None:
        """Clouds take uploads at the index URL without `simple/`."""
        return url.removesuffix("simple/")

    def identity(
        self, inputs: base.Inputs, digester: base.Digester
    ) -> tuple[Identity, KeyMaterial]:
        """Who asks the cloud, before it becomes somebody else in a last step."""
        auth = self.model.auth
        if auth is not None and auth.secret_ref is not None:
            return self._secret_identity(inputs, digester)
        if auth is None or auth.service_account_ref is None:
            return OperatorIdentity(), NO_KEY_MATERIAL
        account = inputs.account
        if not isinstance(account, base.SourceServiceAccount):
            raise TypeError("an index that passed its checks without its ServiceAccount")
        name, exchange = auth.service_account_ref.name, self.token_exchange(account)
        identity = ServiceAccountIdentity(inputs.namespace, name, account.uid, *exchange)
        return identity, NO_KEY_MATERIAL

    def _secret_identity(
        self, inputs: base.Inputs, digester: base.Digester
    ) -> tuple[SecretIdentity, KeyMaterial]:
        secret = inputs.checked_secret()
        material = self.key_material(secret)
        values = {name: value.get_secret_value() for name, value in material.items()}
        digest = digester.material(values)
        return SecretIdentity(inputs.namespace, secret_uid=secret.uid, digest=digest), material
