"""A namespace `builders` as the how-to pages have it, served by an operator that Helm installed."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from support.clouds import AwsStandIn
from support.control_plane import ControlPlane, wait_until
from support.doc_blocks import Terminal
from support.operator_process import OperatorProcess
from support.world import PATIENCE, artifact_index, code_artifact, index_options, secret

BUILDERS: Final = "builders"
CUSTOM: Final = f"/apis/artifactindex.dev/v1alpha1/namespaces/{BUILDERS}"
CORE: Final = f"/api/v1/namespaces/{BUILDERS}"
AWS_KEYS: Final = ("codeartifact-access-key", "acme-key")
_PATHS: Final = {
    "ArtifactIndex": f"{CUSTOM}/artifactindexes",
    "IndexOptions": f"{CUSTOM}/indexoptions",
    "Secret": f"{CORE}/secrets",
    "Pod": f"{CORE}/pods",
}
PROD: Final = {"env": "prod"}
UV_CONFIG: Final = index_options("uv-config", indexSelector={"matchLabels": PROD})


class Builders:
    """The objects that the pages name: a file `uv-config`, its indexes, and their logins."""

    def __init__(self, plane: ControlPlane, aws: AwsStandIn, operator: OperatorProcess) -> None:
        self.plane = plane
        self.operator = operator
        self.aws = aws

    def prepare(self) -> None:
        """Create the objects, with good logins, and wait until the file is served."""
        for name in AWS_KEYS:
            self.create(secret(name, self.new_key()))
        self.create(acme("acme"), acme("acme-codeartifact"), UV_CONFIG)
        self.wait("indexoptions", "uv-config", "Ready", "Available")

    def new_key(self) -> dict[str, str]:
        """An access key that the cloud knows, as a Secret's values."""
        key = self.aws.add_access_key(principal="arn:aws:iam::111122223333:user/reader")
        return {
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        }

    def rotate(self) -> None:
        """New keys in all Secrets: one login is refreshed at most once a minute."""
        for name in AWS_KEYS:
            self.set_key(name, self.new_key())

    def set_key(self, name: str, values: Mapping[str, str]) -> None:
        """Replace the values of a Secret."""
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        self.plane.write("PATCH", f"{CORE}/secrets/{name}", {"data": data})

    def create(self, *objects: dict[str, Any]) -> None:
        """Create objects in the namespace."""
        for body in objects:
            self.plane.write("POST", _PATHS[body["kind"]], body)

    def patch(self, kind: str, name: str, spec: dict[str, Any]) -> None:
        """Change a spec."""
        self.plane.write("PATCH", f"{CUSTOM}/{kind}/{name}", {"spec": spec})

    def wait(self, kind: str, name: str, condition: str, reason: str) -> None:
        """Wait until a condition is there with this reason."""

        def reached() -> bool:
            found = self.plane.read(f"{CUSTOM}/{kind}/{name}") or {}
            conditions = found.get("status", {}).get("conditions", [])
            return any((each["type"], each["reason"]) == (condition, reason) for each in conditions)

        wait_until(reached, f"{kind}/{name} {condition} {reason}", PATIENCE)

    def file(self) -> dict[str, str]:
        """The keys and values of the Secret with the file."""
        found = self.plane.read(f"{CORE}/secrets/uv-config")
        assert found is not None
        return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}


def acme(name: str) -> dict[str, Any]:
    """The index of this name, of AWS; each has a Secret of its own."""
    key = "acme-key" if name == "acme" else AWS_KEYS[0]
    source = code_artifact(key, domain=name)
    return artifact_index(name, labels=PROD, name=name, codeArtifact=source)


def build_pod() -> dict[str, Any]:
    """A pod `build` with the file mounted by subPath, as it should not be."""
    mount = {"name": "uv", "mountPath": "/etc/uv/uv.toml", "subPath": "uv.toml"}
    container = {"name": "build", "image": "builder", "volumeMounts": [mount]}
    volume = {"name": "uv", "secret": {"secretName": "uv-config"}}
    spec = {"containers": [container], "volumes": [volume]}
    return {"kind": "Pod", "metadata": {"name": "build"}, "spec": spec}


def deploy(terminal: Terminal) -> None:
    """Folders of the reader's own: `deploy`, which is also `apps`, and `overlays`."""
    folder = terminal.folder / "deploy"
    folder.mkdir()
    objects = {
        "acme.yaml": acme("acme"),
        "acme-codeartifact.yaml": acme("acme-codeartifact"),
        "uv-config.yaml": UV_CONFIG,
    }
    for name, body in objects.items():
        metadata = {**body["metadata"], "namespace": BUILDERS}
        (folder / name).write_text(json.dumps({**body, "metadata": metadata}))
    (folder / "kustomization.yaml").write_text(json.dumps({"resources": sorted(objects)}))
    (terminal.folder / "apps").symlink_to(folder)
    for name in ("base", "overlays"):
        (terminal.folder / name).symlink_to(terminal.folder / "examples/gitops/kustomize" / name)
