"""The metrics reference as Markdown, generated from the catalogue."""

from typing import Final

from artifact_index.crdgen.reference import markdown_table
from artifact_index.metrics.catalogue import (
    API_REQUEST_DURATION,
    CATALOGUE,
    LABELS,
    MINTS,
    Definition,
)

_INTRODUCTION: Final = """\
<!-- Generated from the catalogue of metrics by tools/generate.py; do not edit. -->
# Metrics

The operator answers `GET /metrics` on the port of its health endpoints (`--health-port`, 8080 by
default), in Prometheus' text format or, where the scraper asks for it, in OpenMetrics. Nobody has
to log in to read it. It holds names of namespaces, objects, Secrets, ServiceAccounts and
CodeArtifact domains, and never a credential, a digest of one, or a URL. `--object-metrics=false`
leaves out the series that stand for a single output or login.

A series exists as long as its object: after a deletion it is gone at the next scrape. Each scrape
reads the gauges from the operator's memory, so they cost nothing in between.

The label `namespace` is the object's. Prometheus puts the pod's own namespace there unless it is
told otherwise: by `honorLabels: true` in a PodMonitor or ServiceMonitor, `honor_labels` in a scrape
configuration; without it look for `exported_namespace`.
"""

_NOTES: Final = """\
The usual `process_*` metrics of the Prometheus client are there as well: memory, CPU, open files,
start time.

## Labels
"""

_RESULTS: Final = """\
Values of `result`:

- Of a mint and of an endpoint look-up: `ok`, or the reason that the condition of the ArtifactIndex
  shows, such as `AccessDenied` or `CloudThrottled`.
- Of a reconcile: `ok`; `retry` if a part of the work is tried again; `api_error` if the API server
  refused a request or did not answer; `internal_error` after an error that the log explains.

## Seconds to expiry

Expiries are times, not remaining seconds: a time stays true however old the scrape is and changes
only with the token. Subtract the current time to get the seconds that are left:

```promql
artifact_index_output_expiry_timestamp_seconds - time()
artifact_index_login_expiry_timestamp_seconds - time()
```

A login's series stays after its token has expired, and the difference turns negative. An output's
series ends when its last token has been withdrawn; then `artifact_index_objects` says
`CredentialExpired`. Logins with the same labels, for instance two roles assumed with one access
key, share a series, which shows the token that expires first. Static credentials (a password, a
whole URL) have no expiry and no series.

`artifact_index_refresh_lateness_seconds` counts refreshes that succeeded; one that still fails
shows in `time() - artifact_index_login_refresh_timestamp_seconds`. A refresh that somebody
requested ahead of its time is not counted.

## Alerts

[`examples/monitoring/prometheus-rules.yaml`](../examples/monitoring/prometheus-rules.yaml) is a
PrometheusRule with recording rules for the seconds that are left, and with these alerts:
"""


ALERTS: Final = (
    (
        "ArtifactIndexTokenExpiresSoon",
        "a file's token has less than 5 minutes left, and is about to be withdrawn",
        "`kubectl describe` the IndexOptions: it names the index and the cause",
    ),
    (
        "ArtifactIndexRefreshLate",
        "a refresh is more than 5 minutes overdue: half of the default outage budget",
        f"`{MINTS.name}` by `result` says what the cloud answers",
    ),
    (
        "ArtifactIndexMintFailures",
        "a cloud has refused token requests for 15 minutes",
        "see the reason in the [API reference](api-reference.md#reasons)",
    ),
    (
        "ArtifactIndexNotReady",
        "objects have not been Ready for 15 minutes",
        "`kubectl describe` them: the condition's message says what to do",
    ),
    (
        "ArtifactIndexQueueStuck",
        "an object has waited for a worker for more than a minute",
        f"look at `{API_REQUEST_DURATION.name}` and at the log",
    ),
    (
        "ArtifactIndexLoopLag",
        "the process is late with everything",
        "raise the CPU limit, or [split the installation](performance.md)",
    ),
    (
        "ArtifactIndexDown",
        "nothing refreshes tokens or withdraws those that expire",
        "see the pod's log and events",
    ),
)
"""Each alert of the example, its meaning, and the remedy."""


def metrics_markdown() -> str:
    """The whole document; the same text each time."""
    head = ("Metric", "Type", "Unit", "Labels", "Question")
    metrics = markdown_table(head, map(_row, CATALOGUE))
    labels = markdown_table(
        ("Label", "Meaning"), ((f"`{name}`", meaning) for name, meaning in LABELS.items())
    )
    alerts = markdown_table(
        ("Alert", "Meaning", "What to do"),
        ((f"`{name}`", meaning, action) for name, meaning, action in ALERTS),
    )
    return "\n".join((_INTRODUCTION, metrics, _NOTES, labels, _RESULTS, alerts))


def _row(metric: Definition) -> tuple[str, ...]:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return (f"`{metric.name}`", metric.type, metric.unit, labels, metric.question)
