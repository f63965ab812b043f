"""Who wants a login for builds of what length, in seconds: thousands of consumers may. Pure."""

from collections.abc import Hashable


def let_in(
    wanted_by: dict[Hashable, float], consumer: Hashable, build: float, *, longest: float
) -> bool:
    """Take a consumer, or another build of one; true if `longest` has to be found anew."""
    before = wanted_by.get(consumer)
    if before == build:
        return False
    first = not wanted_by
    wanted_by[consumer] = build
    return first or build > longest or before == longest


def let_go(wanted_by: dict[Hashable, float], consumer: Hashable, *, longest: float) -> bool:
    """Forget a consumer; true if `longest` has to be found anew, and where it was the last one.

    Mostly all have the same build: the first look finds another of it.
    """
    before = wanted_by.pop(consumer, None)
    builds = wanted_by.values()
    return not builds or (before == longest and longest not in builds)
