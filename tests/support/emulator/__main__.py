"""`python -m support.emulator`: serve until a signal, and print how to reach it."""

import argparse
import signal
from pathlib import Path

from support.emulator import Emulator

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m support.emulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="a free one by default")
    parser.add_argument("--kubeconfig", type=Path, help="where to write it")
    options = parser.parse_args()
    # Blocked before the server's thread is there: it inherits that, so that only this one waits.
    stops = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    emulator = Emulator()
    emulator.start(options.port)
    print(f"export KUBECONFIG={emulator.kubeconfig(options.kubeconfig)}", flush=True)
    signal.sigwait(stops)
    emulator.close()
