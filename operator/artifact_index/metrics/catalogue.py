"""Every metric of the operator: its name, type, unit and labels, and the question it answers.

Names follow https://prometheus.io/docs/practices/naming/: base units, `_total` for counters. The
number of label values is bounded by the number of objects or by the operator's own words. No label
value is a URL, a user name, a secret or a digest of one.
"""

from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from artifact_index.sources.registry import CLOUDS

PREFIX: Final = "artifact_index_"

PROVIDERS: Final = tuple(cloud.provider for cloud in CLOUDS)
"""Values of the label `provider`."""

LABELS: Final = {
    "code": "HTTP status of the answer; `0` if there was none",
    "condition": "type of the condition",
    "event": "`won`: it leads from now on; `lost`: it no longer leads; `released`: it handed over",
    "identity": "who logs in: `secret/NAME`, `serviceaccount/NAME`, or `operator`",
    "index_options": "name of the IndexOptions; where the namespace is empty, of the "
    "ClusterIndexOptions",
    "kind": "kind of the object, such as `ArtifactIndex`; for an output, `Secret` or `ConfigMap`; "
    "for a reconcile also `IndexOptionsStatus`, which writes a pending status, and "
    "`ClusterOutputs`, which writes those of one namespace",
    "name": "name of the object",
    "namespace": "namespace of the object, and empty for one of cluster scope and its outputs; for "
    "a login, the namespace of its Secret or ServiceAccount, and empty for the operator's own "
    "identity",
    "output": "name of the Secret or ConfigMap",
    "provider": ", ".join(f"`{provider}`" for provider in PROVIDERS),
    "python": "version of Python",
    "ready": "status of the condition Ready: `True`, `False`, or `Unknown` before the first status",
    "reason": "reason of the condition, as in the [API reference](api-reference.md#reasons)",
    "resource": "plural name of the resource, such as `secrets`",
    "result": "outcome; see below",
    "state": "`selected`: to be written; `written`: as they should be; `failing`: not written",
    "subresource": "`status`, `token`, or empty",
    "target": "; ".join(cloud.metrics_target for cloud in CLOUDS),
    "verb": "`get`, `list`, `create`, `patch`, `delete`, or `update` for the Lease",
    "version": "version of the operator",
}
"""The meaning of each label."""


def provider_and_answer(request: str) -> tuple[str, str]:
    """The label `provider` of a request, and what it requests: `token` or `endpoint`.

    `request` is a token request's own `provider`, such as `codeartifact-token`.
    """
    provider, _, answer = request.partition("-")
    return provider, answer


@dataclass(frozen=True, slots=True)
class Definition:
    """One metric. `name` is its name in PromQL, without the suffixes of a histogram's series."""

    type: Literal["counter", "gauge", "histogram"]
    unit: str
    name: str
    summary: str
    """The text of its `# HELP` line."""
    question: str
    """The question that it answers for somebody on call."""
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram's buckets, in its unit."""


_gauge: Final = partial(Definition, "gauge")
_counter: Final = partial(Definition, "counter", "1")
_histogram: Final = partial(Definition, "histogram", "s")
_LOGIN: Final = ("provider", "namespace", "identity", "target")

