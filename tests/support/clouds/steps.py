"""Logins of two steps and more: a ServiceAccount, then a role or a service account."""

from typing import Any

import pytest

from artifact_index.credentials.aws.client import CodeArtifact
from artifact_index.credentials.aws.requests import AssumedRole
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.google.client import GoogleTokens
from artifact_index.credentials.google.requests import Impersonation
from artifact_index.credentials.requests import (
    SUBJECT_TOKEN,
    ServiceAccountIdentity,
)
from support.clouds.logins import (
    sealed,
)

ROLE = "arn:aws:iam::111122223333:role/builders"
LAST = "arn:aws:iam::444455556666:role/reader"
PROVIDER = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k8s"
READER = "reader@acme-build.iam.gserviceaccount.com"
AWS_ACCOUNT = ServiceAccountIdentity("builders", "builder", "uid", ("sts.amazonaws.com",), ROLE)
GOOGLE_ACCOUNT = ServiceAccountIdentity("builders", "builder", "uid", ("x",), PROVIDER)
STEP = AssumedRole(LAST, "builders@artifact-index-operator", "id-7", (("team", "a"),))
PERSON = Impersonation(READER, (), 3600)
SUBJECT = "subject-token-canary"
TOKEN = sealed({SUBJECT_TOKEN: SUBJECT})
WEB, ASSUME = "AssumeRoleWithWebIdentity", "AssumeRole"


def refused(client: CodeArtifact | GoogleTokens, request: Any, material: Any = TOKEN) -> LoginError:
    with pytest.raises(LoginError) as caught:
        client.issue(request, material)
    assert SUBJECT not in str(caught.value)
    return caught.value
