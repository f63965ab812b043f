"""One object for equal values: ten thousand indexes name the same few logins and labels."""

from functools import lru_cache
from typing import Any, Final, TypeVar, cast

from pydantic import AfterValidator

_KEPT: Final = 4096
"""Values that are remembered, the latest used; a lost one costs memory and nothing else."""

Value = TypeVar("Value")


def intern_equal(value: Value) -> Value:
    """The first that was seen of all values of this type that equal `value`; none may change.

    What cannot be hashed, as a model with a dict in it, stays itself.
    """
    try:
        return cast(Value, _first(type(value), value))  # type: ignore[arg-type]
    except TypeError:
        return value


SHARED: Final = AfterValidator(intern_equal)
"""For a field of a model: equal values of it are one object."""


@lru_cache(maxsize=_KEPT)
def _first(_: type[Any], value: Any) -> Any:
    return value
