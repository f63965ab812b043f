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
_OURS = "artifact_index.reconcile."
_PARTS: dict[str, tuple[str, ...]] = {
    "start: imports": ("importlib",),
    "decoding and encoding": ("json", "artifact_index.reconcile.cache.objects"),
    "models": ("pydantic", "artifact_index.api"),
    "rendering": ("artifact_index.rendering", "tomlkit", "tomllib"),
    "client": ("artifact_index.kube", "kubernetes", "aiohttp", "yarl", "multidict", "ssl"),
    "kopf": ("kopf", "artifact_index.watching.kopf_adapter"),
    "logins": ("artifact_index.credentials",),
    "gathering": tuple(
        _OURS + name
        for name in ("gather", "attempts", "checks", "facts", "login", "ident", "views", "sources")
    ),
    "planning": tuple(
        _OURS + name
        for name in ("placement", "outputs", "formats", "shadowing", "served", "memory")
    ),
    "statuses": tuple(
        _OURS + name
        for name in ("summarize", "conditions", "confusion", "statuses", "recorder", "events")
    ),
    "store and queue": (_OURS,),
    _LOOP: ("asyncio", "selectors", "uvloop"),
}
_FOR_ITS_CALLER = (_OURS + "digests", _OURS + "references", _OURS + "table")
_part_of: dict[str, str | None] = {}


def part_of(module: str) -> str | None:
    """Which part a module belongs to; None for one that works for its caller."""
    if module not in _part_of:
        _part_of[module] = next(
            (part for part, names in _PARTS.items() if module.startswith(names)), None
        )
        if module.startswith(_FOR_ITS_CALLER):
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
