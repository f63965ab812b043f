"""Source Secrets: the watch brings labelled ones, others are read by name and re-read."""

import asyncio
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from artifact_index.kube.errors import ApiError
from artifact_index.kube.port import KubePort
from artifact_index.kube.resources import SECRETS, SERVICE_ACCOUNTS
from artifact_index.reconcile.cache.cache import Cache, Key
from artifact_index.reconcile.cache.objects import ObjectRef
from artifact_index.reconcile.cache.sources.parsing import (
    parse_service_account,
    parse_source_secret,
)
from artifact_index.reconcile.cache.sources.polled import PolledCache
from artifact_index.sources.base import (
    RefusedServiceAccount,
    SecretUse,
    ServiceAccountResult,
    SourceSecret,
)

_STEP: Final = 1.0
"""Seconds between checks for due re-reads, and so the most by which one may be late."""


@dataclass(frozen=True, slots=True)
class SourceReader:
    """Reads source Secrets and ServiceAccounts of a single namespace."""

    _sources: "SourceCache"
    _namespace: str

    async def read(self, use: SecretUse, *, again: bool = False) -> SourceSecret | None:
        """The Secret with the keys of a source, or None if it does not exist. Raises ApiError."""
        ref = ObjectRef(self._namespace, use.name)
        return await self._sources.read(ref, use.all_keys, again=again)

    def last_seen(self, name: str) -> SourceSecret | None:
        """The Secret as last read, or None; sends no request."""
        return self._sources.last_seen(ObjectRef(self._namespace, name))

    def last_seen_account(self, name: str) -> ServiceAccountResult:
        """The ServiceAccount as last read, or None; sends no request."""
        return self._sources.accounts.last_answer(ObjectRef(self._namespace, name))

    async def read_account(self, name: str, *, again: bool = False) -> ServiceAccountResult:
        """The ServiceAccount, or None if it does not exist. Raises ApiError."""
        return await self._sources.accounts.read(ObjectRef(self._namespace, name), again=again)


class SourceCache:
    """The source Secrets and ServiceAccounts in use. `PolledCache` describes their requests.

    `reread` is in seconds; `on_change` gets the keys of the users of a changed object.
    """

    def __init__(
        self,
        *,
        api: KubePort,
        cache: Cache,
        reread: float,
        on_change: Callable[[set[Key]], None],
        rng: random.Random,
    ) -> None:
        self._api = api
        self._cache = cache
        self._secrets: PolledCache[SourceSecret | None] = PolledCache(
            "Secret",
            self._get_secret,
            lambda ref: on_change(cache.users_of(ref)),
            reread,
            rng,
            lambda ref, old, new: cache.sources.budget.replace(ref.namespace, old, new),
        )
        self.accounts: PolledCache[ServiceAccountResult] = PolledCache(
            "ServiceAccount",
            self._get_account,
            lambda ref: on_change(cache.concerned_by(cache.users.of_account[ref])),
            reread,
            rng,
            lambda _ref, _old, new: new,
        )

    def bound_to(self, namespace: str) -> SourceReader:
        """A reader that cannot leave the namespace."""
        return SourceReader(self, namespace)

    def forget(self, ref: ObjectRef) -> None:
        """Invalidate the polled copy: the label changed, so the watch gained or lost the Secret."""
        self._secrets.forget(ref)

    def names_by_uid(self) -> dict[str, str]:
        """The name of each source Secret that is in use, by its UID."""
        used = ((ref, self.last_seen(ref)) for ref in self._cache.users.of_secret)
        return {secret.uid: ref.name for ref, secret in used if secret is not None}

    def last_seen(self, ref: ObjectRef) -> SourceSecret | None:
        """The Secret as last read, or None; sends no request."""
        return self._cache.sources.get(ref) or self._secrets.last_answer(ref)

    async def read(
        self, ref: ObjectRef, keys: Collection[str], *, again: bool = False
    ) -> SourceSecret | None:
        """The Secret as last seen if these keys of it are kept, else as the API server has it.

        Keys are kept from the moment when an index names them: of a Secret that was seen before,
        the first reader waits for a GET. One without our label is read as `PolledCache.read` says.
        """
        labelled = self._cache.sources.get(ref)
        if labelled is not None and labelled.knows(keys):
            return labelled
        secret = await self._secrets.read(
            ref, again=again, usable=lambda known: known is None or known.knows(keys)
        )
        if labelled is not None:
            # The watch reports its changes: it need not be polled.
            self._secrets.forget(ref)
            self._cache.sources.complete(ref, secret)
        return secret

    async def run(self) -> None:
        """Re-read what is due, forever, and report the users of what has changed."""
        while True:
            await asyncio.sleep(_STEP)
            self._secrets.keep_only(self._cache.users.of_secret)
            for ref in self._secrets.due():
                if self._cache.sources.get(ref) is not None:
                    self._secrets.forget(ref)
                await self._secrets.read_again(ref)
            self.accounts.keep_only(self._cache.users.of_account)
            for ref in self.accounts.due():
                await self.accounts.read_again(ref)

    async def _get_secret(self, ref: ObjectRef) -> SourceSecret | None:
        try:
            body = await self._api.get(SECRETS, *ref)
            return parse_source_secret(body, self._cache.named_keys(ref))
        except ApiError as error:
            if error.not_found:
                return None
            raise

    async def _get_account(self, ref: ObjectRef) -> ServiceAccountResult:
        try:
            return parse_service_account(await self._api.get(SERVICE_ACCOUNTS, *ref))
        except ApiError as error:
            if error.forbidden or error.not_found:
                return RefusedServiceAccount() if error.forbidden else None
            raise
