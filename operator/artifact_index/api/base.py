"""The base of every model, and the parser that turns stored objects into models."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from artifact_index.api.rules import Rule


class ApiModel(BaseModel):
    """A part of an object as the API server stores it: camelCase keys, immutable, no surprises.

    The docstring of a field is its description in the CRD, hence the text of `kubectl explain`.
    Unknown keys are ignored: the API server prunes them, and a newer CRD may know more of them.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        hide_input_in_errors=True,
        extra="ignore",
        # A start without validators that no spec needs is shorter, and saves a MiB.
        defer_build=True,
    )

    rules: ClassVar[tuple[Rule, ...]] = ()
    """Rules over several fields; they become `x-kubernetes-validations` of the object."""

    @model_validator(mode="after")
    def _keep_rules(self) -> Self:
        for rule in self.rules:
            rule.check(self)
        # Equal sets of given fields are one set: that is half of a small model's memory.
        shared = _one_set(frozenset(self.model_fields_set))
        object.__setattr__(self, "__pydantic_fields_set__", shared)
        return self


@lru_cache(maxsize=1024)
def _one_set(names: frozenset[str]) -> set[str]:
    return set(names)


class SpecProblem(NamedTuple):
    """One thing wrong with a spec: where (`spec.basicAuth.url`) and what, without the value."""

    field_path: str
    message: str


class SpecError(ValueError):
    """A spec breaks its schema. `problems` is never empty and holds no value of the spec.

    `field_path` and `message` are those of the first problem.
    """

    def __init__(self, problems: tuple[SpecProblem, ...]) -> None:
        super().__init__("; ".join(f"{each.field_path}: {each.message}" for each in problems))
        self.problems = problems
        self.field_path, self.message = problems[0]


SpecT = TypeVar("SpecT", bound=ApiModel)


def parse_spec(model: type[SpecT], raw: Mapping[str, Any] | None) -> SpecT:
    """Parse the `spec` of a stored object (absent counts as empty).

    Raises SpecError, whose text names fields and rules and never repeats a value.
    """
    try:
        return model.model_validate({} if raw is None else raw)
    except ValidationError as error:
        # The context is dropped: a traceback would otherwise carry pydantic's own error along.
        raise SpecError(_problems_of(error)) from None


def refused_in(model: type[BaseModel], raw: Any, root: str = "spec") -> tuple[SpecProblem, ...]:
    """What the API server would refuse in a part of an object that it has not seen.

    It converts no type: a number is no string, and the text of a number is no number.
    """
    try:
        model.model_validate_json(json.dumps(raw), strict=True)
    except ValidationError as error:
        return _problems_of(error, root)
    return ()


def _problems_of(error: ValidationError, root: str = "spec") -> tuple[SpecProblem, ...]:
    details = error.errors(include_input=False, include_context=False, include_url=False)
    return tuple(SpecProblem(_field_path(root, each["loc"]), each["msg"]) for each in details)


def _field_path(root: str, location: tuple[int | str, ...]) -> str:
    path = root
    for step in location:
        if step == "[key]":  # pydantic's mark for "the key itself", not a field
            continue
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return path
