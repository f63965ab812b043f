"""An index without a login."""

import pytest

from artifact_index.sources.base import ResolvedSource
from support.reconcile_builders import source
from support.sources import resolve, source_of

pytestmark = pytest.mark.unit


def test_an_anonymous_index_has_no_login() -> None:
    found = resolve(source("anonymous"))
    assert found == ResolvedSource(url="https://open.example/simple/")
    assert not found.credentialed and source_of(source("anonymous")).secret() is None
