"""What the parts of the operator tell whoever measures them.

They know this protocol and no metrics library; without a meter nothing is counted.
"""

from typing import Final, Literal, Protocol

PassResult = Literal["ok", "retry", "api_error", "internal_error"]
"""How a pass over an object ended: well, asking for another one, or by an error."""


class Meter(Protocol):
    """Takes what happened, on the event loop: it must return at once. Durations are in seconds."""

    def api_request(
        self, *, verb: str, resource: str, subresource: str, code: int, seconds: float
    ) -> None:
        """One HTTP request to the API server has ended; `code` is 0 where no answer came."""
        ...

    def cloud_answered(self, *, provider: str, result: str, seconds: float) -> None:
        """A cloud has answered a request for a grant; `result` is `ok` or an error's reason."""
        ...

    def refreshed(self, *, provider: str, late: float) -> None:
        """A successor of a grant has come, so many seconds after the time planned for it."""
        ...

    def reconciled(self, *, kind: str, result: PassResult, seconds: float) -> None:
        """A pass over an object has ended."""
        ...

    def loop_lag(self, seconds: float) -> None:
        """The event loop ran something so much later than it was due."""
        ...


class _Unmeasured:
    """Takes everything and keeps nothing."""

    def api_request(
        self, *, verb: str, resource: str, subresource: str, code: int, seconds: float
    ) -> None:
        pass

    def cloud_answered(self, *, provider: str, result: str, seconds: float) -> None:
        pass

    def refreshed(self, *, provider: str, late: float) -> None:
        pass

    def reconciled(self, *, kind: str, result: PassResult, seconds: float) -> None:
        pass

    def loop_lag(self, seconds: float) -> None:
        pass


UNMEASURED: Final[Meter] = _Unmeasured()
"""For parts that nobody measures, as in a test of one of them."""
