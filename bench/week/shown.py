"""What a write shows: tests of the text of an output, of a status, or of an event."""

from functools import partial
from typing import Any

from bench.week.ledger import Shows
from bench.week.plan import Index


def anything(content: Any) -> bool:
    """Any write at all."""
    return True


def text(needle: str) -> Shows:
    """An output that contains this."""
    return lambda output: needle in output


def code_ignored(index: Index, code: int) -> Shows:
    """An output whose entry of the index ignores a status code."""

    def shown(output: str) -> bool:
        entry = output.partition(_entry(index))[2].partition("[[index]]")[0]
        return f"ignore-error-codes = [{code}]" in entry

    return shown


def named(index: Index, *, there: bool = True) -> Shows:
    """An output with the index, or without it."""
    return lambda output: (_entry(index) in output) is there


def condition(kind: str) -> Shows:
    """A status in which a condition is true."""
    return partial(_holds, kind)


def message(needle: str) -> Shows:
    """A status with a condition whose message contains this."""
    return lambda status: any(needle in entry["message"] for entry in status["conditions"])


def generation(number: int) -> Shows:
    """A status of this generation of the spec."""
    return lambda status: bool(status["observedGeneration"] == number)


def listed(index: Index, *, there: bool = True) -> Shows:
    """A status of an IndexOptions that lists the index, or does not."""
    return lambda status: any(_is(item, index) for item in status["indexes"]) is there


def listed_expiry(index: Index, expiry: str) -> Shows:
    """A status of an IndexOptions with the expiry of the index' token."""
    return lambda status: any(
        _is(item, index) and item.get("expiresAt") == expiry for item in status["indexes"]
    )


def expiry(at: str) -> Shows:
    """A status of an ArtifactIndex with the expiry of its token."""
    return lambda status: bool(status.get("credential", {}).get("expiresAt") == at)


def reason(name: str) -> Shows:
    """An event of this reason."""
    return lambda event: bool(event["reason"] == name)


def _holds(kind: str, status: Any) -> bool:
    return any(
        entry["type"] == kind and entry["status"] == "True" for entry in status["conditions"]
    )


def _entry(index: Index) -> str:
    return f'name = "{index.name}"'


def _is(item: Any, index: Index) -> bool:
    return bool(item["artifactIndex"] == index.name)
