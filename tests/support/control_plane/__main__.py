"""Build the control plane's programs ahead of time, or run one by hand."""

import argparse
import signal
import sys

from support.control_plane.binaries import find_binaries
from support.control_plane.errors import ControlPlaneFailed, ControlPlaneUnavailable
from support.control_plane.plane import ControlPlane


def main() -> int:
    """Run one command and return the exit status: 1 when the control plane is unavailable."""
    parser = argparse.ArgumentParser(prog="python -m support.control_plane", description=__doc__)
    commands = parser.add_subparsers(required=True)
    commands.add_parser(
        "build", help="find or build the programs and print their folder"
    ).set_defaults(run=build)
    commands.add_parser(
        "up", help="run a control plane until Ctrl-C and print its kubeconfig"
    ).set_defaults(run=up)
    arguments = parser.parse_args()
    try:
        arguments.run()
    except (ControlPlaneUnavailable, ControlPlaneFailed) as error:
        print(f"control plane: {error}", file=sys.stderr)
        return 1
    return 0


def build() -> None:
    """Print the folder of the programs, built now if need be."""
    print(find_binaries().kube_apiserver.parent)


def up() -> None:
    """Run a control plane until SIGINT or SIGTERM."""
    stopping = {signal.SIGINT, signal.SIGTERM}
    with ControlPlane() as plane:
        # Only a blocked signal can be waited for.
        signal.pthread_sigmask(signal.SIG_BLOCK, stopping)
        print(f"{plane.url} is ready; Ctrl-C ends it. In another terminal:", file=sys.stderr)
        print(f"export KUBECONFIG={plane.kubeconfig_admin}", flush=True)
        signal.sigwait(stopping)


if __name__ == "__main__":
    sys.exit(main())
