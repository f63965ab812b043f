"""`python -m support.release_tools [PROGRAM ...]`: build these, or what the tests need."""

import sys

from support.control_plane.errors import ControlPlaneUnavailable
from support.release_tools import FOR_TESTS, programs


def main() -> int:
    """Return the exit status: 1, with one line of why, where they cannot be built."""
    try:
        print(programs(*sys.argv[1:] or FOR_TESTS))
    except ControlPlaneUnavailable as error:
        print(f"release tools: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
