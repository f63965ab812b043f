"""Instrumentation hooks: the parts of the operator know this protocol and no metrics library."""

from typing import Final, Literal, Protocol

PassResult = Literal["ok", "retry", "api_error", "internal_error"]
"""How a reconcile ended: done, with a retry, or by an error."""


class Meter(Protocol):
    """Records what happened, in seconds. Called on the event loop, so it must not block."""

    def api_request(
        self, *, verb: str, resource: str, subresource: str, code: int, seconds: float
    ) -> None:
        """An HTTP request to the API server has ended; `code` is 0 without an answer."""
        ...

    def cloud_answered(self, *, provider: str, result: str, seconds: float) -> None:
        """A cloud has answered a token request; `result` is `ok` or the reason of the error."""
        ...

    def refreshed(self, *, provider: str, late: float) -> None:
        """A token was refreshed, `late` seconds after its planned time."""
        ...

    def reconciled(self, *, kind: str, result: PassResult, seconds: float) -> None:
        """A reconcile of an object has ended."""
        ...

    def loop_lag(self, seconds: float) -> None:
        """The event loop ran a timer this much later than it was due."""
        ...


class _Unmeasured:
    """Records nothing."""

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
"""The default meter, for parts without metrics, as in their tests."""
