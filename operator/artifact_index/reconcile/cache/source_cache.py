"""Source Secrets: labelled ones come from the watch, others are read by name and read again."""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Final

from artifact_index.kube.errors import ApiError
from artifact_index.kube.port import KubePort
from artifact_index.kube.resources import SECRETS, SERVICE_ACCOUNTS
from artifact_index.reconcile.cache.cache import Cache, Key
from artifact_index.reconcile.cache.objects import (
    ObjectRef,
    parse_service_account,
    parse_source_secret,
)
from artifact_index.reconcile.cache.polled import PolledCache
from artifact_index.sources.base import (
    RefusedServiceAccount,
    ServiceAccountResult,
    SourceSecret,
    SourceServiceAccount,
)

_STEP: Final = 1.0
"""Seconds between looks at what is due; so much later than planned a re-read may be."""

logger = logging.getLogger(__name__)


class SourceReader:
    """Reads source Secrets and ServiceAccounts of one namespace, and of no other."""

    def __init__(self, sources: "SourceCache", namespace: str) -> None:
        self._sources = sources
        self._namespace = namespace

    async def read(self, name: str, *, again: bool = False) -> SourceSecret | None:
        """The Secret, or None where it does not exist. Raises ApiError."""
        return await self._sources.read(ObjectRef(self._namespace, name), again=again)

    def last_seen(self, name: str) -> SourceSecret | None:
        """The Secret where it is known to be there; nothing is read."""
        return self._sources.last_seen(ObjectRef(self._namespace, name))

    def last_seen_account(self, name: str) -> ServiceAccountResult:
        """The ServiceAccount where it is known to be there; nothing is read."""
        return self._sources.last_seen_account(ObjectRef(self._namespace, name))

    async def read_account(self, name: str, *, again: bool = False) -> ServiceAccountResult:
        """The ServiceAccount, or None where it does not exist. Raises ApiError."""
        return await self._sources.read_account(ObjectRef(self._namespace, name), again=again)


class SourceCache:
    """Source Secrets and ServiceAccounts that are in use; `PolledCache` says what they cost."""

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
        self._on_change = on_change
        self._secrets: PolledCache[SourceSecret | None] = PolledCache(
            fetch=self._get_secret, is_miss=lambda record: record is None, reread=reread, rng=rng
        )
        self._accounts: PolledCache[ServiceAccountResult] = PolledCache(
            fetch=self._get_account,
            is_miss=lambda account: not isinstance(account, SourceServiceAccount),
            reread=reread,
            rng=rng,
        )

    def bound_to(self, namespace: str) -> SourceReader:
        """A reader that cannot leave the namespace."""
        return SourceReader(self, namespace)

    def forget(self, ref: ObjectRef) -> None:
        """Believe nothing about the Secret: it came into the watch or went out of it."""
        self._secrets.forget(ref)

    def names_by_uid(self) -> dict[str, str]:
        """The name of each source Secret that is in use, by its UID."""
        used = ((ref, self.last_seen(ref)) for ref in self._cache.used_secrets())
        return {record.uid: ref.name for ref, record in used if record is not None}

    def last_seen(self, ref: ObjectRef) -> SourceSecret | None:
        """The Secret where it is known to be there; nothing is read."""
        return self._cache.sources.get(ref) or self._secrets.known(ref)

    def last_seen_account(self, ref: ObjectRef) -> ServiceAccountResult:
        """The ServiceAccount where it is known to be there; nothing is read."""
        return self._accounts.known(ref)

    async def read(self, ref: ObjectRef, *, again: bool = False) -> SourceSecret | None:
        """The Secret as last seen; the first reader of an unlabelled one waits for the GET.

        With `again` an unlabelled one is read now, as if it were due.
        """
        if (labelled := self._cache.sources.get(ref)) is not None:
            return labelled
        if again and ref in self._secrets:
            await self._read_secret_again(ref, await self._secrets.read(ref))
        return await self._secrets.read(ref)

    async def read_account(self, ref: ObjectRef, *, again: bool = False) -> ServiceAccountResult:
        """The ServiceAccount as last seen, with `again` as of now; the first reader waits."""
        if again and ref in self._accounts:
            await self._read_account_again(ref, await self._accounts.read(ref))
        return await self._accounts.read(ref)

    async def run(self) -> None:
        """Read again what is due, for ever; tell those whose source has changed."""
        while True:
            await asyncio.sleep(_STEP)
            self._secrets.keep_only(self._cache.used_secrets())
            for ref, before in self._secrets.due():
                await self._read_secret_again(ref, before)
            self._accounts.keep_only(self._cache.used_accounts())
            for ref, account in self._accounts.due():
                await self._read_account_again(ref, account)

    async def _read_secret_again(self, ref: ObjectRef, before: SourceSecret | None) -> None:
        if self._cache.sources.get(ref) is not None:
            self._secrets.forget(ref)
            return
        try:
            record = await self._secrets.read_again(ref)
        except ApiError as error:
            # The last good value stays; a Secret that cannot be read is not a deleted one.
            logger.warning("cannot read Secret %s/%s again: %s", *ref, error)
            self._secrets.put_off(ref)
            return
        if not _same_values(before, record):
            self._on_change(self._cache.users_of(ref))

    async def _read_account_again(self, ref: ObjectRef, before: ServiceAccountResult) -> None:
        try:
            account = await self._accounts.read_again(ref)
        except ApiError as error:
            logger.warning("cannot read ServiceAccount %s/%s again: %s", *ref, error)
            self._accounts.put_off(ref)
            return
        if account != before:
            self._on_change(self._cache.users_of_account(ref))

    async def _get_secret(self, ref: ObjectRef) -> SourceSecret | None:
        try:
            return parse_source_secret(await self._api.get(SECRETS, ref.namespace, ref.name))
        except ApiError as error:
            if not error.not_found:
                raise
            return None

    async def _get_account(self, ref: ObjectRef) -> ServiceAccountResult:
        try:
            return parse_service_account(
                await self._api.get(SERVICE_ACCOUNTS, ref.namespace, ref.name)
            )
        except ApiError as error:
            if error.forbidden:
                return RefusedServiceAccount()
            if not error.not_found:
                raise
            return None


def _same_values(one: SourceSecret | None, other: SourceSecret | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.uid == other.uid and one.values == other.values and one.binary == other.binary
