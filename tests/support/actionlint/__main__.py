"""`python -m support.actionlint`: check the workflows of this checkout."""

import os
import subprocess
import sys

from support.actionlint import program
from support.control_plane.errors import ControlPlaneUnavailable
from support.operator_process import REPOSITORY


def main() -> int:
    """Return the exit status: that of actionlint; in CI 1 where it cannot be built."""
    try:
        command = [str(program()), "-no-color"]
    except ControlPlaneUnavailable as error:
        print(f"The workflows are not checked here, but in CI: {error.reason}", file=sys.stderr)
        return int(os.environ.get("CI") == "true")
    return subprocess.run(command, cwd=REPOSITORY, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
