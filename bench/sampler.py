"""`python -m bench.sampler run …`: the operator, with a look at its stack each millisecond of CPU.

The environment variable BENCH_SAMPLES names the file that the counts are written to at the end.
"""

import json
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType

from artifact_index.cli import main

SAMPLES = "BENCH_SAMPLES"
THREADS = "other threads (the clouds' SDKs)"
_EVERY = 0.001
_LOOP, _OTHER = "event loop", "other"
_OURS = "artifact_index."
_RECONCILE = _OURS + "reconcile"
PARTS: dict[str, tuple[str, ...]] = {
    "start: imports": ("importlib",),
    "decoding and encoding": ("json", _RECONCILE + ".cache.objects"),
    "models": ("pydantic", _OURS + "api"),
    "rendering": (_OURS + "formats", "tomlkit", "tomllib"),
    "client": (_OURS + "kube", "kubernetes", "aiohttp", "yarl", "multidict", "ssl"),
    "kopf": (_OURS + "watching", "kopf"),
    "logins": (_OURS + "credentials", _OURS + "service_account_tokens"),
    "resolving": (_RECONCILE + ".resolve",),
    "planning": (_RECONCILE + ".plan", _RECONCILE + ".state"),
    "statuses": (_RECONCILE + ".status", _RECONCILE + ".cache.status_parsing"),
    "cache and queue": (_RECONCILE,),
    _LOOP: ("asyncio", "selectors", "uvloop"),
}
"""The modules of each part, by the beginning of their names; the first part that fits counts."""
FOR_THEIR_CALLER = (
    _RECONCILE + ".cache.digests",
    _RECONCILE + ".cache.kind_cache",
    _OURS + "sources",
)
_part_of: dict[str, str | None] = {}


def part_of(module: str) -> str | None:
    """Which part a module belongs to; None for one that works for its caller."""
    if module not in _part_of:
        _part_of[module] = next(
            (part for part, names in PARTS.items() if module.startswith(names)), None
        )
        if module.startswith(FOR_THEIR_CALLER):
            _part_of[module] = None
    return _part_of[module]


def _sampled(frame: FrameType | None) -> str:
    while frame is not None:
        if (part := part_of(frame.f_globals.get("__name__", ""))) is not None:
            return part
        frame = frame.f_back
    return _OTHER


def _run() -> None:
    counts: Counter[str] = Counter()

    def look(_: int, frame: FrameType | None) -> None:
        counts[_sampled(frame)] += 1

    signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, _EVERY, _EVERY)
    try:
        main()
    finally:
        # What is pending still may come: an ignored signal cannot end the process.
        signal.setitimer(signal.ITIMER_PROF, 0)
        own, whole = time.thread_time(), time.process_time()
        seconds = {part: own * count / counts.total() for part, count in counts.items()}
        seconds[THREADS] = whole - own
        Path(os.environ[SAMPLES]).write_text(json.dumps(seconds))


if __name__ == "__main__":
    sys.argv[0] = "artifact-index"
    _run()
