"""The rules of kstatus, by which kubectl's helpers, Flux and Argo CD read a status."""

from typing import Any

from artifact_index.api.conditions import CONDITION_MEANINGS
from artifact_index.crdgen.reason_docs import REASONS


def violations(kind: str, status: dict[str, Any], generation: int) -> list[str]:
    """What Flux's conformance checks would say (`fluxcd/pkg runtime/conditions/check`)."""
    found = []
    conditions = {item["type"]: item for item in status["conditions"]}
    ready = conditions.get("Ready")
    negative = [conditions[item] for item in ("Stalled", "Reconciling") if item in conditions]
    if len(conditions) != len(status["conditions"]):
        found.append("a type stands twice")
    if ready is None:
        return ["Ready is absent"]
    if len(negative) == 2:
        found.append("Reconciling and Stalled stand together")
    if ready["status"] == "True" and negative:
        found.append("Ready is True beside a negative condition")
    if ready["status"] == "False" and ready["reason"] != "Suspended" and not negative:
        found.append("Ready is False and nobody says whether it will be tried again")
    if ready["status"] not in ("True", "False"):
        found.append("Ready is unknown")
    if negative and (ready["reason"], ready["message"]) != (
        negative[0]["reason"],
        negative[0]["message"],
    ):
        found.append("Ready has not the words of the negative condition")
    found += [f"{item} is there and not True" for item, condition in conditions.items()
              if item != "Ready" and condition["status"] != "True"]  # fmt: skip
    found += [f"{item} is unknown" for item in conditions if item not in CONDITION_MEANINGS]
    found += [f"{item} is of generation {condition['observedGeneration']}"
              for item, condition in conditions.items()
              if condition["observedGeneration"] != generation]  # fmt: skip
    if status["observedGeneration"] > generation:
        found.append("the observed generation is ahead")
    found += [f"{condition['reason']} is no reason of {kind}" for condition in conditions.values()
              if kind not in REASONS[condition["reason"]].kinds
              # It says of a failing refresh what its index says, in the index's words.
              and condition["type"] != "RefreshFailing"]  # fmt: skip
    return found
