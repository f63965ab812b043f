"""`artifact-index fresh`, as a command and as a file of its own."""

import ast
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from artifact_index.cli.builder import fresh
from artifact_index.cli.main import main
from artifact_index.cli.reports import FreshReport

pytestmark = pytest.mark.unit

CANARY = "c4n4ry"
SCRIPT = Path(fresh.__file__)
NOW = int(time.time())


def line(name: str, seconds: float) -> str:
    """What the operator writes for a login that is good so long."""
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW + seconds))
    return f"# {name}: until {until}\n"


def uv_toml(*lines: str) -> str:
    return f'{"".join(lines)}[[index]]\nname = "acme"\nurl = "https://aws:{CANARY}@h/"\n'


@pytest.fixture(autouse=True)
def _known_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*fresh.CLIENT_VARIABLES, fresh.VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(fresh, "_clock", lambda: NOW + 0.5)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "uv.toml"


@pytest.mark.parametrize(
    ("lines", "flags", "status", "answer", "advice"),
    [
        ([line("acme", 7300)], ["--for", "2h"], 0, "acme   good for 2h1m (72", ""),
        ([line("acme", 1201)], ["--for", "30m"], 1, ": less than 30m", "--wait"),
        ([line("acme", 1201)], [], 0, "acme   good for 20m (1200 s), until 20", ""),
        ([line("acme", -5)], [], 1, "acme   expired at 20", "expired"),
        (["# acme: until soon\n"], [], 1, "acme   expired at 1970", "expired"),
        (["# acme: no expiry known\n"], ["--for", "1d"], 0, "acme   no expiry known", ""),
        (["# acme: unavailable\n"], [], 1, "acme   blocked", "kubectl describe artifactindex"),
        (["# https://pypi.unavailable.invalid/simple/\n"], [], 1, "pypi   blocked", "describe"),
        ([line("acme", 99), line("b", -1)], ["--index", "acme"], 0, "acme   good for 1m", ""),
        ([line("acme", 99)], ["--index", "x"], 1, "x   no login in the file", "needs no login"),
        (
            ["# no logins\n"],
            ["--for", "1d", "--wait", "1h"],
            0,
            "no logins: nothing can expire",
            "",
        ),
        (["# no logins\n"], ["--index", "x"], 1, "x   no login in the file", "needs no login"),
        ([], [], 2, "", "name the mounted Secret"),
    ],
)
def test_the_answer_ends_in_the_next_step(
    lines: list[str],
    flags: list[str],
    status: int,
    answer: str,
    advice: str,
    file: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file.write_text(uv_toml(*lines))

    assert main(["fresh", str(file), *flags]) == status

    printed = capsys.readouterr()
    assert answer in printed.out and advice in printed.err
    assert bool(printed.err) is bool(advice)
    assert CANARY not in printed.out + printed.err


def test_the_shortest_of_several_files_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "uv.toml").write_text(line("old", -1))
    (tmp_path / "uv.toml").write_text(line("acme", 7200) + "# b: no expiry known\n")
    (tmp_path / "netrc").write_text(line("acme", 600) + "# b: unavailable\n")
    value = line("c", 600).removeprefix("# ").strip()
    (tmp_path / fresh.VARIABLE).write_text(f"{value}, d: no expiry known")

    assert main(["fresh", str(tmp_path)]) == 1
    printed = [each.split() for each in capsys.readouterr().out.splitlines()]
    assert {each[0]: " ".join(each[1:4]) for each in printed} == {
        "acme": "good for 9m59s", "b": "blocked", "c": "good for 9m59s", "d": "no expiry known",
    }  # fmt: skip


def test_without_a_path_the_files_and_the_variable_of_clients_count(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fresh"]) == 2
    assert "UV_CONFIG_FILE" in capsys.readouterr().err

    monkeypatch.setenv(fresh.VARIABLE, "acme: until 2000-01-01T00:00:00Z, b: no expiry known")
    # A variable of a running pod never changes: there is nothing to wait for.
    assert main(["fresh", "--wait", "1h", "-q"]) == 1
    advice = capsys.readouterr().err
    assert "start the pod anew" in advice and "--wait" not in advice

    file.write_text(line("other", 60))
    monkeypatch.setenv("UV_CONFIG_FILE", str(file))
    assert main(["fresh", "-o", "json"]) == 1
    report = FreshReport.model_validate_json(capsys.readouterr().out)
    assert [(each.name, each.state) for each in report.indexes] == [
        ("acme", "Expired"), ("b", "NoExpiryKnown"), ("other", "Good"),
    ]  # fmt: skip


def test_without_logins_there_is_nothing_to_wait_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "uv.toml").write_text(uv_toml("# no logins\n"))
    (tmp_path / "netrc").write_text("# no logins\n")

    assert main(["fresh", str(tmp_path), "-o", "json"]) == 0
    assert FreshReport.model_validate_json(capsys.readouterr().out).indexes == []
    assert main(["fresh", str(tmp_path), "-q"]) == 0
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv(fresh.VARIABLE, "no logins")
    assert main(["fresh"]) == 0

    # A login in another file of the output counts.
    (tmp_path / "pip.conf").write_text(line("acme", -1))
    assert main(["fresh", str(tmp_path)]) == 1


