"""Every command that asks a cluster, without the definitions of our kinds, and without rights."""

import pytest

from artifact_index.cli import main
from support.emulator import OF_PEOPLE, Emulator

pytestmark = pytest.mark.emulated

OF_OUR_KINDS = [
    ("status",), ("status", "-A"), ("status", "--pods"), ("why", "acme"), ("refresh", "acme"),
    ("refresh", "--all"), ("suspend", "acme"), ("resume", "acme"), ("check", "--probe"),
    ("adopt", "secret/x", "--options", "y"),
]  # fmt: skip
"""Commands that can tell nothing then; those that can tell the rest are below."""


def answer(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], *command: str
) -> tuple[int, str, str]:
    status = main([command[0], "--kubeconfig", str(emulator.kubeconfig()), *command[1:]])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_without_the_definitions(capsys: pytest.CaptureFixture[str]) -> None:
    with Emulator(more=OF_PEOPLE) as emulator:
        for plural in ("artifactindexes", "indexoptions"):
            emulator.fail("*", plural, 404, count=None)

        for command in OF_OUR_KINDS:
            status, out, err = answer(emulator, capsys, *command)
            assert (status, out, err.count("\n")) == (3, "", 1), command
            assert "there is no CustomResourceDefinition " in err, command
            assert err.endswith("install both with `artifact-index crds | kubectl apply -f -`\n")

        status, out, err = answer(emulator, capsys, "report")
        assert status == 0 and "kind: SupportReport" in out
        assert err.count("there is no CustomResourceDefinition ") == 2
        status, out, _ = answer(emulator, capsys, "preflight")
        assert status == 1 and "✗ there is no definition indexoptions.artifactindex.dev" in out
        assert answer(emulator, capsys, "preflight", "--pre")[0] == 0


def test_without_rights(capsys: pytest.CaptureFixture[str]) -> None:
    with Emulator(more=OF_PEOPLE) as emulator:
        emulator.fail("*", "*", 403, count=None)

        for command in OF_OUR_KINDS:
            status, out, err = answer(emulator, capsys, *command)
            assert (status, out, err.count("\n")) == (3, "", 1), command
            assert "you may not " in err and " auth can-i " in err, command
            assert f"kubectl --kubeconfig {emulator.kubeconfig()} " in err, command

        assert answer(emulator, capsys, "report")[0] == 0
        status, _, err = answer(emulator, capsys, "version")
        assert status == 3 and "test with `kubectl get deployments -A`" in err
        for flags in ((), ("--pre",)):
            status, out, _ = answer(emulator, capsys, "preflight", *flags)
            unknown = [line for line in out.splitlines() if line.startswith("?")]
            assert status == 3 and all(" → " in line for line in unknown) and unknown
