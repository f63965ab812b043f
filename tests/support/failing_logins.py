"""An operator whose logins may fail soon, and the users whose logins they are."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from support.operator_process import OperatorProcess
from support.world import World

ALLOWED = "identity-allowed"
OWN_PRINCIPAL = "arn:aws:iam::111122223333:role/operator"
FLAGS = (
    *("--cloud-read-timeout", "4s", "--cloud-connect-timeout", "4s", "--mint-patience", "2s"),
    *("--outage-budget", "0s", "--write-time", "0s", "--pod-start-time", "0s"),
    *("--propagation-time", "5s", "--clock-skew", "1s", "--min-refresh-interval", "1s"),
    *("--operator-identity-namespaces", ALLOWED),
)


@contextmanager
def failing_operator(world: World) -> Iterator[OperatorProcess]:
    """An operator with an AWS identity of its own, short timeouts and small margins."""
    key = world.aws.add_access_key(principal=OWN_PRINCIPAL)
    with world.operator(*FLAGS, **world.aws.env(key)) as running:
        yield running
    world.aws.clear()
    world.google.clear()


def user(name: str) -> str:
    """The ARN of an IAM user of these tests."""
    return f"arn:aws:iam::111122223333:user/failures-{name}"


def reasons_of(options: dict[str, Any]) -> dict[str, str]:
    """The reason of each index in the status of an IndexOptions, by name."""
    indexes = options["status"].get("indexes", ())
    return {index["artifactIndex"]: index["reason"] for index in indexes}
