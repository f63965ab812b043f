"""The metrics reference, docs/reference/metrics.md, generated from the catalogue."""

from typing import Final

from artifact_index.crdgen.reference import markdown_table
from artifact_index.metrics import catalogue

_INTRODUCTION: Final = """\
<!-- Generated from the catalogue of metrics by tools/generate.py; do not edit. -->
# Metrics

The operator serves `GET /metrics` on the port of its health endpoints (`--health-port`, 8080 by
default), in Prometheus's text format, or in OpenMetrics if the scraper requests it. The endpoint
requires no login. It shows names of namespaces, objects, Secrets, ServiceAccounts and CodeArtifact
domains, but never a credential, a digest of one, or a URL. `--object-metrics=false` leaves out the
series of single outputs and logins.

A series exists as long as its object: after a deletion, it is gone at the next scrape. Gauges are
computed at scrape time, so they cost nothing in between.

The label `namespace` is the namespace of the object. Prometheus overwrites it with the namespace of
the pod unless you set `honorLabels: true` in the PodMonitor or ServiceMonitor, or `honor_labels` in
the scrape configuration. Without that, use `exported_namespace`.
"""

_NOTES: Final = """\
The operator also exposes the `process_*` metrics of the Prometheus client: memory, CPU, open files
and start time.

## Labels
"""

_RESULTS: Final = """\
Values of `result`:

- For token requests and endpoint lookups: `ok`, or the reason in the condition of the
  ArtifactIndex, such as `AccessDenied` or `CloudThrottled`.
- For reconciles: `ok`; `retry` if part of the work is retried; `api_error` if the API server
  rejected a request or did not answer; `internal_error`, which the log explains.

## Seconds to expiry

Expiries are times, not remaining seconds: a time stays correct however old the scrape is, and
changes only with the token. Subtract the current time to get the seconds left:

```promql
artifact_index_output_expiry_timestamp_seconds - time()
artifact_index_login_expiry_timestamp_seconds - time()
```

The series of a login stays after its token has expired, and the difference turns negative. It ends
when the login itself changes, for example because its Secret got another key. The series of an
output ends when its last token has been withdrawn; `artifact_index_objects` then reports
`CredentialExpired`. Logins with the same labels, such as two roles assumed with one access key,
share a series, which shows the earliest time. Static credentials (a password, a whole URL) have no
expiry and no series.

`artifact_index_refresh_lateness_seconds` counts completed refreshes; a refresh that still fails
shows in `time() - artifact_index_login_refresh_timestamp_seconds`. Refreshes that a user requested
before they were due are not counted.

## Alerts

[`examples/monitoring/prometheus-rules.yaml`](../../examples/monitoring/prometheus-rules.yaml) is a
PrometheusRule with recording rules for the seconds left, and with these alerts:
"""


ALERTS: Final = (
    (
        "ArtifactIndexTokenExpiresSoon",
        "a token in a file has less than 5 minutes left and is about to be withdrawn",
        "run `kubectl describe` on the IndexOptions: it names the index and the cause",
    ),
    (
        "ArtifactIndexRefreshLate",
        "a refresh is more than 5 minutes overdue: half of the default outage budget",
        f"see `{catalogue.MINTS.name}` by `result` for the cloud's answers",
    ),
    (
        "ArtifactIndexMintFailures",
        "a cloud has refused tokens for 15 minutes",
        "see the reason in the [API reference](api-reference.md#reasons)",
    ),
    (
        "ArtifactIndexNotReady",
        "objects have not been Ready for 15 minutes",
        "run `kubectl describe` on them: the message of the condition says what to do",
    ),
    (
        "ArtifactIndexQueueStuck",
        "an object has waited for a worker for more than a minute",
        f"see `{catalogue.API_REQUEST_DURATION.name}` and the log",
    ),
    (
        "ArtifactIndexLoopLag",
        "the process runs its timers late, so everything is delayed",
        "raise the CPU limit, or [split the installation](../explanation/performance.md)",
    ),
    (
        "ArtifactIndexDown",
        "nothing refreshes tokens or withdraws expired ones",
        "see the log and the events of the pod",
    ),
)
"""Each alert of the example, with its meaning and what to do."""


def metrics_markdown() -> str:
    """Return the whole document; the same text each time."""
    head = ("Metric", "Type", "Unit", "Labels", "Question")
    metrics = markdown_table(head, map(_row, catalogue.CATALOGUE))
    labels = markdown_table(
        ("Label", "Meaning"), ((f"`{name}`", meaning) for name, meaning in catalogue.LABELS.items())
    )
    alerts = markdown_table(
        ("Alert", "Meaning", "What to do"),
        ((f"`{name}`", meaning, action) for name, meaning, action in ALERTS),
    )
    return "\n".join((_INTRODUCTION, metrics, _NOTES, labels, _RESULTS, alerts))


def _row(metric: catalogue.Definition) -> tuple[str, ...]:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return (f"`{metric.name}`", metric.type, metric.unit, labels, metric.question)
