"""A meter that keeps what it is told, for tests of the parts that tell it."""

from collections import Counter
from typing import Any

from artifact_index.instrumentation import Meter, PassResult


class RecordingMeter(Meter):
    """What a part has told, in order or counted."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[Any, ...]] = Counter()
        self.answers: list[tuple[str, str]] = []
        self.took: list[float] = []
        self.late: list[float] = []
        self.passes: list[tuple[str, PassResult]] = []
        self.lags: list[float] = []

    def api_request(
        self, *, verb: str, resource: str, subresource: str, code: int, seconds: float
    ) -> None:
        """Verb, plural, subresource and code, counted."""
        assert seconds >= 0
        self.requests[verb, resource, subresource, code] += 1

    def cloud_answered(self, *, provider: str, result: str, seconds: float) -> None:
        """Provider and result, and the time."""
        self.answers.append((provider, result))
        self.took.append(seconds)

    def refreshed(self, *, provider: str, late: float) -> None:
        """The lateness."""
        self.late.append(late)

    def reconciled(self, *, kind: str, result: PassResult, seconds: float) -> None:
        """Kind and result."""
        assert seconds >= 0
        self.passes.append((kind, result))

    def loop_lag(self, seconds: float) -> None:
        """The lag."""
        self.lags.append(seconds)
