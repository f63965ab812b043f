"""Whether custom kinds can be used yet."""

from support.control_plane.admin_api import AdminApi

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def crd_names(api: AdminApi) -> set[str]:
    """Return the names of all CustomResourceDefinitions."""
    return {item["metadata"]["name"] for item in api.get(DEFINITIONS)["items"]}


def is_served(api: AdminApi, crd: str) -> bool:
    """Tell whether a CRD is established and each served version can be discovered and listed.

    Right after its creation a LIST answers 404 or 429 for a moment.
    """
    definition = api.get(f"{DEFINITIONS}/{crd}")
    # Go writes an empty list as null.
    conditions = definition.get("status", {}).get("conditions") or []
    if not any(each["type"] == "Established" and each["status"] == "True" for each in conditions):
        return False
    spec = definition["spec"]
    plural = spec["names"]["plural"]
    roots = [f"/apis/{spec['group']}/{each['name']}" for each in spec["versions"] if each["served"]]
    return all(
        api.answers_ok(f"{root}/{plural}?limit=1") and _is_discoverable(api, root, plural)
        for root in roots
    )


def _is_discoverable(api: AdminApi, root: str, plural: str) -> bool:
    if not api.answers_ok(root):
        return False
    return plural in {resource["name"] for resource in api.get(root)["resources"]}
