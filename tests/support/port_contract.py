"""What reconciling relies on, checked against any API server: the real one and the emulator.

Each check takes the port and a namespace of its own that exists; `CHECKS` lists them all.
"""

import base64
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import pytest

from artifact_index.kube.errors import ApiError
from artifact_index.kube.port import KubePort, Object
from artifact_index.kube.resources import (
    ARTIFACT_INDEXES,
    CONFIG_MAPS,
    EVENTS,
    INDEX_OPTIONS,
    SECRETS,
    Resource,
)

Check: TypeAlias = Callable[[KubePort, str], Awaitable[None]]

STRANGER_UID: Final = "00000000-0000-0000-0000-000000000000"
INDEX_SPEC: Final = {"anonymous": {"url": "https://index.example/simple/"}}


def secret(name: str, **data: str) -> Object:
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
    return {"metadata": {"name": name}, "type": "Opaque", "data": encoded}


def uid(body: Object) -> str:
    return str(body["metadata"]["uid"])


def version(body: Object) -> str:
    return str(body["metadata"]["resourceVersion"])


async def failure(request: Awaitable[Any]) -> tuple[int, str]:
    """Give status and reason of a request that has to fail."""
    with pytest.raises(ApiError) as caught:
        await request
    return caught.value.status, caught.value.reason


async def create_index(api: KubePort, namespace: str, name: str = "acme") -> Object:
    body = {"metadata": {"name": name}, "spec": INDEX_SPEC}
    return await api.create(ARTIFACT_INDEXES, namespace, body)


async def a_created_object_is_returned_and_read_back(api: KubePort, namespace: str) -> None:
    created = await api.create(SECRETS, namespace, secret("one", key="value"))
    assert (created["kind"], created["apiVersion"]) == ("Secret", "v1")
    assert created["metadata"]["namespace"] == namespace
    assert await api.get(SECRETS, namespace, "one") == created


async def a_taken_name_is_a_conflict(api: KubePort, namespace: str) -> None:
    await api.create(SECRETS, namespace, secret("one"))
    again = api.create(SECRETS, namespace, secret("one"))
    assert await failure(again) == (409, "AlreadyExists")


async def a_missing_namespace_is_not_found(api: KubePort, namespace: str) -> None:
    created = api.create(SECRETS, f"{namespace}-missing", secret("one"))
    assert await failure(created) == (404, "NotFound")


async def a_missing_object_is_not_found(api: KubePort, namespace: str) -> None:
    for request in (
        api.get(SECRETS, namespace, "none"),
        api.patch(SECRETS, namespace, "none", {"data": {"key": None}}),
        api.patch(SECRETS, namespace, "none", {"metadata": {"uid": STRANGER_UID}}),
        api.delete(SECRETS, namespace, "none", uid=STRANGER_UID, version=1),
        api.get(ARTIFACT_INDEXES, namespace, "none"),
        api.patch(ARTIFACT_INDEXES, namespace, "none", {"status": {}}, subresource="status"),
    ):
        assert await failure(request) == (404, "NotFound")


async def a_patch_for_another_uid_is_invalid(api: KubePort, namespace: str) -> None:
    await api.create(SECRETS, namespace, secret("one", key="value"))
    await create_index(api, namespace)
    stranger = {"metadata": {"uid": STRANGER_UID, "labels": {"a": "b"}}}
    for resource, name in ((SECRETS, "one"), (ARTIFACT_INDEXES, "acme")):
        request = api.patch(resource, namespace, name, stranger)
        assert await failure(request) == (422, "Invalid")


async def a_patch_of_a_stale_version_is_a_conflict(api: KubePort, namespace: str) -> None:
    stale = version(await api.create(SECRETS, namespace, secret("one", key="value")))
    await api.patch(SECRETS, namespace, "one", secret("one", key="other"))
    body = {"metadata": {"resourceVersion": stale}, "data": {"key": None}}
    assert await failure(api.patch(SECRETS, namespace, "one", body)) == (409, "Conflict")


async def a_patch_without_effect_keeps_the_version(api: KubePort, namespace: str) -> None:
    first = await api.create(SECRETS, namespace, secret("one", key="value"))
    body = secret("one", key="value")
    body["metadata"] = {"uid": uid(first), "labels": {"absent": None}}
    assert version(await api.patch(SECRETS, namespace, "one", body)) == version(first)


async def a_patch_changes_adds_and_removes_keys(api: KubePort, namespace: str) -> None:
    first = await api.create(SECRETS, namespace, secret("one", gone="x", kept="y", changed="z"))
    body = secret("one", changed="new", added="more")
    body["metadata"] = {"uid": uid(first)}
    body["data"]["gone"] = None
    patched = await api.patch(SECRETS, namespace, "one", body)
    assert patched["data"] == secret("", kept="y", changed="new", added="more")["data"]
    assert version(patched) != version(first)


