"""Label selectors, with the meaning that Kubernetes gives them."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from artifact_index.api.base import ApiModel
from artifact_index.api.fields import LabelKey, LabelValue
from artifact_index.api.rules import ATOMIC, SET, Rule

SelectorOperator = Literal["In", "NotIn", "Exists", "DoesNotExist"]


class LabelSelectorRequirement(ApiModel):
    """A requirement on one label."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.operator in ['In', 'NotIn'] "
            "? has(self.values) && size(self.values) > 0 "
            ": !has(self.values) || size(self.values) == 0",
            message="must have `values` with operator In or NotIn, and none with Exists or "
            "DoesNotExist",
            holds=lambda item: (item.operator in ("In", "NotIn")) == bool(item.values),
        ),
    )

    key: LabelKey
    """Key of the label."""

    operator: SelectorOperator
    """In and NotIn compare with `values`; Exists and DoesNotExist look at the key alone. A missing
    label matches NotIn and DoesNotExist."""

    values: Annotated[tuple[LabelValue, ...], Field(max_length=64), SET] = ()
    """Values to compare with; at least one for In and NotIn, none otherwise."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels meets the requirement."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels


class LabelSelector(ApiModel):
    """Selects by labels; everything named here must hold."""

    match_labels: Annotated[dict[LabelKey, LabelValue], Field(max_length=16)] = Field(
        default_factory=dict
    )
    """Labels that the object must have, with exactly these values."""

    match_expressions: Annotated[
        tuple[LabelSelectorRequirement, ...], Field(max_length=16), ATOMIC
    ] = ()
    """Requirements that the object's labels must meet."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected; an empty selector selects all."""
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            requirement.matches(labels) for requirement in self.match_expressions
        )
