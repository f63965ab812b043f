"""The Lease by which an operator's replicas elect their leader, as a person sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from artifact_index.cli.cluster.caller_api import CallerApi
from artifact_index.cli.cluster.operators import Operator
from artifact_index.election.candidate import Record
from artifact_index.election.client import LEASES
from artifact_index.kube.errors import ApiError

_SKEW: Final = 30.0
"""Seconds by which the caller's clock may be ahead of the holder's: a dead holder counts as the
leader for so much longer."""


@dataclass(frozen=True, slots=True)
class ObservedLease:
    """`namespace/name`, and its spec; empty where there is no Lease."""

    where: str
    spec: Mapping[str, Any]

    def leader(self, now: float) -> str:
        """The pod that leads at a time, in POSIX seconds; empty if none does."""
        record = Record({"spec": self.spec})
        runs_out_at = (record.renewed_at or 0.0) + record.duration + _SKEW
        return record.holder.rpartition("_")[0] or record.holder if runs_out_at > now else ""

    @property
    def text(self) -> str:
        """All that it says, on one line."""
        fields = " ".join(f"{name}={value}" for name, value in sorted(self.spec.items()))
        return f"{self.where}: {fields or 'there is none'}"


async def lease_of(api: CallerApi, operator: Operator) -> ObservedLease:
    """The Lease of an operator that elects. Raises ApiError."""
    namespace, name = operator.own_namespace, operator.lease
    try:
        found = await api.get(LEASES, namespace, name)
    except ApiError as error:
        if not error.not_found:
            raise
        found = {}
    return ObservedLease(f"{namespace}/{name}", found.get("spec") or {})
