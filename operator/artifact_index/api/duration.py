"""Durations as Go writes them, which is how the Kubernetes ecosystem writes them."""

import math
import re
from decimal import Decimal
from typing import Any, Final

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from artifact_index.api.interning import intern_equal
from artifact_index.api.rules import Rule, broken, matching

# Six digits before the dot: a Go duration is an int64 of nanoseconds, and with the length bound
# no accepted text overflows it (CEL's `duration()` would fail instead of answering).
DURATION_MAX_LENGTH: Final = 16
DURATION_RULE: Final = matching(
    "([0-9]{1,6}([.][0-9]{1,3})?(ms|s|m|h))+",
    "must be a duration such as `30m`, `12h` or `1h30m` (units: ms, s, m, h), of at most 6 digits "
    "before a unit",
)

_PART = re.compile("([0-9]+(?:[.][0-9]+)?)(ms|s|m|h)")
_UNIT_SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}


class GoDuration(str):
    """A duration in Go's spelling (`30m`, `1h30m`, `0s`), kept as the user wrote it."""

    __slots__ = ()

    @property
    def exact_seconds(self) -> Decimal:
        """The length in seconds, exactly."""
        parts = _PART.findall(self)
        return sum((Decimal(count) * _UNIT_SECONDS[unit] for count, unit in parts), Decimal(0))

    @property
    def seconds(self) -> int:
        """The length in whole seconds, rounded up."""
        return math.ceil(self.exact_seconds)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Parse from a string; anything that is not a duration is refused."""
        return core_schema.no_info_after_validator_function(cls._parse, core_schema.str_schema())

    @classmethod
    def _parse(cls, text: str) -> "GoDuration":
        if len(text) > DURATION_MAX_LENGTH or not DURATION_RULE.holds(text):
            raise broken(DURATION_RULE.message)
        return intern_equal(cls(text))


def duration_between(low: str, high: str, *, or_zero: bool = False, message: str) -> Rule:
    """The duration lies between two others, inclusive; `or_zero` also admits none at all."""
    least, most = GoDuration(low).exact_seconds, GoDuration(high).exact_seconds
    between = f"duration(self) >= duration('{low}') && duration(self) <= duration('{high}')"
    zero = "duration(self) == duration('0s') || " if or_zero else ""
    return Rule(
        # What is no duration is answered by DURATION_RULE; here it would be an evaluation error.
        cel=f"!({DURATION_RULE.cel}) || {zero}({between})",
        message=message,
        holds=lambda value: (
            (or_zero and value.exact_seconds == 0) or least <= value.exact_seconds <= most
        ),
    )
