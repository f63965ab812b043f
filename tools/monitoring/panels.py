"""What the Grafana dashboard shows: panels by row, each with the metrics that it asks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from artifact_index.metrics import catalogue
from artifact_index.metrics.catalogue import Definition

Steps = Sequence[tuple[float | None, str]]
"""Colours from these values on; None is the lowest."""

_PLAIN: Final[Steps] = ((None, "green"),)
_SECONDS_LEFT: Final[Steps] = ((None, "red"), (300, "orange"), (1800, "green"))
_NONE_IS_GOOD: Final[Steps] = ((None, "green"), (1, "red"))
_ONE_IS_GOOD: Final[Steps] = ((None, "red"), (1, "green"))


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel; `queries` are PromQL by the legend of their series."""

    type: Literal["stat", "table", "timeseries"]
    title: str
    description: str
    unit: str
    queries: Mapping[str, str]
    width: int = 8
    steps: Steps = _PLAIN


def _of(metric: Definition, labels: str = "") -> str:
    """The series of a metric that has the label `namespace`, in the chosen namespaces."""
    more = f",{labels}" if labels else ""
    return f'{metric.name}{{namespace=~"$namespace"{more}}}'


def _rate(metric: Definition, by: str, suffix: str = "") -> str:
    return f"sum by ({by}) (rate({metric.name}{suffix}[$__rate_interval]))"


def _percentile(metric: Definition, by: str = "") -> str:
    return f"histogram_quantile(0.99, {_rate(metric, f'{by}, le' if by else 'le', '_bucket')})"


def _graph(
    metric: Definition, title: str, unit: str, queries: Mapping[str, str], width: int = 8
) -> Panel:
    return Panel("timeseries", title, metric.question, unit, queries, width)


def _events(metric: Definition, title: str, by: str, width: int = 8) -> Panel:
    legend = " ".join(f"{{{{{label}}}}}" for label in by.split(", "))
    return _graph(metric, title, "ops", {legend: _rate(metric, by)}, width)


def _slowest(metric: Definition, title: str, by: str = "", width: int = 8) -> Panel:
    legend = f"{{{{{by}}}}}" if by else "p99"
    return _graph(metric, f"{title}, p99", "s", {legend: _percentile(metric, by)}, width)


_OUTPUTS: Final = "namespace, index_options, kind, output"
_PROBLEMS: Final = ", ".join(catalogue.PROBLEMS.labels)
_LOGINS: Final = ", ".join(catalogue.LOGIN_EXPIRY.labels)

ROWS: Final[tuple[tuple[str, tuple[Panel, ...]], ...]] = (
    (
        "What is served, until when",
        (
            Panel(
                "table", "Files, by the time left", catalogue.OUTPUT_EXPIRY.question, "s",
                {"": f"sort(min by ({_OUTPUTS}) ({_of(catalogue.OUTPUT_EXPIRY)} - time()))"},
                12, _SECONDS_LEFT,
            ),
            Panel(
                "table", "Files whose refresh is overdue", catalogue.OUTPUT_REFRESH.question, "s",
                {"": f"max by ({_OUTPUTS}) (time() - {_of(catalogue.OUTPUT_REFRESH)}) > 0"},
                12, _NONE_IS_GOOD,
            ),
            Panel(
                "table", "Logins, by the time left", catalogue.LOGIN_EXPIRY.question, "s",
                {"": f"sort(min by ({_LOGINS}) ({catalogue.LOGIN_EXPIRY.name} - time()))"},
                12, _SECONDS_LEFT,
            ),
            Panel(
                "table", "Logins whose refresh is overdue", catalogue.LOGIN_REFRESH.question, "s",
                {"": f"max by ({_LOGINS}) (time() - {catalogue.LOGIN_REFRESH.name}) > 0"},
                12, _NONE_IS_GOOD,
            ),
        ),
    ),
    (
        "What is blocked, or will be",
        (
            Panel(
                "table", "Objects with a problem", catalogue.PROBLEMS.question, "none",
                {"": f"max by ({_PROBLEMS}) ({_of(catalogue.PROBLEMS)})"},
                12,
            ),
            _graph(
                catalogue.OBJECTS, "Objects that are not Ready", "none",
                {"{{kind}} {{reason}}": "sum by (kind, reason) ("
                 + _of(catalogue.OBJECTS, 'ready!="True"') + ")"}, 6,
            ),
            _graph(
                catalogue.CONDITIONS, "Other conditions", "none",
                {"{{condition}} {{reason}}": "sum by (condition, reason) ("
                 + _of(catalogue.CONDITIONS) + ")"}, 6,
            ),
            _graph(
                catalogue.NAMESPACES, "Namespaces of a ClusterIndexOptions", "none",
                {"{{index_options}} {{state}}": "max by (index_options, state) ("
                 f"{catalogue.NAMESPACES.name})"}, 12,
            ),
        ),
    ),
    (
        "Refreshes and clouds",
        (
            _events(catalogue.MINTS, "Token requests, by result", "provider, result"),
            _slowest(catalogue.MINT_DURATION, "Duration of a login", "provider"),
            _slowest(catalogue.REFRESH_LATENESS, "Lateness of refreshes", "provider"),
            _events(catalogue.ENDPOINT_LOOKUPS, "Lookups of repository URLs, by result", "result"),
        ),
    ),
    (
        "Work",
        (
            _events(catalogue.RECONCILES, "Reconciles, by result", "kind, result"),
            _slowest(catalogue.RECONCILE_DURATION, "Duration of a reconcile", "kind"),
            _graph(
                catalogue.QUEUE_DEPTH, "Objects that wait for a worker", "none",
                {"objects": f"sum({catalogue.QUEUE_DEPTH.name})"}, 4,
            ),
            _graph(
                catalogue.QUEUE_AGE, "Longest wait for a worker", "s",
                {"wait": f"max({catalogue.QUEUE_AGE.name})"}, 4,
            ),
        ),
    ),
    (
        "API server",
        (
            _events(catalogue.API_REQUESTS, "Requests, by code", "code"),
            _events(catalogue.API_REQUESTS, "Requests, by resource", "verb, resource, subresource"),
            _slowest(catalogue.API_REQUEST_DURATION, "Duration of a request", "verb"),
        ),
    ),
    (
        "Process",
        (
            Panel(
                "stat", "Ready", catalogue.READY.question, "none",
                {"ready": f"min({catalogue.READY.name})"}, 4, _ONE_IS_GOOD,
            ),
            Panel(
                "stat", "Version", catalogue.BUILD_INFO.question, "none",
                {"{{version}}": f"max by (version) ({catalogue.BUILD_INFO.name})"}, 4,
            ),
            Panel(
                "stat", "Leaders", catalogue.LEADER.question, "none",
                {"leaders": f"sum({catalogue.LEADER.name})"}, 4, _ONE_IS_GOOD,
            ),
            Panel(
                "stat", "Changes of the leader in an hour", catalogue.LEADER_TRANSITIONS.question,
                "none",
                {
                    "{{event}}": "sum by (event) "
                    f"(increase({catalogue.LEADER_TRANSITIONS.name}[1h]))"
                },
                4,
            ),
            _slowest(catalogue.LOOP_LAG, "Event loop lag"),
            _graph(
                catalogue.CLOCK, "Clock, compared with Prometheus's", "s",
                {"ahead": f"max({catalogue.CLOCK.name} - timestamp({catalogue.CLOCK.name}))"},
            ),
        ),
    ),
)  # fmt: skip
"""Panels by the title of their row."""