@pytest.mark.parametrize("text", ["", "[global]\nindex-url = https://h/\n", "#no logins\n", None])
def test_what_the_operator_did_not_write_is_refused(text: str | None, file: Path) -> None:
    if text is not None:
        file.write_text(text)

    assert main(["fresh", str(file)]) == 2


def test_each_path_that_is_given_has_to_be_the_operators(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs, folder = tmp_path / "uv.toml", tmp_path / "pip.conf", tmp_path / "mounted"
    ours.write_text(line("acme", 60))
    theirs.write_text("[global]\nindex-url = https://h/\n")
    folder.mkdir()
    (folder / "netrc").write_text("machine h")
    assert main(["fresh", str(ours), str(theirs), str(folder)]) == 2
    printed = capsys.readouterr()
    assert f"{theirs}, {folder} does not say how long a login lasts" in printed.err
    assert "name the mounted Secret" in printed.err
    assert str(ours) not in printed.err and printed.out == ""

    (folder / "uv.toml").write_text(line("acme", 60))
    assert main(["fresh", str(ours), str(folder)]) == 0
    # Of what the variables of an image name, some may be the image's own.
    monkeypatch.setenv("UV_CONFIG_FILE", str(ours))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(theirs))
    assert main(["fresh"]) == 0


def test_it_waits_for_the_next_file(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fresh, "_POLL", 0.01)
    file.write_text(line("acme", 60))
    told = threading.Event()
    complain = fresh._complain

    def note(message: str) -> None:
        complain(message)
        told.set()

    monkeypatch.setattr(fresh, "_complain", note)

    def replace() -> None:
        assert told.wait(30)
        following = file.with_suffix(".next")
        following.write_text(line("acme", 7200))
        following.replace(file)

    kubelet = threading.Thread(target=replace)
    kubelet.start()
    assert main(["fresh", str(file), "--for", "30m", "--wait", "30s"]) == 0
    kubelet.join()

    printed = capsys.readouterr()
    assert printed.out.startswith("acme   good for 1h59m")
    assert printed.err.count("\n") == 1 and "waiting up to 30s" in printed.err


@pytest.mark.parametrize("there", [True, False])
def test_a_wait_that_runs_out_has_a_status_of_its_own(
    there: bool, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if there:
        file.write_text(line("acme", 60))

    assert main(["fresh", str(file), "--for", "1h30m", "--wait", "1s"]) == 4
    assert main(["fresh", str(file), "--for", "1h30m"]) == (1 if there else 2)


@pytest.mark.parametrize("text", ["", "30", "m", "1h 30m", "-5m", "1.5h"])
def test_a_duration_has_a_unit(text: str, file: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["fresh", str(file), f"--for={text}"])
    assert ended.value.code == 2


def test_the_script_runs_without_the_package(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fresh", "--print-script"]) == 0
    script = tmp_path / "fresh.py"
    script.write_text(capsys.readouterr().out)
    file.write_text(line("acme", 86400) + line("b", 6000))

    def run(*flags: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "-S", str(script), str(file), *flags]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert run("--for", "2h", "--index", "acme").returncode == 0
    done = run("--for", "2h", "-o", "json")
    assert done.returncode == 1
    states = [each["state"] for each in json.loads(done.stdout)["indexes"]]
    assert states == ["Good", "TooShort"]

    file.write_text("# no logins\n")
    done = run("--for", "2h")
    assert (done.returncode, done.stdout) == (0, "no logins: nothing can expire\n")


def test_the_script_is_for_python_3_8_and_its_standard_library() -> None:
    tree = ast.parse(SCRIPT.read_text(), feature_version=(3, 8))

    modules = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert {name.partition(".")[0] for name in modules} <= sys.stdlib_module_names
    newer = {"removeprefix", "removesuffix", "pairwise", "tomllib", "is_relative_to"}
    assert not newer & {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
