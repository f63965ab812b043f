"""Makes the findings of `artifact-index preflight`."""

from artifact_index.cli.reports import PreflightFinding, Verdict


def finding(
    check: str, verdict: Verdict, message: str, next_step: str | None = None
) -> PreflightFinding:
    """A finding; all but good ones have a next step."""
    return PreflightFinding(check=check, verdict=verdict, message=message, next_step=next_step)
