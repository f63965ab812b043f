"""What `preflight` reviews is what the chart grants."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from artifact_index.cli.admin.permissions import (
    CLUSTER_KINDS,
    OWN_KEY,
    SERVED,
    Rule,
    account_rules,
    lease_rules,
    permissions,
)
from artifact_index.cli.cluster.operators import lease_name

pytestmark = pytest.mark.unit

GOLDENS = Path(__file__).parents[2] / "golden" / "chart"
NAME = "artifact-index-operator"


def granted(rendering: str, kind: str, name: str, namespace: str | None) -> set[Any]:
    """The rules of a role in a rendering of the chart, taken apart."""
    documents = yaml.safe_load_all((GOLDENS / f"{rendering}.rendered.yaml").read_text())
    (rules,) = [
        each["rules"]
        for each in documents
        if each and each["kind"] == kind and each["metadata"]["name"].endswith(name)
        if each["metadata"].get("namespace") == namespace
    ]
    return {
        each
        for rule in rules
        for group in rule["apiGroups"]
        for each in permissions(
            [Rule(group, tuple(rule["resources"]), tuple(rule["verbs"]),
                  tuple(rule.get("resourceNames", ())))],
            namespace or "",
        )
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rendering", "kind", "name", "namespace", "rules"),
    [
        ("default", "ClusterRole", NAME, None, (*SERVED, *CLUSTER_KINDS)),
        ("namespaced", "Role", NAME, "team-a", SERVED),
        ("namespaced", "Role", f"{NAME}-key", "artifact-index-system", OWN_KEY),
        (
            "default", "Role", f"{NAME}-election", "artifact-index-system",
            lease_rules(lease_name("", ())),
        ),
        (
            "namespaced", "Role", f"{NAME}-election", "artifact-index-system",
            lease_rules(lease_name("", ("team-a", "team-b"))),
        ),
        (
            "tokens-listed", "Role", f"{NAME}-tokens", "builders",
            account_rules(["builder", "publisher"]),
        ),
    ],
)  # fmt: skip
def test_preflight_reviews_what_the_chart_grants(
    rendering: str, kind: str, name: str, namespace: str | None, rules: tuple[Rule, ...]
) -> None:
    assert granted(rendering, kind, name, namespace) == set(permissions(rules, namespace or ""))
