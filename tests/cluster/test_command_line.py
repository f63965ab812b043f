"""The commands beside a real API server and a real operator, with the rights of ordinary users."""

from pathlib import Path

import pytest
import yaml

from artifact_index.cli import main
from artifact_index.cli.reports import CheckReport, StatusReport, WhyReport
from support.control_plane import wait_until
from support.world import (
    World,
    artifact_index,
    basic_auth,
    in_namespace,
    index_options,
    secret,
)

pytestmark = pytest.mark.cluster

NAMESPACE = "commands"
PASSWORD = "canary-1b7e"
OBJECTS = in_namespace(
    NAMESPACE,
    [
        secret("login", {"username": "ci", "password": PASSWORD}),
        artifact_index("acme", name="acme", basicAuth=basic_auth("https://acme.example/", "login")),
        artifact_index("lost", basicAuth=basic_auth("https://lost.example/simple/", "not-there")),
        index_options("uv-config", outputs=[{"kind": "Secret", "name": "uv-config"}]),
        index_options("public", outputs=[{"kind": "ConfigMap", "name": "public"}]),
    ],
)


def user(world: World, name: str, role: str | None) -> list[str]:
    """Flags of a ServiceAccount with a role in the namespace; of one without any if None."""
    kubeconfig = world.plane.kubeconfig_for(NAMESPACE, name)
    if role is not None:
        account = f"--serviceaccount={NAMESPACE}:{name}"
        binding = ("create", "rolebinding", name, f"--clusterrole={role}", account)
        world.plane.kubectl(*binding, "-n", NAMESPACE)
        reads = ("auth", "can-i", "list", "indexoptions.artifactindex.dev", "-n", NAMESPACE)
        whoever = ("--as", f"system:serviceaccount:{NAMESPACE}:{name}")
        wait_until(
            lambda: world.plane.kubectl(*reads, *whoever, check=False).returncode == 0,
            f"{role} to hold the chart's rules",
            60,
        )
    return ["--kubeconfig", str(kubeconfig)]


def test_the_commands(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world.namespace(NAMESPACE)
    manifests = tmp_path / "all.yaml"
    manifests.write_text(yaml.safe_dump_all(OBJECTS))
    with world.operator():
        world.apply(*OBJECTS)
        world.wait_condition("artifactindexes", NAMESPACE, "lost", reason="SecretNotFound")
        world.wait_condition("indexoptions", NAMESPACE, "uv-config", reason="IndexesNotReady")
        written = world.uv_toml(NAMESPACE, "uv-config")
    assert written is not None and PASSWORD in written

    # Only the index without a Secret differs: offline it is taken to be there.
    flags = ["-f", str(manifests), "--options", "uv-config", "--key", "uv.toml", "--show-secrets"]
    assert main(["render", *flags]) == 0
    offline = capsys.readouterr().out
    assert offline.partition('name = "lost"')[0] == written.partition('name = "lost"')[0]
    assert main(["check", "-f", str(manifests), "-o", "json"]) == 0
    assert CheckReport.model_validate_json(capsys.readouterr().out).objects == 4

    for role in ("view", "edit"):
        reader = user(world, role, role)
        assert main(["status", *reader, "-o", "json"]) == 1
        report = StatusReport.model_validate_json(capsys.readouterr().out)
        assert {each.name: each.reason for each in report.indexes} == {
            "acme": "Available",
            "lost": "SecretNotFound",
        }
        assert main(["why", *reader, "indexoptions/uv-config", "-o", "json"]) == 1
        answer = WhyReport.model_validate_json(capsys.readouterr().out)
        assert [(root.object.name, root.reason) for root in answer.roots] == [
            ("lost", "SecretNotFound")
        ]
        assert main(["why", *reader, "acme"]) == 0
        assert PASSWORD not in capsys.readouterr().out
        assert main(["status", *reader, "-A"]) == 3
        assert "in all namespaces: give one with -n" in capsys.readouterr().err

    assert main(["status", *user(world, "nobody", None)]) == 3
    assert "you may not list artifactindexes.artifactindex.dev in commands" in (
        capsys.readouterr().err
    )

    # The operator does not run any more: a new spec stays as it is.
    world.patch("artifactindex", NAMESPACE, "acme", {"spec": {"priority": 7}})
    assert main(["why", *reader, "acme"]) == 1
    assert "NotHandled" in capsys.readouterr().out
