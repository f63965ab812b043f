"""Who asked the API server for what, from its audit log."""

import datetime
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Bodies stay out of the log: Secrets are among them.
POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "nonResourceURLs": ["/livez*", "/readyz*", "/healthz*", "/metrics"]},
        {"level": "Metadata", "verbs": ["watch"]},
        {"level": "Metadata", "omitStages": ["ResponseStarted"]},
    ],
}


@dataclass(frozen=True)
class AuditEvent:
    """One answered request. What a request has not (a name, a resource) is an empty string."""

    user: str
    verb: str
    """Lower case, as in RBAC: get, list, watch, create, update, patch, delete, deletecollection."""
    resource: str
    """The plural with its group, such as `secrets` or `deployments.apps`."""
    subresource: str
    namespace: str
    name: str
    code: int
    uri: str
    user_agent: str
    received_at: datetime.datetime
    answered_at: datetime.datetime


def service_account_user(namespace: str, service_account: str) -> str:
    """Return the user name under which a ServiceAccount's requests are authenticated."""
    return f"system:serviceaccount:{namespace}:{service_account}"


def read_events(
    path: Path, *, user: str | None, verbs: Collection[str], since: int
) -> list[AuditEvent]:
    """Return the answered requests of a log from a byte offset on, oldest first.

    `verbs` empty means all. A watch is there only once it ended.
    """
    with path.open("rb") as file:
        file.seek(since)
        # The last line may be half written.
        lines = file.read().rpartition(b"\n")[0].splitlines()
    # Most lines are another's, and tests poll: they are parsed only where they may be meant.
    named = json.dumps(user or "").encode()
    entries = (json.loads(line) for line in lines if user is None or named in line)
    return [_event(entry) for entry in entries if _is_meant(entry, user, verbs)]


def watched_by(path: Path, user: str) -> set[str]:
    """Return the plurals of what a user watches: the watch has begun, and has not ended."""
    begun: dict[str, str] = {}
    named = json.dumps(user).encode()
    for line in path.read_bytes().rpartition(b"\n")[0].splitlines():
        if b'"verb":"watch"' in line and named in line:
            entry = json.loads(line)
            if entry["stage"] == "ResponseStarted":
                begun[entry["auditID"]] = entry["objectRef"]["resource"]
            else:
                begun.pop(entry["auditID"], None)
    return set(begun.values())


def _is_meant(entry: dict[str, Any], user: str | None, verbs: Collection[str]) -> bool:
    return (
        bool(entry["stage"] == "ResponseComplete")
        and user in (None, entry["user"].get("username", ""))
        and (not verbs or entry["verb"] in verbs)
    )


def _event(entry: dict[str, Any]) -> AuditEvent:
    target = entry.get("objectRef", {})
    group = target.get("apiGroup", "")
    resource = target.get("resource", "")
    return AuditEvent(
        user=entry["user"].get("username", ""),
        verb=entry["verb"],
        resource=f"{resource}.{group}" if group else resource,
        subresource=target.get("subresource", ""),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=entry["responseStatus"]["code"],
        uri=entry["requestURI"],
        user_agent=entry.get("userAgent", ""),
        received_at=datetime.datetime.fromisoformat(entry["requestReceivedTimestamp"]),
        answered_at=datetime.datetime.fromisoformat(entry["stageTimestamp"]),
    )
