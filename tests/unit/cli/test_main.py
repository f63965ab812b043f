"""What all commands have in common."""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from artifact_index.cli.console import Painter, duration, table
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


def test_an_operator_imports_no_library_of_the_commands() -> None:
    """With all that it imports before the first request; it has no API server here."""
    loaded = modules_after(
        "from artifact_index.cli import main\n"
        "import os; os.environ['KUBECONFIG'] = '/nonexistent'\n"
        "assert main(['run', '--health-port', '0']) == 1"
    )

    assert "artifact_index.app" in loaded
    commands = {name for name in loaded if name.startswith("artifact_index.cli.")}
    assert commands == {f"artifact_index.cli.{name}" for name in ("console", "main", "run")}
    assert not {name for name in loaded if name.partition(".")[0] == "argcomplete"}


def test_help_imports_no_library() -> None:
    loaded = modules_after(
        "from artifact_index.cli.main import parser_of\nparser_of().format_help()"
    )

    assert {"artifact_index.cli.run", "artifact_index.cli.render"} <= loaded
    assert not loaded & {"yaml", "pydantic", "aiohttp", "asyncio", "kopf"}


def cpu_of_help() -> float:
    """Seconds of CPU of one `artifact-index --help`, which lists every command."""
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-m", "artifact_index", "--help"],
        env={"PYTHONPATH": str(OPERATOR)},
        capture_output=True,
        text=True,
        check=True,
    )
    after = os.times()
    assert all(f"\n    {command}" in done.stdout for command in COMMANDS)
    used = after.children_user + after.children_system
    return used - before.children_user - before.children_system


def test_help_takes_at_most_120_ms_of_cpu() -> None:
    """One of five: the others may share a core with whatever else runs."""
    assert any(cpu_of_help() <= 0.12 for _ in range(5))


@pytest.mark.parametrize("arguments", [[], ["rander"], ["render"], ["version", "-o", "xml"]])
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)

    assert exit_.value.code == 2
    assert "usage: artifact-index" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("stauts", "did you mean status?"),
        ("run --nmespace builders", "unrecognized arguments: --nmespace builders; did you mean "
         "--namespace?"),
        ("run --outage-budgte=5m", "did you mean --outage-budget?"),
        ("status --all-namespace-s", "did you mean --all-namespaces?"),
        ("refresh acme --wiat", "did you mean --wait?"),
        ("check -f . -o jsno", "did you mean json?"),
        ("render -f . --outupt json", "did you mean --output?"),
        # A flag of `run`, which is no abbreviation of one of these commands.
        ("check -f . --cluster-kinds=true", "unrecognized arguments: --cluster-kinds=true"),
    ],
)  # fmt: skip
def test_a_typo_is_answered_with_what_was_meant(
    line: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status: object
    try:
        status = main(line.split())
    except SystemExit as exit_:
        status = exit_.code
    printed = capsys.readouterr().err
    assert status == 2 and says in printed
    assert printed.count("did you mean") == 1


@pytest.mark.parametrize("line", ["run --xyzzy", "version surplus", "zzz"])
def test_nothing_is_guessed_where_nothing_is_near(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(line.split())
    assert "did you mean" not in capsys.readouterr().err


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


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "_ARGCOMPLETE" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("artifact-index ver", {"version"}),
        ("artifact-index check -o s", {"sarif"}),
        ("artifact-index status --all", {"--all-namespaces"}),
    ],
)
def test_the_shell_gets_completions(line: str, expected: set[str], tmp_path: Path) -> None:
    answer = tmp_path / "answer"
    subprocess.run(
        [sys.executable, "-m", "artifact_index"],
        env={
            "PYTHONPATH": str(OPERATOR),
            "_ARGCOMPLETE": "1",
            "_ARGCOMPLETE_IFS": "\n",
            "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
        },
        check=True,
    )
    assert {word.strip() for word in answer.read_text().splitlines()} == expected


@pytest.mark.parametrize(
    ("terminal", "flag", "variables", "coloured"),
    [
        (True, False, {}, True),
        (False, False, {}, False),
        (True, True, {}, False),
        (True, False, {"NO_COLOR": "1"}, False),
        (True, False, {"TERM": "dumb"}, False),
    ],
)
def test_colours_are_for_terminals_that_want_them(
    terminal: bool,
    flag: bool,
    variables: dict[str, str],
    coloured: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    for name, value in {"NO_COLOR": "", "TERM": "xterm", **variables}.items():
        monkeypatch.setenv(name, value)

    paint = Painter(argparse.Namespace(no_color=flag))

    text = table(["A", "B"], [["True", "x"], ["no", "y"]], lambda cell: paint("green", cell))
    assert ("\033[32mTrue\033[0m" in text) is coloured
    assert re.sub("\033\\[[0-9]+m", "", text) == "A      B\nTrue   x\nno     y\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (-5, "0s"), (59.9, "59s"), (61, "1m1s"), (3600, "1h"), (42_420, "11h47m"),
     (86_400 + 300, "1d"), (3 * 86_400 + 7200, "3d2h")],
)  # fmt: skip
def test_a_duration_has_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text
