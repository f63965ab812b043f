"""`python -m bench.counted run …`: the operator with time enough under a counter of instructions.

It runs fifty times slower there. Its watches are to begin after the first wave all the same: beside
it they would bring back each write.
"""

import sys

import artifact_index.app
from artifact_index.cli import main

_LONG = 3600.0

if __name__ == "__main__":
    for limit in ("_FIRST_WAVE", "_OTHERS_WAVE"):
        # Another commit may lack one.
        if hasattr(artifact_index.app, limit):
            setattr(artifact_index.app, limit, _LONG)
    sys.argv[0] = "artifact-index"
    sys.exit(main())
