"""Which installation writes the outputs of a namespace: two that serve it must not both do."""

from collections import Counter
from collections.abc import Callable, Set
from typing import Final

from artifact_index.reconcile.cache.objects import OutputObject, OutputRef

_Signed = tuple[str, OutputRef, str]
"""When an output was created, the output, and its writer."""

_LAST: Final = "~"
"""Sorts behind every time."""


class Writers:
    """The installations that outputs name, each by namespace and name of its Lease.

    A namespace belongs to the writer of its oldest output that names one. `lease` is that of this
    installation, and `signs` whether it holds it and names it on outputs: a process without an
    election makes way for the installation of that name, too. `outputs` are all that are cached.
    Writers whose Leases have run out do not count.
    """

    def __init__(
        self, lease: str, *, signs: bool, outputs: Callable[[], list[OutputObject]]
    ) -> None:
        self.lease = lease
        self.signature = lease if signs else ""
        self.own = lease if signs else f"{lease}(--leader-elect=false)"
        """How this installation calls itself."""
        self._outputs = outputs
        self._ended: set[str] = set()
        # Of the outputs that name others: how many in each namespace, and of each writer.
        self._foreign: Counter[str] = Counter()
        self._named: Counter[str] = Counter()
        # The output that decides, by namespace with such outputs; what is missing is looked up.
        self._oldest: dict[str, _Signed] = {}

    def put(self, output: OutputObject, before: OutputObject | None) -> None:
        """Take in an output that is cached from now on, in place of another version of it."""
        if before is not None:
            self._count(before, -1)
        self._count(output, 1)
        namespace, signed = output.ref.namespace, _signed(output)
        if (oldest := self._oldest.get(namespace)) is None or oldest == signed:
            return
        if oldest[1] == output.ref:
            del self._oldest[namespace]
        elif self._counts(output):
            self._oldest[namespace] = min(oldest, signed)

    def drop(self, output: OutputObject) -> None:
        """Take in that an output is not cached any more."""
        self._count(output, -1)
        namespace = output.ref.namespace
        if namespace in self._oldest and self._oldest[namespace][1] == output.ref:
            del self._oldest[namespace]

    @property
    def named(self) -> Set[str]:
        """The other installations that outputs name."""
        return self._named.keys()

    @property
    def ended(self) -> Set[str]:
        """Those of them whose Leases have run out."""
        self._ended.intersection_update(self._named)
        return self._ended

    def set_ended(self, writer: str, ended: bool) -> None:
        """Take in that the Lease of a writer has run out, or is renewed again."""
        (self._ended.add if ended else self._ended.discard)(writer)
        self._oldest.clear()

    def rival_in(self, namespace: str) -> str | None:
        """The other installation to which a namespace belongs; None if it is ours, or nobody's."""
        if namespace not in self._foreign:
            return None
        if namespace not in self._oldest:
            self._look_up()
        writer = self._oldest[namespace][2]
        return None if writer == self.own else writer

    def rivals(self) -> dict[str, list[str]]:
        """The namespaces that belong to others, by their writer."""
        found: dict[str, list[str]] = {}
        for namespace in sorted(self._foreign):
            if (writer := self.rival_in(namespace)) is not None:
                found.setdefault(writer, []).append(namespace)
        return found

    def _count(self, output: OutputObject, by: int) -> None:
        if output.writer in ("", self.own):
            return
        for counter, key in ((self._foreign, output.ref.namespace), (self._named, output.writer)):
            counter[key] += by
            if not counter[key]:
                del counter[key]

    def _counts(self, output: OutputObject) -> bool:
        return output.writer != "" and output.writer not in self._ended

    def _look_up(self) -> None:
        nobody = _LAST, OutputRef("", "", ""), self.own
        missing = dict.fromkeys(self._foreign.keys() - self._oldest.keys(), nobody)
        for output in self._outputs():
            if (oldest := missing.get(output.ref.namespace)) and self._counts(output):
                missing[output.ref.namespace] = min(oldest, _signed(output))
        self._oldest |= missing


def _signed(output: OutputObject) -> _Signed:
    return output.created, output.ref, output.writer
