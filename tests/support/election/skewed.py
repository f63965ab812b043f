"""`python -m support.election.skewed run …`: the operator on a machine whose clock is wrong.

`CLOCK_AHEAD` in the environment gives the seconds by which its wall clock is ahead. Monotonic
clocks go right, as on such a machine.
"""

import os
import sys
import time

_ahead = float(os.environ["CLOCK_AHEAD"])
_right = time.time
time.time = lambda: _right() + _ahead

from artifact_index.cli import main  # noqa: E402 - its modules take the clock when they are loaded

if __name__ == "__main__":
    sys.exit(main())
