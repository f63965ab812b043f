"""What may become an output: an Opaque Secret that consents, and nothing that others look after."""

import base64
import os
import re
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.control_plane import wait_until
from support.operator_process import REPOSITORY, OperatorProcess
from support.world import (
    PATIENCE,
    World,
    artifact_index,
    basic_auth,
    index_options,
    secret,
)

pytestmark = pytest.mark.cluster

ADOPT = "artifactindex.dev/adopt"
OPEN = artifact_index("open", name="open", anonymous={"url": "http://127.0.0.1:9/simple/"})
SERVICE_ACCOUNT_TOKEN = "kubernetes.io/service-account-token"
DOCKER_CONFIG = '{"auths": {"registry.example": {"auth": "Y2k6cHc="}}}'
# What the API server demands of each type.
TYPED: dict[str, dict[str, str]] = {
    "kubernetes.io/basic-auth": {"username": "ci", "password": "pw"},
    "kubernetes.io/tls": {"tls.crt": "", "tls.key": ""},
    "kubernetes.io/ssh-auth": {"ssh-privatekey": "x"},
    "bootstrap.kubernetes.io/token": {"token-id": "abcdef", "token-secret": "0123456789abcdef"},
    "kubernetes.io/dockerconfigjson": {".dockerconfigjson": DOCKER_CONFIG},
    "helm.sh/release.v1": {"release": "x"},
}


def handed_over(kind: str = "Secret", **body: Any) -> dict[str, Any]:
    """An object that asks to become the output of `uv-config`."""
    annotations = {ADOPT: "uv-config", **body.pop("annotations", {})}
    metadata = {"name": "uv-config", "annotations": annotations}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **body}


def refused(world: World, namespace: str, kind: str = "Secret") -> str:
    """Wait until the object is refused; returns the message."""
    outputs = [{"kind": kind, "name": "uv-config"}]
    world.apply(OPEN, index_options("uv-config", outputs=outputs), namespace=namespace)
    ready = world.wait_condition("indexoptions", namespace, "uv-config", reason="TargetUnusable")
    stalled = world.condition("indexoptions", namespace, "uv-config", "Stalled")
    assert stalled["status"] == "True"
    message: str = ready["message"]
    assert f"{kind} 'uv-config'" in message
    assert "delete it" in message and "spec.outputs" in message
    return message


@pytest.mark.parametrize("secret_type", TYPED)
def test_a_secret_of_another_type_is_not_adopted(
    world: World, operator: OperatorProcess, secret_type: str
) -> None:
    namespace = world.namespace(f"typed-{secret_type.replace('/', '-').replace('.', '-')}")
    world.apply(handed_over(type=secret_type, stringData=TYPED[secret_type]), namespace=namespace)
    before = world.get("secret", namespace, "uv-config")

    message = refused(world, namespace)

    assert f"{secret_type!r}" in message and "Opaque" in message
    assert world.get("secret", namespace, "uv-config") == before


def test_a_service_accounts_token_is_left_to_its_controller(
    world: World, operator: OperatorProcess
) -> None:
    """That controller is not run here: it would put back what it finds missing."""
    namespace = world.namespace("token-controller")
    body = handed_over(
        type=SERVICE_ACCOUNT_TOKEN,
        annotations={"kubernetes.io/service-account.name": "default"},
        stringData={"token": "x", "ca.crt": "x", "namespace": namespace},
    )
    world.apply(body, namespace=namespace)
    before = world.get("secret", namespace, "uv-config")

    assert SERVICE_ACCOUNT_TOKEN in refused(world, namespace)
    assert world.get("secret", namespace, "uv-config") == before
    # It comes to be served by what the message says.
    world.delete("secret", namespace, "uv-config")
    world.patch("indexoptions", namespace, "uv-config", {"spec": {"preferPrivate": False}})
    world.wait_condition("indexoptions", namespace, "uv-config", reason="Available")
    found = world.get("secret", namespace, "uv-config") or {}
    assert found["type"] == "Opaque" and list(found["data"]) == ["uv.toml"]


