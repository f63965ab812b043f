"""The alerts and recording rules: rule file of the chart, example, docs/reference/alerts.md."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from artifact_index.crdgen.reference import markdown_table

ALERTS: Final[list[dict[str, str]]] = yaml.safe_load(
    Path(__file__).with_name("alerts.yaml").read_text()
)
"""Every alert, in the order of the reference."""

RUNBOOKS: Final = (
    "https://github.com/artifact-index/artifact-index-operator/blob/main/docs/reference/alerts.md"
)
"""The page of the alerts, unless an installation has its own copy."""


class Failure(NamedTuple):
    """A row of the table of failures, which a test lives through with the default settings."""

    what: str
    minutes: int
    """From the first alert to the moment when builds stop, at least."""
    alert: str
    """The alert that comes first, or tells most."""


FAILURES: Final = {
    "refused": Failure(
        "The cloud refuses the login: key deleted, permission lost",
        35,
        "ArtifactIndexRefreshFailing",
    ),
    "rotated": Failure(
        "The Secret gets another key, which the cloud refuses", 35, "ArtifactIndexRefreshFailing"
    ),
    "removed": Failure("The source Secret is deleted", 35, "ArtifactIndexBuildsBlocked"),
    "away": Failure("The cloud cannot be reached", 35, "ArtifactIndexRefreshFailing"),
    "dead": Failure("The operator is down, or its event loop is stuck", 37, "ArtifactIndexDown"),
    "unserved": Failure(
        "The API server does not accept the operator's token", 36, "ArtifactIndexUnready"
    ),
    "leaderless": Failure("No replica gets the Lease", 36, "ArtifactIndexNoLeader"),
    "blocked": Failure("No worker takes anything from the queue", 35, "ArtifactIndexQueueStuck"),
    "slow clock": Failure(
        "The operator's clock falls back by an hour", 40, "ArtifactIndexClockOff"
    ),
    "suspended": Failure("Somebody suspends the IndexOptions", 37, "ArtifactIndexRefreshLate"),
    "short": Failure(
        "The cloud refuses the login, and tokens live 15 minutes",
        0,
        "ArtifactIndexTokenExpiresSoon",
    ),
}
"""What may happen, by the name of its test."""

RECORDS: Final = {
    "artifact_index:output_expiry:seconds": "artifact_index_output_expiry_timestamp_seconds "
    "- time()",
    "artifact_index:login_expiry:seconds": "artifact_index_login_expiry_timestamp_seconds - time()",
    "artifact_index:refresh_lateness_seconds:p99": "histogram_quantile(0.99, "
    "sum by (provider, le) (rate(artifact_index_refresh_lateness_seconds_bucket[1d])))",
}
"""Recording rules, by name."""

_GENERATED: Final = "Generated from tools/monitoring/alerts.yaml by tools/generate.py; do not edit."
_RULE_FIELDS: Final = ("alert", "expr", "for", "keep_firing_for")
_EXAMPLE: Final = """\
# For the Prometheus Operator: kubectl apply -n monitoring -f prometheus-rules.yaml; the chart
# creates the same with prometheusRule.enabled. Without the Prometheus Operator, use the content of
# `spec` as a Prometheus rule file, unchanged. docs/reference/alerts.md explains each alert. The
# rules expect the namespace of the object in `namespace`, so scrape with `honorLabels: true`.
"""


def rule_groups(*, runbooks: str, operator: str, replicas: str = "2") -> dict[str, Any]:
    """The content of a Prometheus rule file.

    `runbooks` is the address of the page of the alerts; `operator` selects the operator's own
    series, such as `namespace="artifact-index-system"`; `replicas` is how many there are to be.
    """
    records = [{"record": name, "expr": expr} for name, expr in RECORDS.items()]
    alerts = [_rule(alert, runbooks, operator, replicas) for alert in ALERTS]
    return {
        "groups": [
            {"name": "artifact-index-operator.records", "rules": records},
            {"name": "artifact-index-operator.alerts", "rules": alerts},
        ]
    }


def chart_rules() -> str:
    """The rule file of the chart, with placeholders that its template replaces."""
    groups = rule_groups(runbooks="@RUNBOOKS@", operator="@OPERATOR@", replicas="@REPLICAS@")
    return f"# {_GENERATED}\n{_yaml(groups)}"


def example_rules() -> str:
    """The rules as a PrometheusRule for an installation without the chart."""
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "artifact-index-operator"},
        "spec": rule_groups(runbooks=RUNBOOKS, operator=""),
    }
    return f"# {_GENERATED}\n{_EXAMPLE}{_yaml(rule)}"


def _rule(alert: dict[str, str], runbooks: str, operator: str, replicas: str) -> dict[str, Any]:
    rule: dict[str, Any] = {field: alert[field] for field in _RULE_FIELDS if field in alert}
    selector = f"{{{operator}}}" if operator else ""
    rule["expr"] = rule["expr"].replace("{@OPERATOR@}", selector).replace("@REPLICAS@", replicas)
    rule["labels"] = {"severity": alert["severity"]}
    rule["annotations"] = {
        "summary": alert["summary"],
        "description": alert["description"],
        "runbook_url": f"{runbooks}#{alert['alert'].lower()}",
    }
    return rule


def _yaml(content: dict[str, Any]) -> str:
    return yaml.safe_dump(content, sort_keys=False, width=100)


_INTRODUCTION: Final = f"""\
<!-- {_GENERATED} -->
# Alerts

