"""`make demo` as a user starts it: it shows the whole path and leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.control_plane import ControlPlane, wait_until

pytestmark = pytest.mark.cluster

TOP = Path(__file__).parents[2]
MARK = "ARTIFACT_INDEX_TEST_RUN"
DONE = re.compile(r"^Done in (\d+) s; nothing is left running\.$", re.MULTILINE)
LONG_RANDOM = re.compile(r"[A-Za-z0-9_-]{60}")
STORY = (
    "uv pip install acme-core: 1.0 through CodeArtifact",
    "uv pip install acme-data: 1.0 through Artifact Registry",
    "uv pip install vendor-sdk: 1.0 through a preauthenticated URL",
    "uv pip install acme-tools: 1.0 through basic auth",
    "the operator replaces CodeArtifact's token before it expires",
    "401 Unauthorized",
    "uv pip install with the current file: works",
    "IndexesNotReady",
    "acme-gar.unavailable.invalid",
    "a new key in the index's Secret: Available again",
)
"""What the demo says, in this order, on the real API server as on the emulator."""


class Demo:
    """One run of the demo. Every process that it starts inherits a mark, by which it is found."""

    def __init__(self, folder: Path, **env: str) -> None:
        self._mark = f"{MARK}={uuid.uuid4()}"
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self._log = folder / "demo.log"
        name, _, value = self._mark.partition("=")
        paths = {"PYTHONPATH": "operator:tests:.", "TMPDIR": str(self.temporary)}
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "demo"],
                cwd=TOP,
                env={**os.environ, **paths, name: value, **env},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    def wait(self, seconds: float = 300) -> int:
        return self.process.wait(seconds)

    def running(self) -> list[str]:
        """The command lines of its processes, itself included."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self._mark.encode() in (folder / "environ").read_bytes():
                    found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except (OSError, ValueError):
                continue
        return found

    def runs(self, *programs: str) -> bool:
        """Whether each of these is running now."""
        running = self.running()
        return all(any(program in line for line in running) for program in programs)


@pytest.fixture
def demos(tmp_path: Path) -> Iterator[list[Demo]]:
    """Demos that a test started; a failing test leaves none behind."""
    started: list[Demo] = []
    yield started
    for demo in started:
        if demo.process.poll() is None:
            demo.process.terminate()
            demo.wait()


def told_in_order(output: str) -> None:
    position = 0
    for words in STORY:
        found = output.find(words, position)
        assert found >= 0, f"{words!r} is not told, or out of order:\n{output}"
        position = found


def assert_nothing_is_left(demo: Demo) -> None:
    assert demo.running() == []
    assert list(demo.temporary.iterdir()) == []


# The fixture makes sure that the programs are built: building is not part of the demo's minute.
def test_the_demo_shows_the_whole_path_in_a_minute(
    control_plane: ControlPlane, tmp_path: Path, demos: list[Demo]
) -> None:
    demo = Demo(tmp_path)
    demos.append(demo)

    assert demo.wait() == 0, demo.output

    told_in_order(demo.output)
    assert "kube-apiserver v" in demo.output
    assert "under the operator's ServiceAccount" in demo.output
    done = DONE.search(demo.output)
    # A minute where nothing else runs, most of it for tokens to die; a busy machine takes longer.
    assert done is not None and int(done[1]) <= 180
    assert not LONG_RANDOM.search(demo.output), "that could be a token"
    assert_nothing_is_left(demo)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_behind(
    control_plane: ControlPlane, tmp_path: Path, demos: list[Demo], number: signal.Signals
) -> None:
    demo = Demo(tmp_path)
    demos.append(demo)
    programs = ("etcd", "kube-apiserver", "artifact_index run")
    ended_or_runs = lambda: demo.process.poll() is not None or demo.runs(*programs)  # noqa: E731
    wait_until(ended_or_runs, f"{programs} to run", 180)
    assert demo.process.poll() is None, demo.output
    assert list(demo.temporary.iterdir()) != []

    demo.process.send_signal(number)

    assert demo.wait(90) == 128 + number, demo.output
    assert f"Interrupted by {number.name}" in demo.output
    assert_nothing_is_left(demo)


def without_control_plane(folder: Path) -> dict[str, str]:
    """A machine that has no control plane and no Go to build one."""
    nothing = folder / "nothing"
    nothing.mkdir()
    return {"PATH": str(nothing), "ARTIFACT_INDEX_CACHE": str(nothing), "KUBEBUILDER_ASSETS": ""}


def test_the_emulator_stands_in_where_there_is_no_control_plane(
    tmp_path: Path, demos: list[Demo]
) -> None:
    demo = Demo(tmp_path, CI="false", **without_control_plane(tmp_path))
    demos.append(demo)

    assert demo.wait() == 0, demo.output

    told_in_order(demo.output)
    assert "No real API server" in demo.output
    assert "kubectl get" not in demo.output
    assert_nothing_is_left(demo)


def test_ci_does_not_take_the_emulator_for_a_control_plane(
    tmp_path: Path, demos: list[Demo]
) -> None:
    demo = Demo(tmp_path, CI="true", **without_control_plane(tmp_path))
    demos.append(demo)

    assert demo.wait() == 1
    assert "there is no `go` on PATH" in demo.output
    assert_nothing_is_left(demo)


def test_a_step_that_does_not_hold_fails_the_demo(tmp_path: Path, demos: list[Demo]) -> None:
    """Here the operator does not even start."""
    demo = Demo(
        tmp_path, CI="false", ARTIFACT_INDEX_WORKERS="none", **without_control_plane(tmp_path)
    )
    demos.append(demo)

    assert demo.wait() == 1
    assert "wait until ready ... FAILED" in demo.output
    assert "ARTIFACT_INDEX_WORKERS must be a whole number" in demo.output
    assert_nothing_is_left(demo)