def test_a_secret_of_another_type_with_our_marks_is_not_written(
    world: World, operator: OperatorProcess
) -> None:
    """Our own output, deleted and made again by somebody else with its label and annotations."""
    namespace = world.namespace("typed-with-marks")
    world.apply(OPEN, index_options("uv-config"), namespace=namespace)
    world.wait_condition("indexoptions", namespace, "uv-config", reason="Available")
    ours = world.get("secret", namespace, "uv-config") or {}
    world.patch("indexoptions", namespace, "uv-config", {"spec": {"suspend": True}})
    world.wait_condition("indexoptions", namespace, "uv-config", reason="Suspended")
    world.delete("secret", namespace, "uv-config")
    wait_until(
        lambda: world.get("secret", namespace, "uv-config") is None, "the deletion", PATIENCE
    )
    metadata = {
        key: ours["metadata"][key] for key in ("name", "labels", "annotations", "ownerReferences")
    }
    forged = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata,
              "type": "kubernetes.io/basic-auth", "stringData": {"password": "pw"}}  # fmt: skip
    world.apply(forged, namespace=namespace)
    before = world.get("secret", namespace, "uv-config")

    world.patch("indexoptions", namespace, "uv-config", {"spec": {"suspend": False}})

    ready = world.wait_condition("indexoptions", namespace, "uv-config", reason="TargetUnusable")
    assert "kubernetes.io/basic-auth" in ready["message"]
    assert world.get("secret", namespace, "uv-config") == before


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
def test_an_immutable_object_is_not_adopted(
    world: World, operator: OperatorProcess, kind: str
) -> None:
    namespace = world.namespace(f"adopt-immutable-{kind.lower()}")
    data = {"uv.toml": "eA=="}
    world.apply(handed_over(kind, immutable=True, data=data), namespace=namespace)
    before = world.get(kind, namespace, "uv-config")

    assert "immutable" in refused(world, namespace, kind)
    assert world.get(kind, namespace, "uv-config") == before


def test_an_adoption_names_the_keys_that_it_removes(
    world: World, operator: OperatorProcess
) -> None:
    namespace = world.namespace("adoption-event")
    values = {"uv.toml": "a CronJob's", "old": "s3cret-value", "older": "s3cret-value"}
    world.apply(handed_over(stringData=values), namespace=namespace)
    world.apply(OPEN, index_options("uv-config"), namespace=namespace)
    world.wait_condition("indexoptions", namespace, "uv-config", reason="Available")

    world.wait_events(namespace, ("uv-config", "Adopted"))
    messages = [
        event["message"]
        for event in world.items("events", namespace)
        if event["reason"] == "Adopted"
    ]
    assert len(messages) == 1
    assert "Secret 'uv-config'" in messages[0] and "removed: old, older" in messages[0]
    assert "uv.toml" not in messages[0] and "s3cret" not in messages[0]


MIGRATION = (REPOSITORY / "docs" / "how-to" / "migrate.md").read_text()


def commands(heading: str, namespace: str) -> list[str]:
    """The blocks of commands of a section of the page on migration, for another namespace."""
    (section,) = re.findall(rf"^### {heading}\n(.*?)^###? ", MIGRATION, re.MULTILINE | re.DOTALL)
    blocks = re.findall(r"^( *)```sh\n(.*?)^ *```", section, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(text).replace("-n builders", f"-n {namespace}") for _, text in blocks]


def test_the_page_on_migration_hands_a_secret_over_and_back_without_a_gap(
    world: World, operator: OperatorProcess, tmp_path: Path
) -> None:
    namespace = world.namespace("migrated")
    (example,) = re.findall(r"```yaml\n(apiVersion: batch/v1.*?)```", MIGRATION, re.DOTALL)
    cron_job = yaml.safe_load(example.replace("namespace: builders", f"namespace: {namespace}"))
    written = secret("uv-config", {"uv.toml": "a CronJob's", "old": "x"}, labelled=False)
    world.apply(
        cron_job,
        written,
        secret("login", {"username": "ci", "password": "pw"}),
        artifact_index("acme", name="acme", basicAuth=basic_auth("https://x.example/", "login")),
        index_options("uv-config", outputs=[{"kind": "Secret", "name": "uv-config-next"}]),
        namespace=namespace,
    )
    (tmp_path / "kubectl").symlink_to(world.plane.binaries.kubectl)
    path = f"{tmp_path}:{os.environ['PATH']}"
    env = {"PATH": path, "KUBECONFIG": str(world.plane.kubeconfig_admin), "HOME": str(tmp_path)}

    def paste(script: str) -> str:
        done = subprocess.run(
            ["bash", "-eo", "pipefail"], input=script, env=env, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{script}\n{done.stderr}"
        return done.stdout

    wait, compare = commands("Switch by a second name", namespace)
    paste(wait)
    assert "//REDACTED@x.example/" in paste(compare)
    stop, hand_over, back = commands("Switch under the same name", namespace)
    paste(stop + hand_over)
    assert "//ci:pw@x.example/" in (world.uv_toml(namespace, "uv-config") or "")
    wait_until(
        lambda: world.get("secret", namespace, "uv-config-next") is None, "the other one", PATIENCE
    )
    served = world.uv_toml(namespace, "uv-config")
    paste(back)

    # The page's CronJob writes as ever, and nobody undoes it.
    job = "kubectl create secret generic uv-config --from-literal=uv.toml=again"
    paste(f"{job} --dry-run=client -o yaml | kubectl apply -n {namespace} -f -")
    versions = world.versions("secret", namespace, "uv-config")
    assert len({each["metadata"]["uid"] for each in versions}) == 1
    texts = [base64.b64decode(each["data"]["uv.toml"]).decode() for each in versions]
    assert list(dict.fromkeys(texts)) == ["a CronJob's", served, "again"]
