"""The endpoints of services that no login needs are forgotten, and no endpoint of ours moves."""

import pytest

from artifact_index.credentials.aws.session import AwsSession

pytestmark = pytest.mark.cloud

KEYS = {"aws_access_key_id": "AKIAEXAMPLE", "aws_secret_access_key": "example"}


def endpoint(session: AwsSession, service: str, region: str) -> str:
    with session.client(service, region, KEYS) as client:
        found: str = client.meta.endpoint_url
    return found


@pytest.mark.parametrize(
    ("service", "region", "expected"),
    [
        ("codeartifact", "eu-west-1", "https://codeartifact.eu-west-1.amazonaws.com"),
        ("codeartifact", "cn-north-1", "https://codeartifact.cn-north-1.amazonaws.com.cn"),
        ("codeartifact", "us-gov-west-1", "https://codeartifact.us-gov-west-1.amazonaws.com"),
        ("sts", "eu-west-1", "https://sts.eu-west-1.amazonaws.com"),
        ("sts", "cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn"),
        ("sso", "eu-west-1", "https://portal.sso.eu-west-1.amazonaws.com"),
        # Nobody's login, but a service that is not known still has an address.
        ("s3", "eu-west-1", "https://s3.eu-west-1.amazonaws.com"),
    ],
)
def test_each_service_is_asked_where_it_is(
    monkeypatch: pytest.MonkeyPatch, service: str, region: str, expected: str
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_CODEARTIFACT"):
        monkeypatch.delenv(name, raising=False)
    session = AwsSession(connect_timeout=1, read_timeout=1, attempts=1, now=lambda: 0.0)
    assert endpoint(session, service, region) == expected


def test_of_the_partitions_only_our_services_are_kept() -> None:
    session = AwsSession(connect_timeout=1, read_timeout=1, attempts=1, now=lambda: 0.0)
    endpoint(session, "codeartifact", "eu-west-1")
    loader = session._session._session.get_component("data_loader")
    partitions = loader.load_data("endpoints")["partitions"]
    assert {"aws", "aws-cn"} <= {partition["partition"] for partition in partitions}
    for partition in partitions:
        assert set(partition["services"]) <= {
            "codeartifact", "sts", "sso", "oidc", "portal.sso", "signin",
        }  # fmt: skip
