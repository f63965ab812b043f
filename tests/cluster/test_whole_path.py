"""The main job on a real API server: two resources in, a uv.toml out that real uv installs from."""

from pathlib import Path

import pytest

from support.control_plane import wait_until
from support.operator_process import OperatorProcess
from support.uv_clients import VERSIONS, Uv
from support.wheels import make_wheel
from support.world import (
    PATIENCE,
    World,
    access_key_secret,
    artifact_index,
    code_artifact,
    index_options,
)

pytestmark = pytest.mark.cluster


def test_uv_installs_a_private_package_through_a_minted_token(
    world: World, operator: OperatorProcess, tmp_path: Path
) -> None:
    namespace = world.namespace("whole-path")
    principal = "arn:aws:iam::111122223333:user/whole-path"
    repository = world.index.add_repository(
        "pypi/whole-path", make_wheel("acme-lib", "1.0"), accepts=world.aws.is_valid
    )
    public = world.index.add_repository("public", make_wheel("acme-lib", "99.0"))
    world.apply(
        access_key_secret(world, "key", principal),
        artifact_index(
            "acme", name="acme", codeArtifact=code_artifact("key", repository="whole-path")
        ),
        index_options("uv-config", publicIndex={"url": public.url}),
        namespace=namespace,
    )
    world.wait_condition("indexoptions", namespace, "uv-config", reason="Available")
    world.wait_condition("artifactindex", namespace, "acme", reason="Available")

    text = world.uv_toml(namespace, "uv-config")
    assert text is not None
    run = Uv(VERSIONS[-1], tmp_path, https_proxy=world.index.netloc).install(text, "acme-lib")

    assert run.returncode == 0, run.output
    assert run.installed == {"acme-lib==1.0"}
    assert world.aws.mints("GetAuthorizationToken", principal=principal) == 1
    served = [
        request for request in world.index.requests("pypi/whole-path") if request.status == 200
    ]
    assert served
    assert all(item.username == "aws" for item in served)
    assert repository.url.removeprefix("http://") in text


def test_a_hand_edited_output_is_repaired(world: World, operator: OperatorProcess) -> None:
    namespace = world.namespace("repair")
    world.apply(
        artifact_index("open", name="open", anonymous={"url": "http://127.0.0.1:9/simple/"}),
        index_options("uv-config"),
        namespace=namespace,
    )
    world.wait_condition("indexoptions", namespace, "uv-config", reason="Available")
    before = world.uv_toml(namespace, "uv-config")

    patch = '{"stringData": {"uv.toml": "broken", "stray": "x"}}'
    world.plane.kubectl("patch", "secret", "uv-config", "-n", namespace, "-p", patch)

    def repaired() -> bool:
        found = world.get("secret", namespace, "uv-config") or {}
        return list(found["data"]) == ["uv.toml"]

    wait_until(repaired, "the output to be repaired", PATIENCE)
    assert world.uv_toml(namespace, "uv-config") == before
