"""What the logins of every cloud share."""

from typing import Annotated, Final

from pydantic import Field

from artifact_index.api.base import ApiModel
from artifact_index.api.rules import SET, exactly_one, matching

_LOGINS: Final = ("operatorIdentity", "secretRef", "serviceAccountRef")
ONE_LOGIN: Final = exactly_one(
    _LOGINS,
    "must set exactly one of `operatorIdentity`, `secretRef` and `serviceAccountRef`; the last two "
    "log in with keys of a Secret or as a ServiceAccount and need nobody's consent",
)

Audience = Annotated[
    str, Field(max_length=256), matching("[!-~]+", "must be printable ASCII without spaces")
]
Audiences = Annotated[tuple[Audience, ...], Field(max_length=8), SET]


class OperatorIdentityAuth(ApiModel):
    """Log in as the operator itself. It has no fields."""
