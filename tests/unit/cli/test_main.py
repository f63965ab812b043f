"""What all commands have in common."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from artifact_index.cli.main import COMMANDS, main

pytestmark = pytest.mark.unit

OPERATOR = Path(__file__).parents[3] / "operator"


def modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"],
        env={"PYTHONPATH": str(OPERATOR)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split())


def test_run_imports_no_other_command() -> None:
    loaded = modules_after(
        "from artifact_index.cli import main\nassert main(['run', '--workers', '0']) == 2"
    )

    ours = {name for name in loaded if name.startswith("artifact_index.")}
    assert {name for name in ours if name.startswith("artifact_index.cli.")} == {
        "artifact_index.cli.console",
        "artifact_index.cli.main",
        "artifact_index.cli.run",
    }
    assert "yaml" not in loaded


def test_help_imports_no_library() -> None:
    loaded = modules_after(
        "from artifact_index.cli.main import parser_of\nparser_of().format_help()"
    )

    assert {"artifact_index.cli.run", "artifact_index.cli.render"} <= loaded
    assert not loaded & {"yaml", "pydantic", "aiohttp", "asyncio", "kopf"}


def test_help_takes_at_most_120_ms_of_cpu() -> None:
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-m", "artifact_index", "--help"],
        env={"PYTHONPATH": str(OPERATOR)},
        capture_output=True,
        text=True,
        check=True,
    )
    after = os.times()

    used = after.children_user + after.children_system
    assert used - before.children_user - before.children_system <= 0.12
    for command in COMMANDS:
        assert f"\n    {command} " in done.stdout


@pytest.mark.parametrize("arguments", [[], ["rander"], ["render"], ["version", "-o", "xml"]])
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)

    assert exit_.value.code == 2
    assert "usage: artifact-index" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out.splitlines()[1] == "definitions  artifactindex.dev/v1alpha1"


def test_a_reader_that_leaves_early_causes_no_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "artifact_index", "crds"],
            env={"PYTHONPATH": str(OPERATOR)},
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert (done.returncode, done.stderr) == (1, "")
