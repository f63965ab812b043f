"""Rules that stand once and work twice: as CEL in the CRD and as Python in the models.

The API server evaluates the CEL; the same rule in Python answers for objects that no API server
has seen (files on a disk) or that an older CRD let through. Messages follow the Kubernetes API
conventions: what must hold, then what to do; fields in back quotes.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


def broken(message: str) -> PydanticCustomError:
    """The error of a broken rule; its text is the message alone, never the value."""
    return PydanticCustomError("rule", "{message}", {"message": message})


@dataclass(frozen=True, slots=True)
class Rule:
    """One validation rule, of a model or an annotated type: CEL over `self` and its Python twin."""

    cel: str
    message: str
    holds: Callable[[Any], bool]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Check the rule after the value has its type."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def check(self, value: Any) -> Any:
        """Return the value, or raise if it breaks the rule."""
        if not self.holds(value):
            raise broken(self.message)
        return value


@dataclass(frozen=True, slots=True)
class ListType:
    """Metadata of a tuple: its `x-kubernetes-list-type`; a set or a map holds nothing twice."""

    kind: Literal["atomic", "set", "map"]
    keys: tuple[str, ...] = ()

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Refuse duplicates, as the API server does for lists of type set and map."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def check(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the items, or raise if two of them are the same."""
        identities: list[Any] = list(items)
        if self.keys:
            identities = [tuple(getattr(item, key) for key in self.keys) for item in items]
        if self.kind != "atomic" and len(set(identities)) != len(identities):
            keys = " and ".join(self.keys)
            what = f"two items with the same {keys}" if keys else "a duplicate"
            raise broken(f"must not hold {what}; remove one of them")
        return items


ATOMIC = ListType("atomic")
SET = ListType("set")


def matching(pattern: str, message: str) -> Rule:
    """The whole string must match `pattern`: what RE2 and Python read alike, without anchors."""
    compiled = re.compile(pattern)
    escaped = pattern.replace("\\", "\\\\").replace("'", "\\'")
    return Rule(
        cel=f"self.matches('^({escaped})$')",
        message=message,
        holds=lambda value: compiled.fullmatch(value) is not None,
    )


def exactly_one(aliases: Iterable[str], message: str) -> Rule:
    """Exactly one of the optional members is set: the union of the Kubernetes conventions."""
    members = tuple(aliases)
    listed = ", ".join(f"has(self.{member})" for member in members)

    def holds(model: Any) -> bool:
        fields = type(model).model_fields
        given = [name for name, info in fields.items() if (info.alias or name) in members]
        return sum(getattr(model, name) is not None for name in given) == 1

    return Rule(cel=f"[{listed}].exists_one(given, given)", message=message, holds=holds)
