"""Run a program that ends when the process that started it ends: PARENT_PID PROGRAM [ARGUMENT...].

A separate step instead of code between fork and exec, which could deadlock in a process with
threads, and pytest, kopf and boto3 all have some.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Replace this process by the program; exits at once when the parent is gone already."""
    parent, program = int(sys.argv[1]), sys.argv[2]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        # The parent may have died before the signal was asked for.
        if os.getppid() != parent:
            sys.exit(1)
    os.execv(program, sys.argv[2:])


if __name__ == "__main__":
    main()
