"""Show the whole path with real components and check each step: `make demo`.

By default the demo starts an API server of its own.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import FrameType

from demo.cluster import Cluster, emulated_cluster, real_cluster
from demo.current import CannotUseError, Context, ask, current_cluster, new_namespace
from demo.narrator import Narrator
from demo.stage import open_stage
from demo.story import Story, UnexpectedError, operator_process
from support.control_plane import ControlPlane, ControlPlaneUnavailable
from support.operator_process import OperatorProcess

LOG_LINES = 15


class Interrupted(BaseException):
    """A signal interrupted the demo."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


def main() -> int:
    """Run the demo; returns 0 if every step succeeded, 1 if not, 128 + n after signal n."""
    arguments = _arguments()
    _interrupt_on(signal.SIGINT, signal.SIGTERM)
    try:
        narrator, pids = Narrator(), list[int]()
        narrator.say("From two resources to a uv.toml that real uv installs from.\n")
        with tempfile.TemporaryDirectory(prefix="demo-") as scratch:
            folder = Path(scratch)
            if arguments.cluster:
                opened = _ask_for_current(folder, agreed=arguments.yes)
            else:
                opened = _choose_cluster(narrator)
            # Restart the clock: neither a cold build nor an answer counts towards the minute.
            narrator = Narrator()
            _perform(narrator, opened, folder, pids)
        if alive := [pid for pid in pids if Path(f"/proc/{pid}").exists()]:
            raise UnexpectedError(f"processes still running: {alive}")
    except Interrupted as interrupted:
        print(f"\nInterrupted by {interrupted}; all started processes have been stopped.")
        return interrupted.status
    except CannotUseError as error:
        print(f"No demo on the current cluster: {error}.", file=sys.stderr)
        return 1
    except Exception as error:
        print(f"\nThe demo failed: {error or type(error).__name__}", file=sys.stderr)
        for note in getattr(error, "__notes__", ()):
            print(note, file=sys.stderr)
        return 1
    narrator.say(f"\nDone in {narrator.seconds:.0f} s; nothing is left running.")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument(
        "--cluster",
        choices=["current"],
        help="use the cluster of the current kubeconfig context, in a namespace of the demo's own",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before using it")
    return parser.parse_args()


def _ask_for_current(
    folder: Path, *, agreed: bool
) -> Callable[[], AbstractContextManager[Cluster]]:
    """Use the current context's cluster if the user agrees; raises CannotUseError otherwise."""
    context, namespace = Context(folder), new_namespace()
    ask(context, namespace, agreed=agreed)
    return lambda: current_cluster(context, namespace)


def _choose_cluster(narrator: Narrator) -> Callable[[], AbstractContextManager[Cluster]]:
    """Use the real API server, built now if necessary; otherwise, outside CI, the emulator."""
    try:
        plane = ControlPlane()
    except ControlPlaneUnavailable as unavailable:
        if os.environ.get("CI") == "true":
            raise
        narrator.say(f"No real API server: {unavailable.reason}.")
        narrator.say("Using the in-tree API emulator, without kubectl, admission and RBAC.\n")
        return emulated_cluster
    return lambda: real_cluster(plane)


def _perform(
    narrator: Narrator,
    opened: Callable[[], AbstractContextManager[Cluster]],
    folder: Path,
    pids: list[int],
) -> None:
    with ExitStack() as stack:
        with narrator.step("start stand-ins for AWS, Google and six package indexes on 127.0.0.1"):
            stage = stack.enter_context(open_stage())
            narrator.secrets = stage.credentials
        with narrator.step("reach an API server"):
            cluster = stack.enter_context(opened())
            pids += cluster.pids()
            narrator.detail(cluster.title)
        with narrator.step(cluster.applying):
            overlay = folder / "overlay"
            overlay.mkdir()
            applied = cluster.apply(stage.write_overlay(overlay, cluster.namespace))
            narrator.detail(f"{len(applied)} objects in namespace {cluster.namespace}")
        with narrator.step("start the operator as a separate process; wait until ready"):
            operator = operator_process(stage, cluster)
            stack.callback(_end, operator)
            operator.start()
            pids.append(operator.pid)
        try:
            Story(narrator, stage, cluster, folder).tell()
        except Exception as error:
            error.add_note("Last log lines of the operator:")
            error.add_note("\n".join(operator.log.splitlines()[-LOG_LINES:]))
            raise


def _end(operator: OperatorProcess) -> None:
    """Stop the operator, even if it never became ready; kill it if it does not exit."""
    try:
        operator.stop()
    except subprocess.TimeoutExpired:
        operator.kill()
        raise


def _interrupt_on(*signals: signal.Signals) -> None:
    """Raise Interrupted once; later signals do not interrupt the clean-up."""

    def leave(number: int, _frame: FrameType | None) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(number)

    for each in signals:
        signal.signal(each, leave)


if __name__ == "__main__":
    sys.exit(main())
