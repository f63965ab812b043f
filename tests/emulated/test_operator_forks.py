"""An operator that was forked starts, runs and ends as a process of its own does."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.control_plane import wait_until
from support.emulated_world import EmulatedWorld, emulated_world
from support.operator_process import REPOSITORY, OperatorProcess
from support.world import PATIENCE

pytestmark = pytest.mark.emulated

_START = """
import sys
from pathlib import Path
from support.operator_process import OperatorProcess
operator = OperatorProcess(Path(sys.argv[1]), forked=True)
operator.start()
print(operator.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def world() -> Iterator[EmulatedWorld]:
    with emulated_world() as opened:
        yield opened


def parent(pid: int) -> int:
    """The process id of a process' parent."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_it_ends_by_signals_and_each_start_has_another_parent(world: EmulatedWorld) -> None:
    operator = world.operator()
    servers = []
    for number, status in ((signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)):
        operator.start()
        process = operator.process
        assert process is not None and process.poll() is None
        servers.append(parent(parent(operator.pid)))
        process.send_signal(number)
        assert process.wait(PATIENCE) == process.returncode == status
        operator.stop()
    assert "Traceback" not in operator.log
    # Two in a row order sets by different seeds.
    assert len(set(servers)) == 2


def test_a_refused_start_says_the_same(world: EmulatedWorld) -> None:
    ends = []
    for forked in (True, False):
        operator = OperatorProcess(
            world.emulator.kubeconfig(), flags=["--workers=none"], forked=forked
        )
        operator.start(wait=False)
        assert operator.process is not None
        status = operator.process.wait(PATIENCE)
        operator.stop()
        ends.append((status, operator.log))
    assert ends[0] == ends[1]
    assert ends[0][0] == 2 and "workers" in ends[0][1]


def test_it_dies_with_the_process_that_started_it(world: EmulatedWorld) -> None:
    starting = subprocess.Popen(
        [sys.executable, "-c", _START, str(world.emulator.kubeconfig())],
        env={"PYTHONPATH": f"{REPOSITORY}/operator:{REPOSITORY}/tests"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert starting.stdout is not None
    pid = int(starting.stdout.readline())
    family = [pid, parent(pid), parent(parent(pid))]
    starting.kill()
    starting.communicate()
    gone = lambda: not any(Path(f"/proc/{each}").exists() for each in family)  # noqa: E731
    wait_until(gone, "the end of the operator", PATIENCE)
