"""What can go wrong with the test control plane."""


class ControlPlaneUnavailable(Exception):
    """This machine has no programs for a control plane and cannot build them.

    `reason` says what is missing and what would help; tests elsewhere than in CI may skip with it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ControlPlaneFailed(Exception):
    """A program of the control plane stopped or did not get ready in time; holds its last lines."""


class PortTaken(ControlPlaneFailed):
    """Somebody else got the port between its choice and its use."""
