"""Conditions as `metav1.Condition` has them, and the types that the operator sets."""

from typing import Annotated, Final, Literal

from pydantic import Field

from artifact_index.api.base import ApiModel
from artifact_index.api.timestamps import Timestamp

READY: Final = "Ready"
RECONCILING: Final = "Reconciling"
STALLED: Final = "Stalled"
REFRESH_FAILING: Final = "RefreshFailing"
FRESHNESS_NOT_GUARANTEED: Final = "FreshnessNotGuaranteed"
DEPENDENCY_CONFUSION_RISK: Final = "DependencyConfusionRisk"
FORMAT_LIMITED: Final = "FormatLimited"
HOST_SHARED: Final = "HostShared"
SERVED_TWICE: Final = "ServedTwice"

CONDITION_MEANINGS: Final[dict[str, str]] = {
    READY: "Always present. True: what the spec asks for is served. False: it is not, or not "
    "wholly; the reason and the message say why.",
    RECONCILING: "Only while True, with Ready=False: the operator is working on it or trying "
    "again by itself. Waiting may be enough.",
    STALLED: "Only while True, with Ready=False: trying again cannot help, somebody must act.",
    REFRESH_FAILING: "Only while True: a live credential is being served, but its replacement "
    "could not be minted yet. Ready stays True until the credential expires.",
    FRESHNESS_NOT_GUARANTEED: "Only while True: a token lives too short for the declared "
    "`maxBuildDuration`, so that a long build could see it die. It is served all the same.",
    DEPENDENCY_CONFUSION_RISK: "Only while True: with this configuration a public package could "
    "take the place of a private one of the same name. The message names every way in which it "
    "could, and the field that ends each.",
    FORMAT_LIMITED: "Only while True: an output's format cannot say all that uv.toml says, and the "
    "message names the indexes. What it does say is true.",
    HOST_SHARED: "Only while True: indexes on one host have different logins, or one has none. "
    "Clients may send the login of the one to the other.",
    SERVED_TWICE: "Only while True: a second installation of the operator has been told to serve "
    "this namespace as well. It stands still, and the message names both.",
}
"""Every condition type and how to read it (kstatus: cli-utils `pkg/kstatus`)."""

ConditionStatus = Literal["True", "False", "Unknown"]


class Condition(ApiModel):
    """One observation about the object, in the form of `metav1.Condition`."""

    type: Annotated[str, Field(min_length=1, max_length=316)]
    """What is observed, such as Ready."""

    status: ConditionStatus
    """Whether it holds: True, False or Unknown."""

    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """`metadata.generation` of the spec that this observation is about."""

    last_transition_time: Timestamp
    """When `status` last changed, in UTC."""

    reason: Annotated[
        str,
        Field(min_length=1, max_length=1024, pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"),
    ]
    """Why, as one CamelCase word; the API reference lists all of them."""

    message: Annotated[str, Field(max_length=32768)]
    """What is wrong, with which object and field, and what to do next; for people."""
