"""Keeps secrets that the cloud SDKs log at DEBUG out of every log."""

import logging
from collections.abc import Iterable


def quiet(loggers: Iterable[str]) -> None:
    """Hold these loggers at INFO or above, whatever level the root logger has.

    A level that someone set higher stays.
    """
    for name in loggers:
        logger = logging.getLogger(name)
        if logger.level < logging.INFO:
            logger.setLevel(logging.INFO)
