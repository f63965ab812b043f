"""A case of what the API accepts or refuses: a base object with some fields changed."""

import copy
from dataclasses import dataclass, field
from typing import Any

from artifact_index.api.constants import API_VERSION
from support import api_cluster_cases as clusters
from support import api_login_cases as logins

INDEX, OPTIONS = "ArtifactIndex", "IndexOptions"


class _Removed:
    def __repr__(self) -> str:
        return "removed"


REMOVED = _Removed()
"""A value that says: take the field away."""

URL = "https://pypi.acme.example/simple/"
BASES: dict[str, tuple[str, dict[str, Any]]] = {
    "code-artifact": (
        INDEX,
        {
            "codeArtifact": {
                "domain": "acme",
                "domainOwner": "111122223333",
                "region": "eu-west-1",
                "repository": "python",
                "auth": {"secretRef": {"name": "aws"}},
            }
        },
    ),
    "google": (
        INDEX,
        {
            "googleArtifactRegistry": {
                "project": "acme-build",
                "location": "europe-west1",
                "repository": "python",
                "auth": {"secretRef": {"name": "google"}},
            }
        },
    ),
    **{name: (INDEX, spec) for name, spec in logins.SPECS.items()},
    **clusters.SPECS,
    "preauthenticated": (INDEX, {"preauthenticated": {"urlSecretRef": {"name": "url"}}}),
    "basic": (INDEX, {"basicAuth": {"url": URL, "secretRef": {"name": "login"}}}),
    "anonymous": (INDEX, {"anonymous": {"url": URL}}),
    "options": (
        OPTIONS,
        {
            "indexSelector": {
                "matchLabels": {"env": "prod"},
                "matchExpressions": [{"key": "team", "operator": "In", "values": ["a"]}],
            },
            "publicIndex": {},
            "outputs": [{"kind": "Secret", "name": "uv-config"}],
        },
    ),
}


@dataclass(frozen=True)
class Case:
    """A base object with some fields changed; refused ones say where and what the answer says."""

    title: str
    base: str
    changes: dict[str, Any] = field(default_factory=dict)
    refused_at: str = ""
    says: str = ""

    def __str__(self) -> str:
        return self.title[:100]

    @property
    def kind(self) -> str:
        return BASES[self.base][0]

    @property
    def spec(self) -> dict[str, Any]:
        spec = copy.deepcopy(BASES[self.base][1])
        for path, value in self.changes.items():
            _change(spec, path, value)
        return spec

    def document(self, name: str) -> dict[str, Any]:
        return {
            "apiVersion": API_VERSION,
            "kind": self.kind,
            "metadata": {"name": name},
            "spec": self.spec,
        }


def _change(spec: dict[str, Any], path: str, value: Any) -> None:
    """Set `a.b[0].c`, creating objects on the way, or take it away."""
    steps = path.replace("[", ".").replace("]", "").split(".")
    *parents, last = [int(step) if step.isdigit() else step for step in steps]
    here: Any = spec
    for step in parents:
        here = here.setdefault(step, {}) if isinstance(here, dict) else here[step]
    if value is REMOVED:
        del here[last]
    else:
        here[last] = value
