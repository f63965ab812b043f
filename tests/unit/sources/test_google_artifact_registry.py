"""Google Artifact Registry: what is asked of Google with which identity."""

import pytest

from artifact_index.credentials.google.requests import GoogleTokenRequest
from artifact_index.sources.base import SecretUse
from support.reconcile_builders import SECRETS, source
from support.sources import resolve, source_of

pytestmark = pytest.mark.unit


def test_a_token_is_the_principals_whatever_the_repository() -> None:
    one = resolve(source("googleArtifactRegistry"))
    other = resolve(source("googleArtifactRegistry", repository="other", project="other-project"))
    assert isinstance(one.token, GoogleTokenRequest) and one.token == other.token
    assert one.username == "oauth2accesstoken" and one.endpoint is None
    assert one.material["key_json"].get_secret_value() == SECRETS["gcp-key"]["key.json"]


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({}, "https://europe-west1-python.pkg.dev/my-project/python/simple/"),
        ({"location": "us"}, "https://us-python.pkg.dev/my-project/python/simple/"),
        ({"host": "psc.example"}, "https://psc.example/my-project/python/simple/"),
        ({"host": "psc.example:8443"}, "https://psc.example:8443/my-project/python/simple/"),
        ({"host": "http://[::1]:80"}, "http://[::1]:80/my-project/python/simple/"),
    ],
)
def test_the_url_of_a_repository(fields: dict[str, str], url: str) -> None:
    spec = source("googleArtifactRegistry", **fields)
    assert resolve(spec).url == url == source_of(spec).url()


def test_the_key_of_the_secret_is_known() -> None:
    use = SecretUse("spec.googleArtifactRegistry.auth.secretRef", "gcp-key", ("key.json",))
    assert source_of(source("googleArtifactRegistry")).secret() == use
