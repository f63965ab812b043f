"""Why a login failed, sorted by who must act."""


class LoginError(Exception):
    """A cloud refused or did not answer.

    `reason` is a condition reason of the API's table, `message` names what is wrong and the next
    step and never holds a secret value. `permanent` means that the user must act first;
    `retry_after` is the least number of seconds that the cloud asked us to wait.
    """

    def __init__(
        self, reason: str, message: str, *, permanent: bool, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
        self.permanent = permanent
        self.retry_after = retry_after
