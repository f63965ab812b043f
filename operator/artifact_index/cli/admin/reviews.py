"""Asks the API server what an account may do."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from artifact_index.cli.admin.permissions import Permission
from artifact_index.cli.cluster.caller_api import CallerApi
from artifact_index.kube.errors import ApiError


@dataclass(frozen=True, slots=True)
class Allowed:
    """What an account may not do; `error` says why that could not be found out."""

    missing: tuple[Permission, ...] = ()
    error: ApiError | None = None


async def review(api: CallerApi, needed: Sequence[Permission], account: str | None) -> Allowed:
    """Review permissions of `account` (`NAMESPACE/NAME`), or of the caller without one."""
    try:
        answers = await asyncio.gather(*(api.may(each.attributes, account) for each in needed))
    except ApiError as error:
        return Allowed(error=error)
    return Allowed(tuple(each for each, may in zip(needed, answers, strict=True) if not may))
