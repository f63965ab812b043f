"""Two URLs lead to one place exactly if clients take them to."""

import pytest

from artifact_index.formats.urls import Place, place_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://H.Example", ("https", "h.example", "/")),
        ("https://h.example:443/a/", ("https", "h.example", "/a/")),
        ("https://h.example:0443/a", ("https", "h.example", "/a")),
        ("https://h.example:/a", ("https", "h.example", "/a")),
        ("http://h.example:80/a", ("http", "h.example", "/a")),
        ("http://h.example:443/a", ("http", "h.example:443", "/a")),
        ("https://h.example:80/a", ("https", "h.example:80", "/a")),
        ("https://user:pass@h.example/a?b/../c#d", ("https", "h.example", "/a")),
        ("https://h.example/a/../b/./c/..", ("https", "h.example", "/b/")),
        ("https://h.example/../..//a/.", ("https", "h.example", "//a/")),
        ("https://h.example/a/%2e%2E/.%2e/b", ("https", "h.example", "/b")),
        ("https://h.example/A%2fb", ("https", "h.example", "/A%2fb")),
        ("https://h.example/größe", ("https", "h.example", "/gr%C3%B6%C3%9Fe")),
        ("https://[2001:DB8:0:0::1]:8443/", ("https", "[2001:db8::1]:8443", "/")),
        ("https://h.example\\@evil.example/", None),
        ("no URL", None),
    ],
)
def test_the_place_of_a_url(url: str, place: tuple[str, str, str] | None) -> None:
    assert place_of(url) == (Place(*place) if place else None)
