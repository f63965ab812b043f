"""What the API reference says of each reason of a condition; the texts are in `reasons.yaml`.

The code that finds a problem composes its message: what is wrong, with which object and field, and
the next step. An event about a transition has the reason of the condition.
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from artifact_index.api.reasons import Polarity, Reason

CONDITIONS_OF: Final[Mapping[Polarity, str]] = {
    Polarity.AVAILABLE: "Ready=True",
    Polarity.RETRY: "Ready=False, Reconciling=True",
    Polarity.ACT: "Ready=False, Stalled=True",
    Polarity.NOTE: "a condition of its own",
    Polarity.KEEP: "Ready keeps its last value",
}
"""Effect of a reason of each polarity on the conditions."""


class ReasonDoc(BaseModel):
    """The meaning and the remedy of one reason, for the `kinds` whose conditions can have it."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)

    kinds: tuple[str, ...]
    meaning: str
    remedy: str
    condition: str | None = None
    """The type of a note's own condition, or of a further condition that can have the reason."""
    in_message: bool = False
    """Whether each message of the reason ends in a remedy that is more exact than this one."""
    stalled_after_seconds: int | None = None
    """The default time after which the user must act although the reason says retry."""
    stalled_where: str | None = None
    """In words, when the user must act although the reason says retry."""


def _reason_docs() -> dict[Reason, ReasonDoc]:
    texts = yaml.safe_load(files(__package__).joinpath("reasons.yaml").read_text())
    reasons = {reason.value: reason for reason in Reason}
    return {reasons[name]: ReasonDoc.model_validate(text) for name, text in texts.items()}


REASONS: Final[Mapping[Reason, ReasonDoc]] = _reason_docs()
"""The documentation of every reason, in the order of the reference; a test keeps it complete."""
