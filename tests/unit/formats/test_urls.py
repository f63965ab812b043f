"""Index URLs are judged and taken apart without quoting them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from artifact_index.formats.document import Credential
from artifact_index.formats.urls import (
    UnusableURLError,
    has_query_or_fragment,
    has_userinfo,
    host_of,
    is_insecure,
    is_ip_address,
    safe_url,
    split_userinfo,
    validate_index_url,
    with_credential,
    without_userinfo,
)

pytestmark = pytest.mark.unit

CANARY = "c4n4ry"


@pytest.mark.parametrize(
    "url",
    [
        "https://pypi.org/simple",
        "https://host.example/simple/",
        "http://127.0.0.1:8080/simple/",
        "https://[::1]:8443/a/+simple/",
        "https://user:pa%2Fss@host.example:443/simple/?x=1#y",
        "https://us@er:p@ss@host.example/simple/",  # the last @ counts, as in uv
        "https://token@host.example/simple/",
        "https://:password@host.example/simple/",
        "https://user:100%@host.example/simple/",  # a lone % stands for itself, as in uv
        "https://user:ümläut@host.example/ünïcode/",
        "https://host.example",
        "https://host.example:/simple/",
        "https://under_score.example/simple/",
        "https://xn--bcher-kva.example/simple/",
    ],
)
def test_a_url_that_uv_understands_is_accepted(url: str) -> None:
    assert validate_index_url(url) is None


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("", "empty"),
        ("https://host/simple/\n", "line break"),
        (" https://host/simple/", "around"),
        ("https://host/sim ple/", "white space"),
        ("https://host/\x00", "control character"),
        ("https://ho\u200bst/", "invisible"),
        ("https://host/\u202e", "invisible"),
        ("https://host/\ud800", "Unicode"),
        ("https://good.example\\@evil.example/", "backslash"),
        ("HTTPS://host/simple/", "lower case"),
        ("Http://host/simple/", "lower case"),
        ("ftp://host/simple/", "https"),
        ("file:///etc/passwd", "https"),
        ("host/simple/", "absolute"),
        ("//host/simple/", "absolute"),
        ("https:/host/simple/", "absolute"),
        ("https:host/simple/", "absolute"),
        ("/a/local/path", "absolute"),
        ("https:///simple/", "no host"),
        ("https://user:pw@/simple/", "no host"),
        ("https://:443/simple/", "no host"),
        ("https://user:p/w@host/simple/", "percent-encoded"),
        ("https://user:p#w@host/simple/", "percent-encoded"),
        ("https://host:port/simple/", "percent-encoded"),
        ("https://host:65536/", "65535"),
        ("https://host:999999999999/", "65535"),
        ("https://ho%73t/", "malformed"),
        ("https://ho<st>/", "malformed"),
        ("https://[::1/", "malformed"),
        ("https://[::1]x/", "absolute"),
        ("https://[:::1]/", "IPv6"),
        ("https://bücher.example/", "punycode"),
        ("https://\uff45xample.com/", "punycode"),  # a full-width e
        ("https://user:%ff@host/", "UTF-8"),
    ],
)
def test_a_url_that_uv_would_misread_is_refused_with_the_reason(url: str, word: str) -> None:
    problem = validate_index_url(url)

    assert problem is not None
    assert word in problem


@pytest.mark.parametrize(
    ("url", "bare", "username", "password"),
    [
        ("https://u:p@h/simple/", "https://h/simple/", "u", "p"),
        ("https://u%40x:p%2F%3A%23@h:8443/s?q#f", "https://h:8443/s?q#f", "u@x", "p/:#"),
        ("https://u@x:p@q@h/", "https://h/", "u@x", "p@q"),
        ("https://u:a:b@h/", "https://h/", "u", "a:b"),
        ("https://token@H.Example/S", "https://H.Example/S", "token", ""),
        ("https://token:@h/", "https://h/", "token", ""),
        ("https://:pw@h/", "https://h/", "", "pw"),
        ("https://u:50%@[::1]:1/", "https://[::1]:1/", "u", "50%"),
        ("https://u:%D0%BF@h", "https://h", "u", "п"),
    ],
)
def test_userinfo_is_cut_off_and_decoded(url: str, bare: str, username: str, password: str) -> None:
    assert split_userinfo(url) == (bare, Credential(username, SecretStr(password)))
    assert without_userinfo(url) == bare
    assert has_userinfo(url)
    assert not has_userinfo(bare)


@pytest.mark.parametrize("url", ["https://h/simple/", "https://@h/simple/", "https://:@h/simple/"])
def test_an_empty_userinfo_is_none(url: str) -> None:
    assert split_userinfo(url) == ("https://h/simple/", None)
    assert not has_userinfo(url)


@pytest.mark.parametrize(
    ("username", "password", "url"),
    [
        ("aws", "a/b", "https://aws:a%2Fb@h:1/simple"),
        ("u@x", "-._~", "https://u%40x:-._~@h:1/simple"),
        ("token", "", "https://token@h:1/simple"),
        ("", "pw", "https://:pw@h:1/simple"),
        ("", "", "https://h:1/simple"),
    ],
)
def test_a_credential_is_put_in_with_nothing_left_safe(
    username: str, password: str, url: str
) -> None:
    assert with_credential("https://h:1/simple", Credential(username, SecretStr(password))) == url


def test_a_second_credential_is_refused() -> None:
    with pytest.raises(UnusableURLError):
        with_credential("https://u:p@h/", Credential("v", SecretStr("q")))


@pytest.mark.parametrize(
    ("url", "host", "safe"),
    [
        ("https://u:p@Host.Example:8443/path?q=1#f", "host.example", "https://host.example"),
        ("http://[FE80::1]:80/", "[fe80::1]", "http://[fe80::1]"),
        ("https://10.0.0.1/simple/", "10.0.0.1", "https://10.0.0.1"),
        (f"https:{CANARY}@host/", None, None),
        (f"https://{CANARY}/\\@host/", None, None),
        ("", None, None),
    ],
)
def test_only_scheme_and_host_are_safe_to_show(
    url: str, host: str | None, safe: str | None
) -> None:
    assert host_of(url) == host
    assert safe_url(url) == safe


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://h/a", False),
        ("https://h/a?", True),
        ("https://h?x", True),
        ("https://h/a#", True),
        ("https://u%3F:p%23@h/a%3F", False),
    ],
)
def test_a_query_or_fragment_is_found(url: str, expected: bool) -> None:
    assert has_query_or_fragment(url) is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [("http://h/", True), ("HTTP://h/", True), ("https://h/", False), ("", False)],
)
def test_plain_http_is_insecure(url: str, expected: bool) -> None:
    assert is_insecure(url) is expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.1", True),
        ("2130706433", True),
        ("0x7f.1", True),
        ("10.0.0.1.", True),
        ("[::1]", True),
        ("::1", True),
        ("1.example", False),
        ("1password", False),
        ("example.com", False),
        ("", False),
    ],
)
def test_an_ip_address_is_known_in_each_spelling(host: str, expected: bool) -> None:
    assert is_ip_address(host) is expected


@given(
    host=st.from_regex(r"[a-z0-9][a-z0-9.-]{0,20}", fullmatch=True),
    path=st.from_regex(r"(/[A-Za-z0-9%+._~?#-]{0,12}){0,3}", fullmatch=True),
    username=st.text(st.characters(exclude_categories=["Cs"])),
    password=st.text(st.characters(exclude_categories=["Cs"])),
)
def test_any_credential_comes_out_of_a_url_as_it_went_in(
    host: str, path: str, username: str, password: str
) -> None:
    bare = f"https://{host}{path}"
    credential = Credential(username, SecretStr(password))

    url = with_credential(bare, credential)

    assert validate_index_url(url) is None
    found = split_userinfo(url)
    assert found == (bare, credential if username or password else None)


@given(url=st.text() | st.text().map(lambda t: f"https://{t}"), canary=st.just(CANARY))
@example(url=f"https://{CANARY}\u2100:{CANARY}@h/", canary=CANARY)  # urllib quotes it in its error
@example(url=f"https://[{CANARY}]/", canary=CANARY)
@example(url=f"https://u:{CANARY}%ff@h/", canary=CANARY)
def test_whatever_the_text_is_nothing_raises_with_a_part_of_it(url: str, canary: str) -> None:
    for text in (url, url + canary, canary + url):
        problem = validate_index_url(text)
        assert problem is None or canary not in problem
        for answer in (host_of, safe_url, has_userinfo, has_query_or_fragment, is_insecure):
            answer(text)
        try:
            without_userinfo(text)
        except UnusableURLError as error:
            assert problem is not None
            assert canary not in repr(error)
            assert error.__context__ is None


def test_the_repr_of_a_split_url_hides_the_password() -> None:
    assert CANARY not in repr(split_userinfo(f"https://u:{CANARY}@h/"))


def test_a_credential_that_is_no_text_is_refused_without_quoting_it() -> None:
    with pytest.raises(UnusableURLError) as caught:
        with_credential("https://h/", Credential("u", SecretStr(f"{CANARY}\ud800")))

    assert CANARY not in repr(caught.value)
