"""What the API accepts and refuses of the kinds of cluster scope, and of label selectors."""

from typing import Any, Final

CLUSTER_INDEX, CLUSTER_OPTIONS = "ClusterArtifactIndex", "ClusterIndexOptions"
URL: Final = "https://pypi.acme.example/simple/"

ONE_CONSENT: Final = "must set exactly one of `selector` and `names`"
BAD_NAMESPACE: Final = "must be the name of a namespace"
VALUES: Final = "must have `values` with operator In or NotIn"
LABEL_KEY: Final = "a" * 253 + "/" + "b" * 63


def selector() -> dict[str, Any]:
    """A selector with each kind of requirement."""
    expression = {"key": "team", "operator": "In", "values": ["a"]}
    return {"matchLabels": {"env": "prod"}, "matchExpressions": [expression]}


SPECS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "cluster-index": (
        CLUSTER_INDEX,
        {"anonymous": {"url": URL}, "namespaces": {"selector": selector()}},
    ),
    "cluster-names": (
        CLUSTER_INDEX,
        {"anonymous": {"url": URL}, "namespaces": {"names": ["team-a"]}},
    ),
    "cluster-options": (CLUSTER_OPTIONS, {"namespaceSelector": selector()}),
    "options-of-cluster": ("IndexOptions", {"clusterIndexSelector": selector()}),
}
SELECTORS: Final = (
    ("options", "indexSelector"),
    ("options-of-cluster", "clusterIndexSelector"),
    ("cluster-options", "namespaceSelector"),
    ("cluster-index", "namespaces.selector"),
)
"""Base and path of each label selector; that of `indexSelector` is the same in both kinds."""


def _labels(count: int) -> dict[str, str]:
    return {f"label-{number}": "x" for number in range(count)}


def _requirements(count: int) -> list[dict[str, Any]]:
    return [{"key": f"key-{number}", "operator": "Exists"} for number in range(count)]


def _words(count: int) -> list[str]:
    return [f"value-{number}" for number in range(count)]


LONGEST: Final[dict[tuple[str, str], str]] = {("cluster-names", "namespaces.names[0]"): "a" * 63}
BROKEN_STRINGS: Final[dict[str, list[tuple[str, str]]]] = {
    "namespaces.names[0]": [("Team", BAD_NAMESPACE), ("a.b", BAD_NAMESPACE), ("", BAD_NAMESPACE)],
}
SIZES: Final[dict[tuple[str, str], tuple[Any, Any, str]]] = {
    ("cluster-names", "namespaces.names"): (
        [f"team-{number}" for number in range(256)],
        [f"team-{number}" for number in range(257)],
        "Too many: 257: must have at most 256 items",
    ),
}
ENUMS: Final[dict[tuple[str, str], tuple[str, ...]]] = {}
REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "cluster-names": ("namespaces",),
    "cluster-options": ("namespaceSelector",),
}
REFUSED: Final[list[tuple[str, dict[str, Any], str, str]]] = [
    ("cluster-names", {"namespaces": {}}, "namespaces", ONE_CONSENT),
    (
        "cluster-names",
        {"namespaces": {"names": ["a"], "selector": {}}},
        "namespaces",
        ONE_CONSENT,
    ),
    ("cluster-names", {"namespaces": {"names": []}}, "namespaces.names", "at least 1 items"),
    (
        "cluster-names",
        {"namespaces": {"names": ["a", "a"]}},
        "namespaces.names",
        "Duplicate value",
    ),
]
ACCEPTED: Final[list[tuple[str, dict[str, Any]]]] = [
    ("cluster-index", {"namespaces": {"selector": {}}}),
    ("cluster-options", {"namespaceSelector": {}}),
    ("options-of-cluster", {"clusterIndexSelector": {}}),
]

for _base, _path in SELECTORS:
    _expression = f"{_path}.matchExpressions[0]"
    LONGEST.update(
        {
            (_base, f"{_path}.matchLabels.env"): "a" * 63,
            (_base, f"{_expression}.key"): LABEL_KEY,
            (_base, f"{_expression}.values[0]"): "a" * 63,
        }
    )
    BROKEN_STRINGS.update(
        {
            f"{_path}.matchLabels.env": [("-prod", "must be a label value")],
            f"{_expression}.key": [("a/b/c", "must be a label key")],
            f"{_expression}.values[0]": [("a b", "must be a label value")],
        }
    )
    SIZES.update(
        {
            (_base, f"{_path}.matchLabels"): (
                _labels(16),
                _labels(17),
                "Too many: 17: must have at most 16 items",
            ),
            (_base, f"{_path}.matchExpressions"): (
                _requirements(16),
                _requirements(17),
                "Too many: 17: must have at most 16 items",
            ),
            (_base, f"{_expression}.values"): (
                _words(64),
                _words(65),
                "Too many: 65: must have at most 64 items",
            ),
        }
    )
    ENUMS[_base, f"{_expression}.operator"] = ("In", "NotIn")
    REQUIRED[_base] = (
        *REQUIRED.get(_base, ()), f"{_expression}.key", f"{_expression}.operator"
    )  # fmt: skip
    REFUSED.extend(
        [
            (
                _base,
                {f"{_expression}.values": ["a", "a"]},
                f"{_expression}.values",
                "Duplicate value",
            ),
            (_base, {f"{_expression}.operator": "DoesNotExist"}, _expression, VALUES),
            (_base, {f"{_expression}.operator": "Exists"}, _expression, VALUES),
            (
                _base,
                {f"{_path}.matchLabels": {"a b": "x"}},
                f"{_path}.matchLabels",
                "keys must be a label key",
            ),
            (
                _base,
                {f"{_path}.matchLabels": {LABEL_KEY + "b": "x"}},
                f"{_path}.matchLabels",
                "must have keys of at most 317 characters",
            ),
        ]
    )
