"""A preauthenticated URL: used as it stands, shown without its path."""

import pytest
from pydantic import SecretStr

from artifact_index.sources.base import SecretUse
from support.reconcile_builders import SECRETS, source
from support.sources import resolve, source_of

pytestmark = pytest.mark.unit


def test_the_url_stands_verbatim_and_without_its_userinfo() -> None:
    found = resolve(source("preauthenticated"))
    assert found.verbatim_url == SecretStr(SECRETS["whole-url"]["url"])
    assert found.url == "https://whole.example/a/simple/"
    assert found.credential is None and not found.credentialed


def test_the_key_of_the_secret_is_known() -> None:
    spec = source("preauthenticated", urlSecretRef={"name": "s", "key": "u"})
    use = SecretUse("spec.preauthenticated.urlSecretRef", "s", ("u",))
    assert source_of(spec).secret() == use
