"""For how long AWS asks to pause."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from artifact_index.credentials.aws.call import AwsCall
from artifact_index.credentials.aws.errors import login_error
from artifact_index.credentials.aws.requests import CodeArtifactTokenRequest
from artifact_index.credentials.requests import OperatorIdentity

pytestmark = pytest.mark.unit

NOW = 1_800_000_000.0
REQUEST = CodeArtifactTokenRequest("eu-west-1", "acme", "111122223333", 0, OperatorIdentity())


@pytest.mark.parametrize(("status", "code"), [(429, "ThrottlingException"), (503, "Unavailable")])
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-amz-retry-after": "90000"}, 90),
        ({"x-amz-retry-after": "1"}, 0.001),
        ({"x-amz-retry-after": "90000", "retry-after": "17"}, 90),
        ({"x-amz-retry-after": "500", "retry-after": "17"}, 17),
        ({"x-amz-retry-after": "soon", "retry-after": "17"}, 17),
        ({"x-amz-retry-after": "Fri, 15 Jan 2027 08:01:30 GMT"}, None),
        ({"retry-after": "Fri, 15 Jan 2027 08:01:30 GMT"}, 90),
        *(({"x-amz-retry-after": bad}, None) for bad in ("", "-1", "0", "1.5", "nan", "9" * 400)),
        ({}, None),
    ],
)
def test_either_header_is_heeded(
    status: int, code: str, headers: dict[str, Any], seconds: float | None
) -> None:
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": headers}
    answer: Any = {"Error": {"Code": code, "Message": "later"}, "ResponseMetadata": metadata}
    error = ClientError(answer, "GetAuthorizationToken")
    found = login_error(error, AwsCall("GetAuthorizationToken", REQUEST), now=NOW)
    assert found.retry_after == seconds
