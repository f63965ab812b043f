"""The discovery documents."""

from typing import Any

from support.emulator.kinds import Kind

VERSION = {"major": "1", "minor": "34", "gitVersion": "v1.34.4", "platform": "linux/amd64"}
_VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


def document(path: tuple[str, ...], kinds: tuple[Kind, ...]) -> dict[str, Any] | None:
    """Give the document at a path (its segments), or None where there is none."""
    match path:
        case ("version",):
            return VERSION
        case ("api",):
            return {"kind": "APIVersions", "versions": ["v1"]}
        case ("apis",):
            groups = {kind.group: kind for kind in kinds if kind.group}
            listed = [_group(kind) for kind in groups.values()]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
        case ("apis", group):
            found = next((kind for kind in kinds if kind.group == group), None)
            if found is None:
                return None
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(found)}
        case ("api", version):
            return _resources("", version, kinds)
        case ("apis", group, version):
            return _resources(group, version, kinds)
    return None


def _group(kind: Kind) -> dict[str, Any]:
    version = {"groupVersion": kind.api_version, "version": kind.version}
    return {"name": kind.group, "versions": [version], "preferredVersion": version}


def _resources(group: str, version: str, kinds: tuple[Kind, ...]) -> dict[str, Any] | None:
    of_version = [kind for kind in kinds if (kind.group, kind.version) == (group, version)]
    if not of_version:
        return None
    resources = []
    for kind in of_version:
        entry = {"namespaced": kind.namespaced, "kind": kind.kind}
        names = {"shortNames": list(kind.short_names), "categories": list(kind.categories)}
        resources.append(
            {"name": kind.plural, "singularName": kind.kind.lower(), **entry, "verbs": _VERBS}
            | {key: value for key, value in names.items() if value}
        )
        if kind.has_status:
            name = f"{kind.plural}/status"
            verbs = ["get", "patch", "update"]
            resources.append({"name": name, "singularName": "", **entry, "verbs": verbs})
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": of_version[0].api_version,
        "resources": resources,
    }
