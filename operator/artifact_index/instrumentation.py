"""Instrumentation hooks: the parts of the operator know this class and no metrics library."""

from typing import Final, Literal

PassResult = Literal["ok", "retry", "api_error", "internal_error"]
"""How a reconcile ended: done, with a retry, or by an error."""


class Meter:
    """Records what happened, in seconds: a subclass does, this class ignores everything.

    Its methods are called on the event loop, so they must not block.
    """

    def api_request(
        self, *, verb: str, resource: str, subresource: str, code: int, seconds: float
    ) -> None:
        """An HTTP request to the API server has ended; `code` is 0 without an answer."""

    def cloud_answered(self, *, provider: str, result: str, seconds: float) -> None:
        """A cloud has answered a token request; `result` is `ok` or the reason of the error."""

    def refreshed(self, *, provider: str, late: float) -> None:
        """A token was refreshed, `late` seconds after its planned time."""

    def reconciled(self, *, kind: str, result: PassResult, seconds: float) -> None:
        """A reconcile of an object has ended."""

    def loop_lag(self, seconds: float) -> None:
        """The event loop ran a timer this much later than it was due."""

    def leadership(self, event: Literal["won", "lost", "released"]) -> None:
        """This process has begun to lead, or no longer leads."""


UNMEASURED: Final = Meter()
"""The default meter, for parts without metrics, as in their tests."""
