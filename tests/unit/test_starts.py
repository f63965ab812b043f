"""What stops a start is one line that names the cause, the place and the next step."""

import json
import logging
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from artifact_index.app import empty_namespaces
from artifact_index.cli.main import main
from artifact_index.kube.errors import ApiError
from artifact_index.signing_key import SigningKeyError, load_signing_key
from support.emulator import Emulator
from support.engine import Engine
from support.memory_port import MemoryPort
from support.reconcile_builders import NAMESPACE

pytestmark = pytest.mark.unit

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: prod
contexts: [{{name: prod, context: {{cluster: c, user: u}}}}]
clusters: [{{name: c, cluster: {{server: "{server}"}}}}]
users: [{{name: u, user: {{token: canary-4d1e}}}}]
"""


def started(
    kubeconfig: Path, capsys: pytest.CaptureFixture[str], *flags: str
) -> list[dict[str, str]]:
    """The lines of a start that fails."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        arguments = ("run", "--kubeconfig", str(kubeconfig), "--log-format", "json")
        assert main([*arguments, "--health-host", "127.0.0.1", *flags]) == 1
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(False)
    said = capsys.readouterr().err
    assert "canary" not in said and "Traceback" not in said
    return [json.loads(line) for line in said.splitlines()]


def test_the_first_line_says_what_starts_and_the_last_where_the_server_is_missed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config"
    config.write_text(KUBECONFIG.format(server="https://127.0.0.1:1"))
    consents = ("--operator-identity-namespaces", "a=arn:*,b", "--allowed-hosts", "*.example.com")
    first, last = started(config, capsys, "--workers", "3", "--relist-interval", "90s", *consents)

    assert first["event"] == "Started" and first["version"]
    cluster = f"https://127.0.0.1:1 (context prod of {config})"
    assert (first["cluster"], first["scope"]) == (cluster, "cluster")
    assert first["consents"] == "operatorIdentity=a=arn:*,b http=refused hosts=*.example.com"
    settings = first["settings"].split()
    assert {"--workers=3", "--relist-interval=90s", "--log-format=json"} <= set(settings)
    assert not [each for each in settings if each.startswith("--cloud-threads")]
    assert last["level"] == "error" and last["message"].startswith(f"{cluster}: the API server")
    assert "Connect call failed" in last["message"] and "--kubeconfig" in last["message"]


def test_a_refused_login_names_the_server_the_context_and_the_remedy(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Emulator() as emulator:
        emulator.fail("*", "*", 401, count=None)
        config = emulator.kubeconfig()
        first, last = started(config, capsys)
    assert last["message"].startswith(f"{first['cluster']} refuses the operator: 401 ")
    assert f"(context emulator of {config})" in last["message"]
    assert "renew the login of the kubeconfig" in last["message"]


def test_a_busy_port_is_named_with_its_setting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Emulator() as emulator, socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        emulator.create_namespace("ops")
        flags = ("--operator-namespace", "ops", "--health-port", str(port))
        lines = started(emulator.kubeconfig(), capsys, *flags)
    assert lines[-1]["message"].startswith(
        f"cannot serve /healthz, /readyz and /metrics on 127.0.0.1, port {port}: Address already"
    )
    assert "--health-port" in lines[-1]["message"] and len(lines) == 2


def test_a_host_without_an_address_is_named_with_its_setting(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Emulator() as emulator:
        emulator.create_namespace("ops")
        flags = ("--operator-namespace", "ops", "--health-host", "no host.invalid")
        error = started(emulator.kubeconfig(), capsys, *flags)[-1]["message"]
    assert "on no host.invalid, port" in error and "--health-host" in error
    assert "Unknown error" not in error


async def test_a_served_namespace_without_objects_is_told() -> None:
    engine = Engine()
    operator = replace(engine.operator, namespaces=(NAMESPACE, "bulders"))
    assert empty_namespaces(operator) == [NAMESPACE, "bulders"]
    engine.index("open")
    assert empty_namespaces(operator) == ["bulders"]
    assert empty_namespaces(engine.operator) == []


async def test_a_missing_namespace_of_the_operator_is_named_with_the_command() -> None:
    port = MemoryPort()
    missing = ApiError(404, "NotFound", 'namespaces "nope" not found')
    port.refuse = lambda *_: missing
    with pytest.raises(SigningKeyError, match="nope") as caught:
        await load_signing_key(port, "nope")
    assert str(caught.value).endswith("does not exist: kubectl create namespace nope")
