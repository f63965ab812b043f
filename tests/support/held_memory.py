"""What a part of the operator holds: the sizes of its containers, and the objects that live."""

import functools
import gc
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from typing import Any, Final

_OURS: Final = "artifact_index."
_SEQUENCES: Final = (list, tuple, set, frozenset, deque)


def container_sizes(root: object) -> Counter[str]:
    """The number of members of all containers below `root`, by class and attribute.

    Containers in containers count as one more place. Caches without a bound are containers.
    """
    sizes: Counter[str] = Counter()
    seen: set[int] = set()
    left: list[tuple[str, object]] = [(type(root).__name__, root)]
    while left:
        place, found = left.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, functools._lru_cache_wrapper):
            info = found.cache_info()
            sizes[place] += info.currsize if info.maxsize is None else 0
        elif isinstance(found, Mapping) and not _is_ours(found):
            sizes[place] += len(found)
            left += [(f"{place}[]", member) for pair in found.items() for member in pair]
        elif isinstance(found, _SEQUENCES) and not _is_ours(found):
            sizes[place] += len(found)
            left += [(f"{place}[]", member) for member in found]
        elif isinstance(found, functools.partial):
            left += [(place, found.func), (place, found.args), (place, found.keywords)]
        elif owner := getattr(found, "__self__", None):
            left.append((place, owner))
        elif _is_ours(found):
            left += [(f"{type(found).__name__}.{name}", value) for name, value in _fields(found)]
    return +sizes


def living_objects() -> Counter[str]:
    """How many objects of the operator's classes live, by class, once all caches are cleared.

    A cache of a function forgets the oldest; `unbounded_caches` tells of one that does not.
    """
    for cache in _function_caches():
        cache.cache_clear()
    gc.collect()
    return Counter(type(found).__qualname__ for found in gc.get_objects() if _is_ours(found))


def unbounded_caches() -> list[str]:
    """The caches of functions of the operator that have no bound."""
    return [
        f"{cache.__module__}.{cache.__qualname__}"
        for cache in _function_caches()
        if cache.cache_info().maxsize is None
    ]


def _function_caches() -> list[Any]:
    gc.unfreeze()  # `conftest.py` hides what lived before the first test
    return [
        found
        for found in gc.get_objects()
        if isinstance(found, functools._lru_cache_wrapper)
        and (found.__module__ or "").startswith(_OURS)
    ]


def _is_ours(found: object) -> bool:
    return str(type(found).__module__).startswith(_OURS)


def _fields(found: Any) -> Iterator[tuple[str, object]]:
    yield from vars(found).items() if hasattr(found, "__dict__") else ()
    for kind in type(found).__mro__:
        for name in getattr(kind, "__slots__", ()):
            if hasattr(found, name):
                yield name, getattr(found, name)