async def string_data_ends_up_as_data(api: KubePort, namespace: str) -> None:
    body = {"metadata": {"name": "one"}, "stringData": {"key": "value"}}
    created = await api.create(SECRETS, namespace, body)
    assert created["data"] == secret("", key="value")["data"]
    assert "stringData" not in created


async def a_deletion_of_another_version_is_a_conflict(api: KubePort, namespace: str) -> None:
    created = await api.create(SECRETS, namespace, secret("one"))
    version = int(created["metadata"]["resourceVersion"])
    wrong = api.delete(SECRETS, namespace, "one", uid=STRANGER_UID, version=version)
    assert await failure(wrong) == (409, "Conflict")
    stale = api.delete(SECRETS, namespace, "one", uid=uid(created), version=version - 1)
    assert await failure(stale) == (409, "Conflict")
    await api.delete(SECRETS, namespace, "one", uid=uid(created), version=version)
    assert await failure(api.get(SECRETS, namespace, "one")) == (404, "NotFound")


async def a_config_map_keeps_its_text(api: KubePort, namespace: str) -> None:
    body = {"metadata": {"name": "public"}, "data": {"uv.toml": "a = 1\n"}}
    created = await api.create(CONFIG_MAPS, namespace, body)
    assert created["data"] == body["data"]


async def an_unusable_value_is_refused_without_being_quoted(api: KubePort, namespace: str) -> None:
    canary = "canary value, not base64!"
    await api.create(SECRETS, namespace, secret("one", key="value"))
    with pytest.raises(ApiError) as caught:
        await api.patch(SECRETS, namespace, "one", {"data": {"key": canary}})
    assert caught.value.invalid
    assert canary not in f"{caught.value!r} {caught.value} {caught.value.message}"
    assert secret("", key="value")["data"]["key"] not in caught.value.message


async def a_fresh_custom_object_has_the_status_default(api: KubePort, namespace: str) -> None:
    body = {"metadata": {"name": "acme"}, "spec": INDEX_SPEC, "status": {"url": "ignored"}}
    created = await api.create(ARTIFACT_INDEXES, namespace, body)
    assert created["status"] == {"observedGeneration": -1}
    assert created["metadata"]["generation"] == 1
    options = await api.create(INDEX_OPTIONS, namespace, {"metadata": {"name": "o"}, "spec": {}})
    assert options["status"]["observedGeneration"] == -1


async def the_status_is_written_apart_from_the_rest(api: KubePort, namespace: str) -> None:
    created = await create_index(api, namespace)
    body = {
        "metadata": {"uid": uid(created), "labels": {"not": "taken"}},
        "spec": {"anonymous": {"url": "https://other.example/simple/"}},
        "status": {"observedGeneration": 1, "url": "https://index.example/simple/"},
    }
    args = (ARTIFACT_INDEXES, namespace, "acme")
    written = await api.patch(*args, body, subresource="status")
    assert written["status"]["url"] == "https://index.example/simple/"
    assert written["spec"] == created["spec"]
    assert "labels" not in written["metadata"]
    assert written["metadata"]["generation"] == 1
    again = await api.patch(*args, body, subresource="status")
    assert version(again) == version(written)


async def only_the_spec_raises_the_generation(api: KubePort, namespace: str) -> None:
    await create_index(api, namespace)
    args = (ARTIFACT_INDEXES, namespace, "acme")
    labelled = await api.patch(*args, {"metadata": {"labels": {"a": "b"}}})
    assert labelled["metadata"]["generation"] == 1
    changed = await api.patch(*args, {"spec": {"priority": 7}})
    assert changed["metadata"]["generation"] == 2
    ignored = await api.patch(*args, {"status": {"observedGeneration": 9}})
    assert ignored["status"]["observedGeneration"] == -1
    assert version(ignored) == version(changed)


async def a_stale_version_in_a_status_is_a_conflict(api: KubePort, namespace: str) -> None:
    stale = version(await create_index(api, namespace))
    args = (ARTIFACT_INDEXES, namespace, "acme")
    await api.patch(*args, {"metadata": {"labels": {"a": "b"}}})
    body = {"metadata": {"resourceVersion": stale}, "status": {"observedGeneration": 1}}
    request = api.patch(*args, body, subresource="status")
    assert await failure(request) == (409, "Conflict")


