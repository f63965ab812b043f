"""The public index of a document: PyPI, a mirror, or none."""

from typing import Any

import pytest

from artifact_index.reconcile.plan.outputs import document_of
from support.reconcile_builders import options

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("spec", "name", "url"),
    [
        ({}, "pypi", "https://pypi.org/simple"),
        ({"publicIndex": {"name": "mirror"}}, "mirror", "https://pypi.org/simple"),
        ({"publicIndex": {"url": "https://m.example/"}}, "pypi", "https://m.example/"),
    ],
)
def test_the_public_index_is_pypi_or_its_mirror(spec: dict[str, Any], name: str, url: str) -> None:
    record = options(spec=spec)
    assert record.spec is not None
    public = document_of(record.spec, []).public
    assert public is not None and (public.name, public.url) == (name, url)


def test_a_disabled_public_index_is_left_out() -> None:
    record = options(spec={"publicIndex": {"enabled": False}})
    assert record.spec is not None
    assert document_of(record.spec, []).public is None