The chart creates these alerts with `prometheusRule.enabled: true`; the same rules for an
installation without the chart are in
[`examples/monitoring/prometheus-rules.yaml`](../../examples/monitoring/prometheus-rules.yaml). Each
alert has a `runbook_url` that leads to its section here, or on your own copy of this page
(`prometheusRule.runbookUrl`).

The alerts about single objects need `settings.objectMetrics: true` (the default) and a scrape with
`honorLabels: true`, which the chart's monitors set.
"""

_TIMES: Final = """\
## How much time there is

An operator with the default settings replaces a token 44m40s before its expiry, for builds of 30
minutes (`maxBuildDuration`), and up to 10 minutes earlier to spread the load. If that fails, it
withdraws the token 2m35s before the expiry and blocks the entry: from then on builds stop. In
between are

    maxBuildDuration + --outage-budget + 2m5s  =  42m5s

This much of it is left when the first alert fires, if rules are evaluated every 15 seconds to 2
minutes. A test runs the rules over the series of a simulated operator for each of these failures,
beginning just before a refresh, when the least time is left. In each of them a critical alert fires
before builds stop.

@FAILURES@

With a `maxBuildDuration` below 15 minutes the warning comes less than 20 minutes before builds
stop. **Tokens that live 15 minutes** are replaced 5 minutes after they were issued and withdrawn
12m25s after they were issued: the 7m25s between cannot hold 20 minutes of warning. The first alert,
[ArtifactIndexTokenExpiresSoon](#artifactindextokenexpiressoon), comes 1 to 4 minutes before the
withdrawal if rules are evaluated every minute or more often, and before it in any case. If that is
too little, ask for longer tokens (`tokenDuration`).

A metadata server that hands out one token again until shortly before its expiry
(`FreshnessNotGuaranteed`) leaves no time to warn: the critical alert comes when the token is
withdrawn.
"""


def alerts_markdown() -> str:
    """The whole page; the same text each time."""
    head = ("Alert", "Severity", "Meaning")
    rows = [
        (f"[{alert['alert']}](#{alert['alert'].lower()})", alert["severity"], alert["means"])
        for alert in ALERTS
    ]
    failures = markdown_table(
        ("Failure", "Alert", "First alert before builds stop"),
        (
            (
                failure.what,
                f"[{failure.alert}](#{failure.alert.lower()})",
                f"{failure.minutes} minutes",
            )
            for failure in FAILURES.values()
        ),
    )
    times = _TIMES.replace("@FAILURES@\n", failures)
    sections = "\n".join("\n".join(_section(alert)) for alert in ALERTS)
    return "\n".join((_INTRODUCTION, markdown_table(head, rows), times, sections))


def _section(alert: dict[str, str]) -> Iterator[str]:
    yield f"## {alert['alert']}\n"
    yield f"**Severity:** {alert['severity']}. {alert['means']}\n"
    yield f"**How long until builds stop:** {alert['until']}\n"
    yield f"**Find the cause:**\n\n```bash\n{alert['cause']}```\n"
    yield f"**Remedy:** {alert['remedy']}\n"
