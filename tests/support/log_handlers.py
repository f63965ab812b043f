"""The operator's log, as a handler of a test sees it."""

import contextlib
import logging
from collections.abc import Iterator
from typing import TypeVar

AHandler = TypeVar("AHandler", bound=logging.Handler)


@contextlib.contextmanager
def logging_to(handler: AHandler) -> Iterator[AHandler]:
    """Give a handler the operator's lines of level INFO and above."""
    logger = logging.getLogger("artifact_index")
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
