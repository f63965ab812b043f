"""What the quickstart and the installation print is pasted into a shell, block after block.

kubectl, Helm, API server and operator are real; the clouds are stand-ins.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from socket import create_server

import pytest
import yaml

from support.chart import helm as helm_program
from support.clouds import AwsStandIn, GoogleStandIn
from support.control_plane import ControlPlane
from support.doc_blocks import Block, Terminal, blocks_of, checkout, command, page_named
from support.operator_process import REPOSITORY
from support.uv_clients import NEWEST, uv_binary

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("helm")]

RUN = ".venv/bin/artifact-index run"
SECRETS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "GOOGLE_KEY_FILE"}
KUBERNETES_OWN = {"default", "kube-node-lease", "kube-public", "kube-system"}


@pytest.fixture(scope="module")
def plane(own_control_plane: ControlPlane) -> ControlPlane:
    """A control plane of its own: the pages take away the definitions, which others need.

    They are there before: the garbage collector learns of a new kind after half a minute only.
    """
    own_control_plane.apply_crds(REPOSITORY / "crds")
    return own_control_plane


@pytest.fixture(scope="module")
def terminal(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A reader's shell in a checkout, with administrator rights and logins for both clouds."""
    home = tmp_path_factory.mktemp("home")
    folder = checkout(home / "checkout")
    tools = home / "bin"
    tools.mkdir()
    (tools / "kubectl").symlink_to(plane.binaries.kubectl)
    (tools / "helm").symlink_to(helm_program())
    (tools / "uv").symlink_to(uv_binary(NEWEST))
    command(tools, "make", 'test "$1" = setup')
    program = f'exec "{sys.executable}" -m artifact_index "$@"'
    command(folder / ".venv" / "bin", "artifact-index", program)
    with AwsStandIn() as aws, GoogleStandIn() as google, create_server(("", 0)) as free:
        key = aws.add_access_key(principal="arn:aws:iam::111122223333:user/reader")
        key_file = home / "key.json"
        key_file.write_text(google.make_key_json("reader@acme.example"))
        port = free.getsockname()[1]
        free.close()
        urls = {f"ARTIFACT_INDEX_{k.upper()}": v for k, v in google.settings().items()}
        environment = {
            "PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(home), "PS1": "$ ",
            "KUBECONFIG": str(plane.kubeconfig_admin), "PYTHONPATH": str(REPOSITORY / "operator"),
            "VIRTUAL_ENV": sys.prefix, "ARTIFACT_INDEX_HEALTH_PORT": str(port),
            "GOOGLE_KEY_FILE": str(key_file), **aws.env(key), **google.env(), **urls,
        }  # fmt: skip
        with Terminal(folder, environment) as shell:
            yield shell


def test_the_quickstart_runs_as_it_stands(plane: ControlPlane, terminal: Terminal) -> None:
    operator: subprocess.Popen[bytes] | None = None
    printed: dict[int, str] = {}
    for block in blocks_of(page_named("quickstart.md")):
        if not block.is_shell:
            continue
        if block.text.startswith(RUN):
            operator = second_terminal(terminal, block)
            continue
        if "kubectl replace" in block.text:
            assert_nothing_is_overwritten(plane, terminal, block)
        if "kubectl delete namespace" in block.text:
            assert operator is not None and operator.poll() is None
            operator.send_signal(signal.SIGINT)
            assert operator.wait(60) in (0, 130, -signal.SIGINT)
        port = terminal.environment["ARTIFACT_INDEX_HEALTH_PORT"]
        printed[block.line] = terminal.paste(
            block.text.replace("localhost:8080", f"localhost:{port}")
        )
        kubeconfig = terminal.folder / ".venv" / "operator.kubeconfig"
        if kubeconfig.exists():
            assert set(users_in(kubeconfig)) == {"operator"}
    everything = "".join(printed.values())
    assert "acme-codeartifact.unavailable.invalid" in everything  # the placeholder is refused
    assert ":[redacted]@" in everything and "https://aws:ey" not in everything
    assert left_behind(plane, terminal) == set()


def second_terminal(terminal: Terminal, block: Block) -> "subprocess.Popen[bytes]":
    """The operator, which a reader runs in a shell of its own."""
    return subprocess.Popen(
        ["bash", "-c", f"exec {block.text}"], cwd=terminal.folder, env=terminal.environment,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def assert_nothing_is_overwritten(plane: ControlPlane, terminal: Terminal, block: Block) -> None:
    """Pasted where the variables are not set, the block leaves every Secret as it is."""
    path = "/api/v1/namespaces/builders/secrets"
    before = plane.read(path)
    said = terminal.paste_without(SECRETS, block.text)
    assert "parameter null or not set" in said, said
    assert [each["data"] for each in (plane.read(path) or {})["items"]] == [
        each["data"] for each in (before or {})["items"]
    ]


def users_in(kubeconfig: Path) -> list[str]:
    return [user["name"] for user in yaml.safe_load(kubeconfig.read_text())["users"]]


def left_behind(plane: ControlPlane, terminal: Terminal) -> set[str]:
    """What the page has made and not taken away again, in the cluster and in the checkout."""
    kinds = "namespaces,clusterroles,clusterrolebindings,customresourcedefinitions"
    names = plane.kubectl("get", kinds, "-o", "name").stdout.split()
    own = {
        name for name in names
        if "artifact" in name or (name.startswith("namespace/") and name[10:] not in KUBERNETES_OWN)
    }  # fmt: skip
    return own | {path.name for path in (terminal.folder / ".venv").iterdir()} - {"bin"}


def test_each_installation_what_helm_prints_then_and_the_way_back(
    plane: ControlPlane, terminal: Terminal
) -> None:
    """After the quickstart's clean-up; there is no kubelet, so that nothing waits for a pod."""
    readme, page = blocks_of(REPOSITORY / "README.md"), blocks_of(page_named("install.md"))
    installs = [block.text for block in (*readme, *page) if "helm install" in block.text]
    (way_back,) = (block.text for block in page if "helm rollback" in block.text)
    assert len(installs) == 3 and "helm uninstall" in way_back
    for number, install in enumerate(installs):
        if number:  # the first one has created it
            install = install.replace("kubectl create namespace builders\n", "")
        notes = terminal.paste(install)
        applied = notes[notes.index("kubectl apply ") :].partition("\n\n")[0]
        terminal.paste(applied.replace("NAMESPACE", "builders") + "\n")
        found = plane.kubectl("get", "artifactindexes,indexoptions", "-A", "-o", "name").stdout
        assert len(found.split()) == 2
        terminal.paste("kubectl delete artifactindexes,indexoptions --all --all-namespaces\n")
        uninstall = way_back.splitlines()[-1]
        terminal.paste(way_back if install == installs[-1] else f"{uninstall}\n")
