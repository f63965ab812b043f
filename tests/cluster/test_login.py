"""The operator reaches the API server by every kubeconfig that its own client understands."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.control_plane import wait_until
from support.operator_process import OperatorProcess
from support.world import World, artifact_index, index_options

pytestmark = pytest.mark.cluster

PLUGIN = """\
import json, pathlib, sys
status = {"token": pathlib.Path(sys.argv[1]).read_text()}
version = "client.authentication.k8s.io/v1"
print(json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status}))
"""


def with_login_program(kubeconfig: Path, folder: Path) -> Path:
    """The kubeconfig with its token behind a program, as managed clusters hand it out."""
    content = json.loads(kubeconfig.read_text())
    (folder / "token").write_text(content["users"][0]["user"]["token"])
    (folder / "plugin.py").write_text(PLUGIN)
    content["users"][0]["user"] = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": [str(folder / "plugin.py"), str(folder / "token")],
            "interactiveMode": "Never",
        }
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(content))
    return path


def with_token_file(kubeconfig: Path, folder: Path) -> Path:
    """The kubeconfig with its token in a file of its own."""
    content = json.loads(kubeconfig.read_text())
    (folder / "token").write_text(content["users"][0]["user"]["token"])
    content["users"][0]["user"] = {"tokenFile": str(folder / "token")}
    path = folder / "kubeconfig"
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("rewritten", [with_login_program, with_token_file])
def test_changes_are_watched_whatever_way_of_login_the_kubeconfig_has(
    rewritten: Callable[[Path, Path], Path], world: World, tmp_path: Path
) -> None:
    namespace = world.namespace(rewritten.__name__.replace("_", "-"))
    world.apply(index_options("uv-config"), namespace=namespace)
    flags = ["--namespace", namespace]
    with OperatorProcess(rewritten(world.kubeconfig, tmp_path), flags=flags, forked=True):
        # The one listing that follows the start can show the first of them, and no more.
        for name in ("one", "two"):
            world.apply(
                artifact_index(name, name=name, anonymous={"url": f"https://{name}.example/"}),
                namespace=namespace,
            )
            wait_until(lambda name=name: name in world.indexes(namespace, "uv-config"), name, 60)  # type: ignore[misc]
