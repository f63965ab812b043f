"""Writes of an output that go by the version that was read: no stale one replaces a newer token."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from artifact_index.api.constants import CONTENT_DIGEST_ANNOTATION, WRITER_ANNOTATION
from artifact_index.kube.errors import ApiError
from artifact_index.kube.port import Object
from artifact_index.reconcile.cache.objects import OutputObject, OutputRef

_TRIES: Final = 3

Answer = TypeVar("Answer")
Patch = Callable[[OutputObject], Object]
"""Makes a merge patch for an output as it is."""


def at_version(existing: OutputObject, patch: Object) -> Object:
    """The patch for exactly this version of an output; a 409 answers it if there is a newer one."""
    version = {"resourceVersion": str(existing.resource_version)}
    return {**patch, "metadata": {**patch["metadata"], **version}}


def signed(body: Object, installation: str) -> Object:
    """The body of a write, with the installation that writes it; an empty one signs nothing."""
    if installation:
        body["metadata"]["annotations"][WRITER_ANNOTATION] = installation
    return body


async def write_current(
    existing: OutputObject,
    write: Callable[[OutputObject], Awaitable[Answer]],
    look: Callable[[OutputRef], Awaitable[OutputObject | None]],
) -> Answer:
    """Write over an output as it is cached, or as `look` finds it after a 409. Raises ApiError.

    What somebody else has changed meanwhile is put right at once. A content that another replica
    of this operator has written is not replaced: the 409 is raised, and all is planned again. It is
    not cached by that: the watch event that follows brings its token, too.
    """
    for _ in range(_TRIES - 1):
        try:
            return await write(existing)
        except ApiError as error:
            if not error.conflict:
                raise
            newer = await look(existing.ref)
            if newer is None or not _is_the_same(newer, existing):
                raise
            existing = newer
    return await write(existing)


def _is_the_same(newer: OutputObject, before: OutputObject) -> bool:
    """Whether it is still the same owner's, and nobody with our key has written other content."""
    verified = newer.annotations.get(CONTENT_DIGEST_ANNOTATION) == newer.digest
    replaced = verified and newer.digest != before.digest
    return (newer.uid, newer.controller) == (before.uid, before.controller) and not replaced
