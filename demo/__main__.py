"""Show the whole path between real parts and check each step: `python -m demo`, `make demo`."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import FrameType

from demo.cluster import NAMESPACE, Cluster, emulated_cluster, real_cluster
from demo.narrator import Narrator
from demo.stage import open_stage
from demo.story import Story, UnexpectedError, operator_process
from support.control_plane import ControlPlane, ControlPlaneUnavailable
from support.operator_process import OperatorProcess

LOG_LINES = 15


class Interrupted(BaseException):
    """A signal asked for the end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


def main() -> int:
    """Run the demo; 0 when every step showed what it should, 1 when not, 128 + n by signal n."""
    _interrupt_on(signal.SIGINT, signal.SIGTERM)
    try:
        narrator, pids = Narrator(), list[int]()
        narrator.say("Two resources in, a uv.toml out that real uv installs from.\n")
        cluster = _choose_cluster(narrator)
        # A cold build is not part of the minute.
        narrator = Narrator()
        _perform(narrator, cluster, pids)
        if alive := [pid for pid in pids if Path(f"/proc/{pid}").exists()]:
            raise UnexpectedError(f"processes are left: {alive}")
    except Interrupted as interrupted:
        print(f"\nInterrupted by {interrupted}; everything that was started has been stopped.")
        return interrupted.status
    except Exception as error:
        print(f"\nThe demo failed: {error or type(error).__name__}", file=sys.stderr)
        for note in getattr(error, "__notes__", ()):
            print(note, file=sys.stderr)
        return 1
    narrator.say(f"\nDone in {narrator.seconds:.0f} s; nothing is left running.")
    return 0


def _choose_cluster(narrator: Narrator) -> Callable[[], AbstractContextManager[Cluster]]:
    """The real API server, built now if need be; else, outside CI, the emulator."""
    try:
        plane = ControlPlane()
    except ControlPlaneUnavailable as unavailable:
        if os.environ.get("CI") == "true":
            raise
        narrator.say(f"No real API server: {unavailable.reason}.")
        narrator.say("The in-tree API emulator stands in, without kubectl, admission and RBAC.\n")
        return emulated_cluster
    return lambda: real_cluster(plane)


def _perform(
    narrator: Narrator, choose: Callable[[], AbstractContextManager[Cluster]], pids: list[int]
) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="demo-")))
        with narrator.step("AWS, Google and six package indexes, stand-ins on 127.0.0.1"):
            stage = stack.enter_context(open_stage())
            narrator.secrets = stage.credentials
        with narrator.step("an API server for this run alone"):
            cluster = stack.enter_context(choose())
            pids += cluster.pids()
            narrator.detail(cluster.title)
        with narrator.step(cluster.applying):
            overlay = folder / "overlay"
            overlay.mkdir()
            applied = cluster.apply(stage.write_overlay(overlay))
            narrator.detail(f"{len(applied)} objects in namespace {NAMESPACE}")
        with narrator.step("the operator, a process of its own, is ready"):
            operator = operator_process(stage, cluster)
            stack.callback(_end, operator)
            operator.start()
            pids.append(operator.pid)
        try:
            Story(narrator, stage, cluster, folder).tell()
        except Exception as error:
            error.add_note("The operator's last lines:")
            error.add_note("\n".join(operator.log.splitlines()[-LOG_LINES:]))
            raise


def _end(operator: OperatorProcess) -> None:
    """Also where it never became ready, and where it does not go by itself."""
    try:
        operator.stop()
    except subprocess.TimeoutExpired:
        operator.kill()
        raise


def _interrupt_on(*signals: signal.Signals) -> None:
    """Leave by an exception, once: the clean-up that it starts is not interrupted again."""

    def leave(number: int, _frame: FrameType | None) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(number)

    for each in signals:
        signal.signal(each, leave)


if __name__ == "__main__":
    sys.exit(main())
