"""The API server for a person, with what the operator never asks it."""

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final

from artifact_index.api.constants import GROUP
from artifact_index.formats.urls import without_userinfo
from artifact_index.kube.client import KubeApi, object_in
from artifact_index.kube.errors import ApiError, error_from_response
from artifact_index.kube.port import Object
from artifact_index.kube.resources import Resource

_REVIEWS: Final = "authorization.k8s.io"
_SELF: Final = Resource(
    _REVIEWS, "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False
)
_OF_OTHERS: Final = Resource(
    _REVIEWS, "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False
)
_JSON: Final = "application/json"
_METADATA_ONLY: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


@dataclass(frozen=True, slots=True)
class Server:
    """The API server's version such as `v1.34.4`, and by how many seconds its clock is ahead."""

    version: str
    ahead: float | None


class CallerApi(KubeApi):
    """The API server for a person: their changes are not recorded as the operator's."""

    field_manager = "artifact-index"
    flags: str = ""
    """The flags by which the caller chose the cluster, for the commands that messages name."""

    async def server(self) -> Server:
        """Which version the API server has, and how its clock differs. Raises ApiError."""
        before = time.time()
        answer, content = await self._exchange("GET", "/version", None, None)
        now = (before + time.time()) / 2
        try:
            ahead = parsedate_to_datetime(answer.headers["Date"]).timestamp() - now
        except (KeyError, ValueError):
            ahead = None
        found = object_in(answer, content or b"", sensitive=True)
        return Server(str(found.get("gitVersion", "")), ahead)

    def cluster_entry(self) -> dict[str, Any]:
        """The server as a kubeconfig names it, without anything of the caller's login."""
        configuration = self._configuration
        entry: dict[str, Any] = {"server": configuration.host}
        if configuration.ssl_ca_cert:
            content = Path(configuration.ssl_ca_cert).read_bytes()
            entry["certificate-authority-data"] = base64.b64encode(content).decode()
        if configuration.tls_server_name:
            entry["tls-server-name"] = configuration.tls_server_name
        if not configuration.verify_ssl:
            entry["insecure-skip-tls-verify"] = True
        if (proxy := getattr(configuration, "proxy_url", None)) is not None:
            # A login to the proxy is the caller's own, too.
            entry["proxy-url"] = without_userinfo(proxy)
        return entry

    async def served_versions(self) -> list[str]:
        """The versions of our API that the server has; none without our definitions."""
        try:
            group = await self._document(f"/apis/{GROUP}")
        except ApiError as error:
            if error.not_found:
                return []
            raise
        return [str(each["groupVersion"]) for each in group.get("versions") or ()]

    async def text(self, path: str) -> str:
        """What the server answers to a path that is no object: a log, or a pod's own page."""
        answer, content = await self._exchange("GET", path, None, None, "*/*")
        content = content or b""
        if answer.status >= 400:
            raise error_from_response(
                answer.status, answer.reason or "", answer.headers, content, sensitive=True
            )
        return content.decode(errors="replace")

    async def metadata(self, resource: Resource, namespace: str, name: str) -> Object:
        """The metadata of an object: the values of a Secret never leave the server."""
        path = resource.object_path(namespace, name)
        found = (await self._document(path, _METADATA_ONLY)).get("metadata")
        return found if isinstance(found, dict) else {}

    async def may(self, attributes: Mapping[str, str], account: str | None = None) -> bool:
        """Whether RBAC allows a request; `account` is `NAMESPACE/NAME`, None for the caller.

        `attributes` are `resourceAttributes` of a review. Raises ApiError.
        """
        spec: dict[str, Any] = {"resourceAttributes": dict(attributes)}
        if account is not None:
            namespace, _, name = account.partition("/")
            spec["user"] = f"system:serviceaccount:{namespace}:{name}"
            everyone = "system:serviceaccounts"
            spec["groups"] = [everyone, f"{everyone}:{namespace}", "system:authenticated"]
        review = await self.create(_SELF if account is None else _OF_OTHERS, "", {"spec": spec})
        return bool((review.get("status") or {}).get("allowed"))

    async def _document(self, path: str, accept: str = _JSON) -> Object:
        answer, content = await self._exchange("GET", path, None, None, accept)
        return object_in(answer, content or b"", sensitive=True)
