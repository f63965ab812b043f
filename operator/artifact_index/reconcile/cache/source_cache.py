"""Source Secrets: the watch brings labelled ones, others are read by name and re-read."""

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
"""Seconds between checks for due re-reads, and so the most by which one may be late."""

logger = logging.getLogger(__name__)


class SourceReader:
    """Reads source Secrets and ServiceAccounts of a single namespace."""

    def __init__(self, sources: "SourceCache", namespace: str) -> None:
        self._sources = sources
        self._namespace = namespace

    async def read(self, name: str, *, again: bool = False) -> SourceSecret | None:
        """The Secret, or None if it does not exist. Raises ApiError."""
        return await self._sources.read(ObjectRef(self._namespace, name), again=again)

    def last_seen(self, name: str) -> SourceSecret | None:
        """The Secret as last read, or None; sends no request."""
        return self._sources.last_seen(ObjectRef(self._namespace, name))

    def last_seen_account(self, name: str) -> ServiceAccountResult:
        """The ServiceAccount as last read, or None; sends no request."""
        return self._sources.last_seen_account(ObjectRef(self._namespace, name))

    async def read_account(self, name: str, *, again: bool = False) -> ServiceAccountResult:
        """The ServiceAccount, or None if it does not exist. Raises ApiError."""
        return await self._sources.read_account(ObjectRef(self._namespace, name), again=again)


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
        self._on_change = on_change
        self._secrets: PolledCache[SourceSecret | None] = PolledCache(
            fetch=self._get_secret, is_miss=lambda secret: secret is None, reread=reread, rng=rng
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
        """Invalidate the polled copy: the label changed, so the watch gained or lost the Secret."""
        self._secrets.forget(ref)

    def names_by_uid(self) -> dict[str, str]:
        """The name of each source Secret that is in use, by its UID."""
        used = ((ref, self.last_seen(ref)) for ref in self._cache.used_secrets())
        return {secret.uid: ref.name for ref, secret in used if secret is not None}

    def last_seen(self, ref: ObjectRef) -> SourceSecret | None:
        """The Secret as last read, or None; sends no request."""
        return self._cache.sources.get(ref) or self._secrets.last_answer(ref)

    def last_seen_account(self, ref: ObjectRef) -> ServiceAccountResult:
        """The ServiceAccount as last read, or None; sends no request."""
        return self._accounts.last_answer(ref)

    async def read(self, ref: ObjectRef, *, again: bool = False) -> SourceSecret | None:
        """The Secret as last seen; the first reader of an unlabelled one waits for the GET.

        With `again`, an unlabelled one is re-read now.
        """
        if (labelled := self._cache.sources.get(ref)) is not None:
            return labelled
        if again and ref in self._secrets:
            await self._read_secret_again(ref, await self._secrets.read(ref))
        return await self._secrets.read(ref)

    async def read_account(self, ref: ObjectRef, *, again: bool = False) -> ServiceAccountResult:
        """The ServiceAccount as last seen, or with `again` as of now; the first reader waits."""
        if again and ref in self._accounts:
            await self._read_account_again(ref, await self._accounts.read(ref))
        return await self._accounts.read(ref)

    async def run(self) -> None:
        """Re-read what is due, forever, and report the users of what has changed."""
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
            secret = await self._secrets.read_again(ref)
        except ApiError as error:
            # The last answer stays: a Secret that cannot be read has not been deleted.
            logger.warning("cannot read Secret %s/%s again: %s", *ref, error)
            self._secrets.put_off(ref)
            return
        if not _same_values(before, secret):
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


def _same_values(before: SourceSecret | None, now: SourceSecret | None) -> bool:
    if before is None or now is None:
        return before is now
    return (before.uid, before.values, before.binary) == (now.uid, now.values, now.binary)
