"""What is read of a JWT that nobody has verified."""

import base64
import json
from typing import Any

import pytest

from artifact_index.credentials.web.jwt import claims_of, expiry_of

pytestmark = pytest.mark.unit


def jwt(claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{body}.signature"


@pytest.mark.parametrize(("expiry", "read"), [(1_800_000_000, 1_800_000_000), (1.9e9, 1.9e9)])
def test_an_expiry_is_read(expiry: float, read: int) -> None:
    assert expiry_of(jwt({"exp": expiry})) == read


def test_claims_are_base64url_without_padding() -> None:
    # Their bytes are 0xfb and 0xff, which the standard alphabet writes as `+` and `/`.
    for text in ("ûÿ", "aûÿ", "abûÿ", "abcûÿ"):
        assert claims_of(jwt({"sub": text})) == {"sub": text}
    raw = base64.urlsafe_b64encode(b'{"sub":"~~~???"}').rstrip(b"=").decode()
    assert "_" in raw or "-" in raw
    assert claims_of(f"e30.{raw}.x")["sub"] == "~~~???"


@pytest.mark.parametrize(
    "expiry", [None, "1800000000", True, 0, -1, 1e300, float("nan"), float("inf"), [1], {}]
)
def test_what_is_no_time_is_no_expiry(expiry: Any) -> None:
    assert expiry_of(jwt({"exp": expiry})) is None


@pytest.mark.parametrize(
    "token",
    [
        "",
        "opaque",
        "a.b",
        "a.b.c.d",
        "e30.!!!.x",
        "e30.YQ.x",
        "e30.ö.x",
        jwt([1]),
        jwt("exp"),
        f"e30.{base64.urlsafe_b64encode(b'[' * 100_000).decode()}.x",
        f"e30.{base64.urlsafe_b64encode(b'1' * 10_000).decode()}.x",
        f"e30.{base64.urlsafe_b64encode(bytes([0xFF, 0xFE])).decode()}.x",
    ],
)
def test_what_is_no_jwt_has_no_claims(token: str) -> None:
    assert claims_of(token) == {}
    assert expiry_of(token) is None
