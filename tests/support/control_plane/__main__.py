"""Get the control plane's programs ahead of time, or run one by hand.

The environment variable KUBERNETES chooses the release, such as 1.37.
"""

import argparse
import signal
import sys

from support.control_plane import releases
from support.control_plane.binaries import build_binaries, find_binaries
from support.control_plane.errors import ControlPlaneFailed, ControlPlaneUnavailable
from support.control_plane.plane import ControlPlane


def main() -> int:
    """Run one command and return the exit status: 1 when the control plane is unavailable."""
    parser = argparse.ArgumentParser(prog="python -m support.control_plane", description=__doc__)
    commands = parser.add_subparsers(required=True)
    commands.add_parser(
        "find", help="find, fetch or build the programs, and print their folder"
    ).set_defaults(run=find)
    commands.add_parser(
        "build", help="build them where no earlier build did, and print their folder"
    ).set_defaults(run=build)
    commands.add_parser("releases", help="list the releases of the table").set_defaults(run=table)
    commands.add_parser(
        "up", help="run a control plane until Ctrl-C and print its kubeconfig"
    ).set_defaults(run=up)
    arguments = parser.parse_args()
    try:
        arguments.run()
    except (ControlPlaneUnavailable, ControlPlaneFailed, ValueError) as error:
        print(f"control plane: {error}", file=sys.stderr)
        return 1
    return 0


def find() -> None:
    """Print the folder of the programs, fetched or built now if need be."""
    found = find_binaries()
    print(found.kube_apiserver.parent)
    if found.kube_controller_manager is None:
        print(
            "Without kube-controller-manager, which some tests need: "
            "`python -m support.control_plane build` builds one.",
            file=sys.stderr,
        )


def build() -> None:
    """Print the folder of the programs, built now if need be, also where others were fetched."""
    print(build_binaries(releases.chosen()).kube_apiserver.parent)


def table() -> None:
    """Print the minor version of each release that the tests run, one a line."""
    print("\n".join(releases.RELEASES))


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
