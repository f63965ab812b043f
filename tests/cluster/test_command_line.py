"""The commands beside a real API server and a real operator, with the rights of ordinary users."""

import re
from pathlib import Path

import pytest
import yaml

from artifact_index.cli import main
from artifact_index.cli.reports import ChangeReport, CheckReport, StatusReport, WhyReport
from support.accounts import person
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


def change_as_editor(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Refresh, suspend and resume beside an operator, with the role edit."""

    def changed(*arguments: str, status: int = 0) -> list[str]:
        command, *others = arguments
        assert main([command, *editor, *others, "-o", "json"]) == status
        report = ChangeReport.model_validate_json(capsys.readouterr().out)
        return [each.outcome for each in report.objects]

    editor = person(world, NAMESPACE, "edit", "edit")
    assert changed("refresh", "acme", "--wait") == ["Refreshed"]
    # It failed before, and fails in the same words: the operator says that it tried again.
    assert changed("refresh", "lost", "--wait", status=1) == ["Refused"]
    assert changed("suspend", "acme") == ["Suspended"]
    world.wait_condition("artifactindexes", NAMESPACE, "acme", reason="Suspended")
    assert changed("refresh", "--all", status=1) == ["Refused", "Requested"]
    assert changed("resume", "--all") == ["Resumed", "Unchanged"]
    world.wait_condition("artifactindexes", NAMESPACE, "acme", reason="Available")
    managers = {
        entry["manager"]
        for entry in (world.get("artifactindexes", NAMESPACE, "acme") or {})["metadata"][
            "managedFields"
        ]
        if "f:metadata" in entry["fieldsV1"]
        and "f:artifactindex.dev/refresh-requested-at" in str(entry["fieldsV1"])
    }
    assert managers == {"artifact-index"}


def test_the_commands(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world.namespace(NAMESPACE)
    manifests = tmp_path / "all.yaml"
    manifests.write_text(yaml.safe_dump_all(OBJECTS))
    with world.operator():
        world.apply(*OBJECTS)
        world.wait_condition("artifactindexes", NAMESPACE, "lost", reason="SecretNotFound")
        world.wait_condition("indexoptions", NAMESPACE, "uv-config", reason="IndexesNotReady")
        written = world.uv_toml(NAMESPACE, "uv-config")
        change_as_editor(world, capsys)
    assert written is not None and PASSWORD in written

    # Only the index without a Secret differs: offline it is taken to be there.
    flags = ["-f", str(manifests), "--options", "uv-config", "--key", "uv.toml", "--show-secrets"]
    assert main(["render", *flags]) == 0
    offline = capsys.readouterr().out
    assert offline.partition("# lost")[0] == written.partition("# lost")[0]
    assert main(["check", "-f", str(manifests), "-o", "json"]) == 0
    assert CheckReport.model_validate_json(capsys.readouterr().out).objects == 4

    # The same difference is all that an apply would make, and no login is shown.
    admin = ["--kubeconfig", str(world.plane.kubeconfig_admin)]
    assert main(["render", "-f", str(manifests), "--diff", *admin]) == 1
    difference = capsys.readouterr().out
    changed = [line for line in difference.splitlines() if re.match("[-+] ?[^-+ ]", line)]
    assert "-# lost: unavailable" in changed and "+# lost: no expiry known" in changed
    assert not any("acme" in line for line in changed) and PASSWORD not in difference
    assert difference.count("--- cluster/") == 2
    flags = ["--options", "public", "--diff", "--kubeconfig"]
    nobody = world.plane.kubeconfig_for(NAMESPACE, "no-reader")
    assert main(["render", "-f", str(manifests), *flags, str(nobody)]) == 3
    assert "kubectl auth can-i get configmaps/public -n commands" in capsys.readouterr().err

    for role in ("view", "edit"):
        reader = person(world, NAMESPACE, role, role if role == "view" else None)
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

    assert main(["status", *person(world, NAMESPACE, "nobody", None)]) == 3
    assert "you may not list artifactindexes.artifactindex.dev in commands" in (
        capsys.readouterr().err
    )

    # A reader may change nothing; without an operator nobody answers a request.
    viewer = ["--kubeconfig", str(world.plane.kubeconfig_for(NAMESPACE, "view"))]
    assert main(["refresh", *viewer, "acme"]) == 3
    assert "you may not patch artifactindexes.artifactindex.dev in commands: ask for the" in (
        capsys.readouterr().out
    )
    assert main(["refresh", *reader, "acme", "--wait", "--timeout", "10ms"]) == 4
    assert "the operator has not answered; see whether" in capsys.readouterr().out

    # The operator does not run any more: a new spec stays as it is.
    world.patch("artifactindex", NAMESPACE, "acme", {"spec": {"priority": 7}})
    assert main(["why", *reader, "acme"]) == 1
    assert "NotHandled" in capsys.readouterr().out
