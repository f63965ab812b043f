"""Why a login failed, and who must act."""

from artifact_index.api.reasons import Reason


class LoginError(Exception):
    """A cloud refused or did not answer.

    `message` names what is wrong and the next step, and never holds a secret value. `retry_after`
    is the least number of seconds that the cloud asked us to wait. `unanswered`: nobody answered
    the last request, unlike a service that answers that it is out of order. `request_id` is the
    cloud's own name of the refused request, for the log alone.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        retry_after: float | None = None,
        unanswered: bool = False,
        request_id: str = "",
    ) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        self.unanswered = unanswered
        self.request_id = request_id

    @property
    def permanent(self) -> bool:
        """Whether the user must act first: the same attempt would fail again."""
        return self.reason.must_act
