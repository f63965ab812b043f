"""What outputs hold as time goes by: served, suspended, behind a failing login, withdrawn."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from support.frozen.lives import HOUR, NOW, Cluster, request_digest


@dataclass(frozen=True)
class Stage:
    """What the users do, then what the clouds refuse while the operator runs at a time."""

    name: str
    at: int
    edit: Callable[[Cluster], None] = lambda cluster: None
    refuses: Callable[[str], bool] = lambda form: '"domain":"refused"' in form


def _suspend(cluster: Cluster) -> None:
    for name in ("google-other", "aws-endpoint"):
        cluster.change("ArtifactIndex", name, lambda body: body["spec"].update(suspend=True))


def _break(cluster: Cluster) -> None:
    rotated = base64.b64encode(b"rotated").decode()
    cluster.change(
        "Secret", "aws-key", lambda body: body["data"].update(AWS_SECRET_ACCESS_KEY=rotated)
    )
    cluster.change("ArtifactIndex", "google", lambda body: body["spec"].update(priority=1))
    cluster.remove("Secret", "basic")


STAGES: Final = (
    Stage("first", NOW),
    # Google's token is replaced, and the suspended index keeps the older one of the same login.
    Stage("suspended", NOW + HOUR * 5 // 6, _suspend),
    # Another login, which fails: the older token goes to the same place and is kept.
    Stage("failing", NOW + HOUR * 4 // 3, _break, lambda form: True),
    Stage("withdrawn", NOW + 14 * HOUR, refuses=lambda form: True),
    Stage("recovered", NOW + 14 * HOUR),
)
KEPT: Final = frozenset(
    {"by-default", "netrc", "all-formats", "all-formats-environment", "config-map-alone"}
)
"""The outputs that are kept of the later stages; of the first one it is all."""


def outputs_by_stage(between: Callable[[Cluster, Stage], None] | None = None) -> dict[str, Any]:
    """The outputs after each stage; `between` may look at the cluster then."""
    return {stage.name: outputs for stage, outputs in _lives(between)}


def _lives(
    between: Callable[[Cluster, Stage], None] | None,
) -> Iterator[tuple[Stage, list[dict[str, Any]]]]:
    cluster = Cluster()
    for stage in STAGES:
        stage.edit(cluster)
        cluster.live(stage.at, stage.refuses)
        outputs = cluster.outputs()
        if stage is not STAGES[0]:
            outputs = [output for output in outputs if output["metadata"]["name"] in KEPT]
        yield stage, outputs
        if between is not None:
            between(cluster, stage)


def logins() -> dict[str, Any]:
    """Of each index with a login: its requests in canonical form, by their keyed digests.

    The digests are those that the output's annotation has.
    """
    cluster = Cluster()
    cluster.live(NOW, STAGES[0].refuses)
    forms = {request_digest(form): form for form in cluster.forms}
    output = next(
        manifest for manifest in cluster.outputs() if manifest["metadata"]["name"] == "logins"
    )
    served = json.loads(output["metadata"]["annotations"]["artifactindex.dev/served"])
    return {
        item["uid"].removeprefix("uid-of-ArtifactIndex-"): {
            what: {"digest": item[what], "canonical": forms[item[what]]}
            for what in ("token", "endpoint")
            if what in item
        }
        for item in served["indexes"].values()
    }
