"""One attempt at a login, whose outcome is a value: nothing that a cloud does is an exception."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from artifact_index.api.reasons import Reason
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import KeyMaterial, Token, TokenRequest

logger = logging.getLogger(__name__)

Mint = Callable[[TokenRequest, KeyMaterial], Awaitable[Token]]
"""Asks a cloud. Raises LoginError."""


async def attempt(
    mint: Mint, request: TokenRequest, material: KeyMaterial, *, deadline: float
) -> Token | LoginError:
    """The grant, or why there is none. `deadline` is in seconds. Raises CancelledError only."""
    try:
        async with asyncio.timeout(deadline):
            return await mint(request, material)
    except LoginError as error:
        # Without its traceback, which would keep the variables of the mint alive.
        return LoginError(error.reason, error.message, retry_after=error.retry_after)
    except TimeoutError:
        return LoginError(
            Reason.CLOUD_UNAVAILABLE,
            f"The cloud did not answer within {deadline:g} s; the login is tried again.",
        )
    except Exception as error:
        # Its text may hold a secret value: only the type is told.
        logger.error("A login failed unexpectedly: %s", type(error).__name__)
        return unexpected()


def unexpected() -> LoginError:
    """The error of an attempt that ended in no foreseen way."""
    return LoginError(
        Reason.INTERNAL_ERROR,
        "The login failed unexpectedly; it is tried again. The operator's log names the error.",
    )