OUTPUT_EXPIRY: Final = _gauge(
    "Unix time, s",
    f"{PREFIX}output_expiry_timestamp_seconds",
    "When the first token in an output expires.",
    "How long can builds still use the file? Seconds left: the value `- time()`.",
    ("namespace", "index_options", "kind", "output"),
)
OUTPUT_REFRESH: Final = _gauge(
    "Unix time, s",
    f"{PREFIX}output_refresh_timestamp_seconds",
    "When the first token in an output is due to be replaced.",
    "Which file still holds a token that should have been replaced, whatever the cause?",
    ("namespace", "index_options", "kind", "output"),
)
LOGIN_EXPIRY: Final = _gauge(
    "Unix time, s",
    f"{PREFIX}login_expiry_timestamp_seconds",
    "When the current token of a login expires, or expired.",
    "Which login's token is about to expire, or has expired? Seconds left: the value `- time()`.",
    _LOGIN,
)
LOGIN_REFRESH: Final = _gauge(
    "Unix time, s",
    f"{PREFIX}login_refresh_timestamp_seconds",
    "When the refresh of a login's current token is due.",
    "Which refresh is overdue, and since when? The time is in the past while a refresh fails.",
    _LOGIN,
)
REFRESH_LATENESS: Final = _histogram(
    f"{PREFIX}refresh_lateness_seconds",
    "Time from the due time of a refresh to the new token.",
    "How much of `--outage-budget` do refreshes use up?",
    ("provider",),
    (1, 5, 15, 30, 60, 120, 300, 600, 1200, 3600),
)
MINTS: Final = _counter(
    f"{PREFIX}mints_total",
    "Token requests to the clouds, by result.",
    "Do the clouds issue tokens, and if not, why? How close is the operator to their quotas?",
    ("provider", "result"),
)
MINT_DURATION: Final = _histogram(
    f"{PREFIX}mint_duration_seconds",
    "Time from the first request for a token to the last answer, over all steps of the login.",
    "Is a cloud slow?",
    ("provider",),
    (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 150),
)
ENDPOINT_LOOKUPS: Final = _counter(
    f"{PREFIX}endpoint_lookups_total",
    "Lookups of CodeArtifact repository URLs, by result.",
    "Do the repositories exist, and may the login look up their URL?",
    ("result",),
)
OBJECTS: Final = _gauge(
    "objects",
    f"{PREFIX}objects",
    "Objects by the Ready condition in their status.",
    "How many objects are not Ready, in which namespace, and why?",
    ("kind", "namespace", "ready", "reason"),
)
CONDITIONS: Final = _gauge(
    "objects",
    f"{PREFIX}object_conditions",
    "Objects with a True condition other than Ready.",
    "Where does a refresh fail while the token is still valid? Where is freshness not guaranteed, "
    "or dependency confusion possible?",
    ("kind", "namespace", "condition", "reason"),
)
PROBLEMS: Final = _gauge(
    "1",
    f"{PREFIX}object_problems",
    "1 for each object that is not Ready or has a True condition that warns.",
    "Which object is it, and why?",
    ("kind", "namespace", "name", "condition", "reason"),
)
NAMESPACES: Final = _gauge(
    "namespaces",
    f"{PREFIX}cluster_options_namespaces",
    "Namespaces of a ClusterIndexOptions, as its status counts them.",
    "How many namespaces have the file, and how many cannot be written?",
    ("index_options", "state"),
)
RECONCILES: Final = _counter(
    f"{PREFIX}reconciles_total",
    "Reconciles, by result.",
    "Does the operator finish its work, or does it keep retrying?",
    ("kind", "result"),
)
RECONCILE_DURATION: Final = _histogram(
    f"{PREFIX}reconcile_duration_seconds",
    "Duration of a reconcile, including its writes.",
    "Are reconciles slow?",
    ("kind",),
    (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30),
)
QUEUE_DEPTH: Final = _gauge(
    "objects",
    f"{PREFIX}queue_depth",
    "Objects that wait for a worker.",
    "Does work arrive faster than it is done?",
)
QUEUE_AGE: Final = _gauge(
    "s",
    f"{PREFIX}queue_oldest_age_seconds",
    "Longest time that an object in the queue has waited for a worker; 0 if the queue is empty.",
    "Is the queue stuck, or does an object starve?",
)
API_REQUESTS: Final = _counter(
    f"{PREFIX}api_requests_total",
    "Requests to the API server, including retries but not watches.",
    "How much load does the operator put on the API server, and does the server reject requests?",
    ("verb", "resource", "subresource", "code"),
)
API_REQUEST_DURATION: Final = _histogram(
    f"{PREFIX}api_request_duration_seconds",
    "Time from a request to the last byte of its answer, including the wait for a connection.",
    "Is the API server slow?",
    ("verb",),
    (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30),
)
LOOP_LAG: Final = _histogram(
    f"{PREFIX}event_loop_lag_seconds",
    "How late the event loop ran a timer, sampled 20 times a second.",
    "Does something block the process, or does it lack CPU?",
    (),
    (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
)
READY: Final = _gauge(
    "1",
    f"{PREFIX}ready",
    "1 while /readyz answers ok, 0 otherwise.",
    "Does the API server still serve the operator, and do all of its parts run?",
)
LEADER: Final = _gauge(
    "1",
    f"{PREFIX}leader_election_master_status",
    "1 while this process leads and writes, 0 while it stands by; always 1 without an election.",
    "Which replica works, and does any?",
)
LEADER_TRANSITIONS: Final = _counter(
    f"{PREFIX}leader_election_transitions_total",
    "How often this process has begun or ceased to lead.",
    "Does the leader change again and again?",
    ("event",),
)
CLOCK: Final = _gauge(
    "Unix time, s",
    f"{PREFIX}clock_timestamp_seconds",
    "The operator's clock at the scrape.",
    "Is the operator's clock off? Compare it with the time of the scrape, `timestamp()`.",
)
BUILD_INFO: Final = _gauge(
    "1",
    f"{PREFIX}build_info",
    "Always 1; the labels have the versions.",
    "Which version runs where?",
    ("version", "python"),
)

CATALOGUE: Final = tuple(each for each in globals().values() if isinstance(each, Definition))
"""All metrics, in the order of the reference: as they stand above."""
