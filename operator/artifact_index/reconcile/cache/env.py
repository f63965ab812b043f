"""What any part of a reconcile may ask for, in one value that is passed around."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.instrumentation import Meter
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.sources.policy import Policy


@dataclass(frozen=True, slots=True)
class Env:
    """The surroundings of a reconcile. Nothing in it changes while the process runs.

    `margins` are those of the freshness formula. `policy` gives what the administrator allows in a
    namespace. `digester` holds the operator's signing key. `clock` is the wall clock in POSIX
    seconds; waits go by the clock of the event loop. `rng` is for jitter only.
    """

    margins: Margins
    policy: Callable[[str], Policy]
    digester: Digester
    clock: Callable[[], float]
    rng: random.Random
    meter: Meter
