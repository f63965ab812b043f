"""`python -m bench.imports`: resident memory and seconds after each thing that a start loads."""

import gc
import os
import time
from collections.abc import Callable
from pathlib import Path


def _operator() -> None:
    import artifact_index.app  # noqa: F401, PLC0415 - measured


def _boto3() -> None:
    from artifact_index.credentials.aws.session import AwsSession  # noqa: PLC0415

    session = AwsSession(connect_timeout=1, read_timeout=1, attempts=1, now=time.time)
    keys = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
    with session.client("codeartifact", "eu-west-1", keys):
        _kept.append(session)


def _google() -> None:
    import bench.both_clouds  # noqa: F401, PLC0415


_STEPS: dict[str, Callable[[], None]] = {
    "the operator": _operator,
    "boto3 with a client": _boto3,
    "google-auth": _google,
}
_kept: list[object] = []


def main() -> None:
    """Print the table."""
    gc.disable()
    print("| after loading | MiB | more | s |\n| --- | --- | --- | --- |")
    before = 0.0
    for name, load in _STEPS.items():
        begun = time.perf_counter()
        load()
        seconds, now = time.perf_counter() - begun, _resident_mib()
        print(f"| {name} | {now:.0f} | {now - before:.0f} | {seconds:.2f} |")
        before = now


def _resident_mib() -> float:
    # `bench.observe` reads it as well, and would load the operator before it is measured.
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
