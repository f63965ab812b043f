"""What the prober reads of an index's pages, and how much of them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from artifact_index.cli.probe import asking
from artifact_index.cli.probe.pages import (
    first_project,
    has_files,
    has_upload_times,
    looks_like_an_index,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"meta": {}, "projects": [{"name": "A-b._c"}, {"name": "d"}', "a-b-c"),
        (b'<a href="/pypi/python/simple/acme-lib/">acme-lib</a>', "acme-lib"),
        (b"<a class=x href='acme/'>", "acme"),
        (b'<a href="Acme_Lib/">', "acme-lib"),
        (b'<a href="../?x=1">up</a>', None),
        (b'{"projects": []}', None),
        (b'{"projects": [{"name": "../secret"}]}', None),
        (b'{"projects": [{"name": ".."}]}', None),
    ],
)
def test_the_first_project_of_a_list(body: bytes, name: str | None) -> None:
    assert first_project(body) == name


def test_a_sign_in_page_is_no_index() -> None:
    assert looks_like_an_index(b"<html><body></body></html>")
    assert not looks_like_an_index(b'<FORM action="/login"><a href="x/">x</a>')


def test_files_without_upload_times() -> None:
    assert not has_files(b'{"files": []}')
    assert has_files(b'{"files": [{"filename": "a"}]}')
    assert has_upload_times(b'{"files": [{"filename": "a", "upload-time": "2026-01-02"}]}')
    assert not has_upload_times(b'{"files": [{"filename": "a"}]}')
    assert not has_upload_times(b'{"files": [{"filename": "a", "upload-time": null}]}')


class Endless:
    """An answer whose body does not end."""

    def __init__(self) -> None:
        self.content = self
        self.closed = False

    async def iter_any(self) -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65_000

    def close(self) -> None:
        self.closed = True


async def test_no_more_of_a_body_is_read_than_is_needed() -> None:
    answer: Any = Endless()
    assert len(await asking._start_of(answer)) == asking._MOST
    assert answer.closed
