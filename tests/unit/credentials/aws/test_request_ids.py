"""AWS's identifier of a request is kept for the log, if it has the form of one."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from artifact_index.credentials.aws.call import AwsCall
from artifact_index.credentials.aws.errors import login_error, request_id_of
from artifact_index.credentials.aws.requests import CodeArtifactTokenRequest
from artifact_index.credentials.requests import OperatorIdentity

pytestmark = pytest.mark.unit

REQUEST = CodeArtifactTokenRequest("eu-west-1", "acme", "111122223333", 0, OperatorIdentity())
GOOD = "4be7c1d2-0f3a-4c55-9d1e-7a7c1f0a2b3c"


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException", "Unavailable"])
@pytest.mark.parametrize(
    ("given", "kept"),
    [(GOOD, GOOD), ("password=x y", ""), ("a\nb", ""), ("a" * 65, ""), (None, "")],
)
def test_a_refusal_carries_the_identifier_beside_its_message(
    code: str, given: str | None, kept: str
) -> None:
    metadata: Any = {"HTTPStatusCode": 503, "RequestId": given}
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": metadata}
    assert request_id_of(answer) == kept
    error = ClientError(answer, "GetAuthorizationToken")
    found = login_error(error, AwsCall("GetAuthorizationToken", REQUEST), now=0)
    assert found.request_id == kept
    # A repeated failure must not change a status.
    assert GOOD not in found.message