async def a_status_for_another_uid_is_reported(api: KubePort, namespace: str) -> None:
    """The server itself does not look at the uid there; the port does, in the answer."""
    await create_index(api, namespace)
    body = {"metadata": {"uid": STRANGER_UID}, "status": {"observedGeneration": 1}}
    args = (ARTIFACT_INDEXES, namespace, "acme")
    request = api.patch(*args, body, subresource="status")
    assert await failure(request) == (409, "Conflict")


async def an_event_is_accepted(api: KubePort, namespace: str) -> None:
    about = {"kind": "ArtifactIndex", "namespace": namespace, "name": "acme"}
    body = {
        "metadata": {"generateName": "acme."},
        "involvedObject": about,
        "reason": "AccessDenied",
        "message": "m",
        "type": "Warning",
    }
    created = await api.create(EVENTS, namespace, body)
    assert created["metadata"]["name"].startswith("acme.")


async def listings_come_in_pages_in_order(api: KubePort, namespace: str) -> None:
    for number in range(5):
        await api.create(CONFIG_MAPS, namespace, {"metadata": {"name": f"page-{number}"}})
    pages = [page async for page in api.list(CONFIG_MAPS, namespace=namespace, page=2)]
    names = [[item["metadata"]["name"] for item in page.items] for page in pages]
    mine = [name for page in names for name in page if name.startswith("page-")]
    assert mine == [f"page-{number}" for number in range(5)]
    assert all(len(page) <= 2 for page in names)
    assert [page.first for page in pages] == [True] + [False] * (len(pages) - 1)
    assert len({page.resource_version for page in pages}) == 1


async def an_empty_listing_is_one_page(api: KubePort, namespace: str) -> None:
    for resource in (ARTIFACT_INDEXES, INDEX_OPTIONS, SECRETS):
        pages = [page async for page in api.list(resource, namespace=namespace)]
        assert [(page.items, page.first) for page in pages] == [((), True)]


async def listings_are_filtered_by_label(api: KubePort, namespace: str) -> None:
    for name, role in (("a", "source"), ("b", "output"), ("c", "")):
        body = secret(name)
        body["metadata"]["labels"] = {"artifactindex.dev/role": role} if role else {}
        await api.create(SECRETS, namespace, body)

    async def matching(selector: str) -> list[str]:
        pages = api.list(SECRETS, namespace=namespace, label_selector=selector)
        return [item["metadata"]["name"] async for page in pages for item in page.items]

    assert await matching("artifactindex.dev/role=source") == ["a"]
    assert await matching("artifactindex.dev/role in (source,output)") == ["a", "b"]
    assert await matching("artifactindex.dev/role") == ["a", "b"]
    assert await matching("artifactindex.dev/role!=source") == ["b", "c"]


async def a_listing_of_all_namespaces_holds_this_one(api: KubePort, namespace: str) -> None:
    await create_index(api, namespace)
    resource: Resource = ARTIFACT_INDEXES
    found = {uid(item) async for page in api.list(resource, page=1) for item in page.items}
    assert uid(await api.get(resource, namespace, "acme")) in found


async def the_writer_is_recorded_under_its_name(api: KubePort, namespace: str) -> None:
    await create_index(api, namespace)
    args = (ARTIFACT_INDEXES, namespace, "acme")
    body = {"status": {"observedGeneration": 1}}
    written = await api.patch(*args, body, subresource="status")
    managers = {
        (entry["manager"], entry["operation"], entry.get("subresource"))
        for entry in written["metadata"]["managedFields"]
    }
    name = "artifact-index-operator"
    assert managers == {(name, "Update", None), (name, "Update", "status")}


CHECKS: Final[tuple[Check, ...]] = (
    a_created_object_is_returned_and_read_back,
    a_taken_name_is_a_conflict,
    a_missing_namespace_is_not_found,
    a_missing_object_is_not_found,
    a_patch_for_another_uid_is_invalid,
    a_patch_of_a_stale_version_is_a_conflict,
    a_patch_without_effect_keeps_the_version,
    a_patch_changes_adds_and_removes_keys,
    string_data_ends_up_as_data,
    a_deletion_of_another_version_is_a_conflict,
    a_config_map_keeps_its_text,
    an_unusable_value_is_refused_without_being_quoted,
    a_fresh_custom_object_has_the_status_default,
    the_status_is_written_apart_from_the_rest,
    only_the_spec_raises_the_generation,
    a_stale_version_in_a_status_is_a_conflict,
    a_status_for_another_uid_is_reported,
    an_event_is_accepted,
    listings_come_in_pages_in_order,
    an_empty_listing_is_one_page,
    listings_are_filtered_by_label,
    a_listing_of_all_namespaces_holds_this_one,
    the_writer_is_recorded_under_its_name,
)
