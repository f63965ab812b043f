"""The Grafana dashboard of the chart, from the catalogue of metrics."""

import json
from collections.abc import Sequence
from typing import Any, Final

from tools.monitoring.panels import ROWS, Panel

UID: Final = "artifact-index-operator"
_WIDTH: Final = 24
_HEIGHT: Final = 8
_DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


def dashboard() -> str:
    """The dashboard as JSON; the same text each time."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS:
        panels.append(_row(len(panels) + 1, title, top))
        top += 1
        panels += _placed(row, first_id=len(panels) + 1, top=top)
        top += _HEIGHT * -(-sum(panel.width for panel in row) // _WIDTH)
    content = {
        "uid": UID,
        "title": "Artifact Index Operator",
        "description": "What is served until when, what is blocked, and how the operator does.",
        "tags": ["artifact-index", "kubernetes"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": []},
        "links": [],
        "templating": {"list": [_datasource_variable(), _namespace_variable()]},
        "panels": panels,
    }
    return json.dumps(content, indent=2) + "\n"


def _placed(row: Sequence[Panel], *, first_id: int, top: int) -> list[dict[str, Any]]:
    """Panels side by side, in as many lines as they need."""
    placed, left = [], 0
    for number, panel in enumerate(row, first_id):
        x, line = left % _WIDTH, left // _WIDTH
        position = {"x": x, "y": top + line * _HEIGHT, "w": panel.width, "h": _HEIGHT}
        placed.append(_panel(number, panel, position))
        left += panel.width
    return placed


def _panel(number: int, panel: Panel, position: dict[str, int]) -> dict[str, Any]:
    table = panel.type == "table"
    targets = [
        {
            "refId": chr(ord("A") + place),
            "datasource": _DATASOURCE,
            "expr": expr,
            "legendFormat": legend,
            "instant": table,
            "range": not table,
            **({"format": "table"} if table else {}),
        }
        for place, (legend, expr) in enumerate(panel.queries.items())
    ]
    return {
        "id": number,
        "type": panel.type,
        "title": panel.title,
        "description": panel.description,
        "datasource": _DATASOURCE,
        "gridPos": position,
        "targets": targets,
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _OPTIONS[panel.type],
        **({"transformations": _ONE_VALUE_COLUMN} if table else {}),
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    steps = [{"color": color, "value": value} for value, color in panel.steps]
    thresholds = {"mode": "absolute", "steps": steps}
    if panel.type == "table":
        # Only the value has a unit; labels stay text.
        cell = {"type": "color-text"}
        custom = {"align": "auto", "cellOptions": cell, "inspect": False}
        return {"unit": panel.unit, "thresholds": thresholds, "custom": custom}
    return {"unit": panel.unit, "thresholds": thresholds}


# With the defaults of everything that Grafana's schema requires.
_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "stat": {
        "reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "area",
        "justifyMode": "auto", "orientation": "auto", "percentChangeColorMode": "standard",
        "showPercentChange": False, "textMode": "auto", "wideLayout": True,
    },
    "table": {
        "frameIndex": 0, "showHeader": True, "sortBy": [{"displayName": "Value", "desc": False}],
    },
    "timeseries": {
        "legend": {
            "calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True,
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
}  # fmt: skip
_ONE_VALUE_COLUMN: Final = [{"id": "organize", "options": {"excludeByName": {"Time": True}}}]


def _row(number: int, title: str, top: int) -> dict[str, Any]:
    position = {"x": 0, "y": top, "w": _WIDTH, "h": 1}
    return {
        "id": number, "type": "row", "title": title, "gridPos": position, "collapsed": False,
        "panels": [],
    }  # fmt: skip


def _datasource_variable() -> dict[str, Any]:
    return {
        "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
        "current": {"text": "default", "value": "default"}, "hide": 0, "refresh": 1,
    }  # fmt: skip


def _namespace_variable() -> dict[str, Any]:
    query = "label_values(artifact_index_objects, namespace)"
    return {
        "name": "namespace", "label": "Namespace", "type": "query", "datasource": _DATASOURCE,
        "query": {"query": query, "refId": "namespace"},
        "includeAll": True, "allValue": ".*", "multi": True,
        "current": {"text": ["All"], "value": ["$__all"]}, "hide": 0, "refresh": 2, "sort": 1,
    }  # fmt: skip
