"""How test files are given to workers, also when one of them dies."""

from collections.abc import Mapping
from typing import Any

from xdist.scheduler import LoadFileScheduling

NODE = "tests/node/"


class WholeFiles(LoadFileScheduling):  # type: ignore[misc]
    """`--dist loadfile`, but the node tier is one file: each worker that runs some of it has to
    start a node.

    Of pytest-xdist 3.8 a worker that dies late never ends the run. What it had finished goes back
    to the queue too, its replacement takes a finished file, has nothing to run, and waits for ever;
    so does one that gets a single test, which a worker begins only when it knows what comes next.
    The test that killed a worker goes back as well, and kills those that come after it.
    """

    def _split_scope(self, nodeid: str) -> str:
        return NODE if nodeid.startswith(NODE) else str(super()._split_scope(nodeid))

    def remove_node(self, node: Any) -> str | None:
        """Forget a worker; returns the test that it died of, whose failure is that."""
        files: dict[str, Mapping[str, bool]] = self.assigned_work[node]
        left = [test for file in files.values() for test, done in file.items() if not done]
        died_of = left[0] if left else None
        for name, file in list(files.items()):
            open_tests = {
                test: False for test, done in file.items() if not done and test != died_of
            }
            if open_tests:
                files[name] = open_tests
            else:
                del files[name]
        super().remove_node(node)
        return died_of

    def _reschedule(self, node: Any) -> None:
        # One that has not collected yet comes by again when it has.
        if node in self.registered_collections:
            super()._reschedule(node)
            while not node.shutting_down and self._pending_of(self.assigned_work[node]) < 2:
                super()._reschedule(node)
