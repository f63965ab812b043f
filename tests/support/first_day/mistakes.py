"""The mistakes in mistakes.yaml as manifests."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from support.world import artifact_index, index_options, secret

NAMESPACE: Final = "first-day"
GOOGLE_KEY: Final = "GOOGLE_KEY"
"""Stands for a key file in the page; the stand-in makes one."""

Object = dict[str, Any]


@dataclass(frozen=True)
class Mistake:
    """One entry of mistakes.yaml, whose head says what each field is."""

    id: str
    title: str
    says: tuple[str, ...]
    secret: dict[str, str] | None = None
    existing: Object | None = None
    unlabelled: bool = False
    account: bool = False
    index: Object | None = None
    second: Object | None = None
    annotations: dict[str, str] = field(default_factory=dict)
    options: Object | None = None
    of: str = "artifactindex"
    condition: str = "Ready"
    event: str = ""
    refused: bool = False

    def manifests(self) -> list[Object]:
        """What the user applies, in this order."""
        found: list[Object] = []
        if self.secret is not None:
            found.append(secret(self.id, self.secret, labelled=not self.unlabelled))
        if self.existing is not None:
            found.append(self._existing(**self.existing))
        if self.account:
            head = {"apiVersion": "v1", "kind": "ServiceAccount"}
            found.append({**head, "metadata": {"name": self.id}})
        for name, spec in ((self.id, self.index), (f"{self.id}-2", self.second)):
            if spec is not None:
                body = artifact_index(name, labels={"file": self.id}, **spec)
                body["metadata"] |= {"annotations": self.annotations} if self.annotations else {}
                found.append(body)
        if self.options is not None:
            selector = {"indexSelector": {"matchLabels": {"file": self.id}}}
            found.append(index_options(self.id, **(selector | self.options)))
        return found

    def file(self) -> Object | None:
        """The IndexOptions of an ArtifactIndex for which the user has none yet."""
        if self.options is not None or self.refused:
            return None
        outputs = [{"kind": "Secret", "name": f"{self.id}-file"}]
        selector = {"matchLabels": {"file": self.id}}
        return index_options(f"{self.id}-file", indexSelector=selector, outputs=outputs)

    def _existing(self, *, adopt: bool = False, **body: Any) -> Object:
        annotations = {"annotations": {"artifactindex.dev/adopt": self.id}} if adopt else {}
        metadata = {"name": self.id, **annotations}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, **body}


def mistakes() -> list[Mistake]:
    """Every mistake, in the order of the page."""
    entries = yaml.safe_load(Path(__file__).with_name("mistakes.yaml").read_text())
    return [Mistake(**{**entry, "says": tuple(entry["says"])}) for entry in entries]
