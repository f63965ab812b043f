"""Which indexes name a Secret or a ServiceAccount in their source."""

from collections.abc import Callable, Iterator, Set

from artifact_index.reconcile.cache.kind_cache import Groups, KindCache
from artifact_index.reconcile.cache.objects import IndexObject, ObjectRef
from artifact_index.sources.registry import secret_use, service_account_name


class SourceUsers:
    """The users of each Secret and of each ServiceAccount, among the cached indexes.

    `home_of` tells the namespace in which an index has them.
    """

    def __init__(
        self, indexes: KindCache[ObjectRef, IndexObject], home_of: Callable[[ObjectRef], str]
    ) -> None:
        self.of_secret: Groups[ObjectRef, ObjectRef] = Groups()
        self.of_account: Groups[ObjectRef, ObjectRef] = Groups()
        self._indexes = indexes
        self._home_of = home_of

    def put(self, index: IndexObject, old: IndexObject | None) -> None:
        """Take in what an index names, in place of what its `old` version named."""
        if old is not None:
            self.drop(old)
        for users, source in self._beside(index):
            users.add(source, index.ref)

    def drop(self, index: IndexObject) -> None:
        """Forget what an index names."""
        for users, source in self._beside(index):
            users.discard(source, index.ref)

    def named_keys(self, secret: ObjectRef) -> frozenset[str]:
        """The keys of a Secret that an index names."""
        return frozenset(key for user in self.of_secret[secret] for key in self._keys_of(user))

    def unnamed_keys(self, old: IndexObject) -> tuple[ObjectRef | None, Set[str]]:
        """The Secret that this version of an index named, and its keys that none names any more."""
        if (use := secret_use(old.spec)) is None:
            return None, frozenset()
        ref = ObjectRef(self._home_of(old.ref), use.name)
        # Most users of a Secret name the same keys, so that the first of them answers.
        unnamed = {
            key
            for key in use.all_keys
            if not any(key in self._keys_of(user) for user in self.of_secret[ref])
        }
        return ref, unnamed

    def _keys_of(self, index: ObjectRef) -> tuple[str, ...]:
        """The keys that an index names in its source Secret."""
        cached = self._indexes.get(index)
        use = secret_use(cached.spec) if cached is not None else None
        return use.all_keys if use is not None else ()

    def _beside(
        self, index: IndexObject
    ) -> Iterator[tuple[Groups[ObjectRef, ObjectRef], ObjectRef]]:
        """The groups that an index is in, each with the Secret or ServiceAccount that it uses."""
        home = self._home_of(index.ref)
        if (secret := secret_use(index.spec)) is not None:
            yield self.of_secret, ObjectRef(home, secret.name)
        if (account := service_account_name(index.spec)) is not None:
            yield self.of_account, ObjectRef(home, account)
