"""Keeps secrets that the cloud SDKs log at DEBUG out of every log."""

import logging
from typing import Final

SDK_LOGGERS: Final = ("boto3", "botocore", "google", "requests", "urllib3")


def quiet_sdks() -> None:
    """Hold the SDKs' loggers at INFO or above, whatever level the root logger has.

    At DEBUG botocore logs request headers (with the session token), the signature's inputs and
    the whole answer (with the minted token); google-auth logs requests and answers too.
    A level that someone set higher stays.
    """
    for name in SDK_LOGGERS:
        logger = logging.getLogger(name)
        if logger.level < logging.INFO:
            logger.setLevel(logging.INFO)
