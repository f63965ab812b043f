"""The list of allowed hosts: one parser says which host a URL names, and nobody quotes the URL."""

from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from artifact_index.sources.policy import Problem, host_problem
from support.reconcile_builders import CANARY, POLICY, first_problem, index, inputs_of, source

pytestmark = pytest.mark.unit

ALLOWED = ("pypi.example", "pypi.example:8443", "*.acme.example", "::1", "[::2]:8080")
LISTED = replace(POLICY, allowed_hosts=ALLOWED)

ODD = ["[", "]", "[x]", "[::1]", "\u2100", "\u2101", "\uff0f", "\uff1f", "\uff03", "\uff20",
       "\uff1a", "@", ":", "%", "%5B", "%zz", "'", '"', ";", "{}", "\u200d", "\xe9"]  # fmt: skip
"""Brackets, letters whose NFKC form is a delimiter, and what else other parsers stumble over."""


def problem_of(url: str, *, host_list: bool = True) -> Problem | None:
    """The first problem of a preauthenticated index with this URL."""
    record = index(spec=source("preauthenticated"))
    policy = LISTED if host_list else POLICY
    return first_problem(record, inputs_of(record, values={"url": url}, policy=policy))


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("place", ["user", "password", "both"])
def test_a_list_of_hosts_takes_each_url_that_is_taken_without_one(odd: str, place: str) -> None:
    user = f"ci{odd}{CANARY}" if place != "password" else "ci"
    password = f"{CANARY}{odd}x" if place != "user" else "p"
    url = f"https://{user}:{password}@pypi.example/simple/"
    assert problem_of(url) == problem_of(url, host_list=False)


@given(st.text(max_size=30), st.sampled_from(ODD), st.text(max_size=30))
@example("T0p[s3cretPassw0rd", "]", "x")
def test_no_login_breaks_the_check_or_stands_in_its_message(a: str, odd: str, b: str) -> None:
    for login in (f"ci:{CANARY}{a}{odd}{b}", f"{a}{odd}{b}{CANARY}:x"):
        for host in ("pypi.example", "elsewhere.example"):
            url = f"https://{login}@{host}/{CANARY}/simple/?{CANARY}{odd}#{odd}{CANARY}"
            problem = problem_of(url)
            assert problem is None or CANARY not in problem.message
            assert problem is None or problem.reason in ("InvalidSecretValue", "HostNotAllowed")
            if host == "elsewhere.example":
                assert problem is not None


@given(st.text(max_size=40))
def test_an_encoded_login_never_decides_about_the_host(text: str) -> None:
    login = quote(text.encode("utf-8", "surrogatepass"), safe="")
    for host, reason in (("pypi.example", None), ("elsewhere.example", "HostNotAllowed")):
        problem = problem_of(f"https://{login}:{login}@{host}/simple/")
        assert problem is None or problem.reason in (reason, "InvalidSecretValue")


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://pypi.example/simple/", True),
        ("https://PYPI.Example/simple/", True),
        ("https://pypi.example:8443/simple/", True),
        ("https://pypi.example:8444/simple/", True),
        ("https://a.acme.example:1/", True),
        ("https://[::1]/", True),
        ("https://[::1]:99/", True),
        ("https://[::2]:8080/", True),
        ("https://[::2]/", False),
        ("pypi.example", True),
        ("pypi.example:8443", True),
        ("http://pypi.example", True),
        ("acme.example", False),
        ("pypi.example.evil.example", False),
        ("https://evil.example/@pypi.example/", False),
        ("https://evil.example#@pypi.example/", False),
        ("https://evil.example\\@pypi.example/", False),
        ("https://pypi.example@evil.example/", False),
        ("https://pypi.example:8443@evil.example/", False),
        ("https://[pypi.example]/", False),
        ("https://pypi.example:99999/", False),
        ("https:///pypi.example/", False),
        ("", False),
    ],
)
def test_the_host_that_uv_asks_is_the_one_that_is_looked_up(url: str, allowed: bool) -> None:
    assert (host_problem("spec.x.url", url, LISTED) is None) is allowed
    assert host_problem("spec.x.url", url, POLICY) is None


@pytest.mark.parametrize("url", ["https://ci:p@[::1/", "https://ci:p@h:port/", "//ci:p@h/", "x"])
def test_a_url_that_cannot_be_judged_is_a_value_to_correct(url: str) -> None:
    problem = problem_of(url)
    assert problem is not None and problem.reason == "InvalidSecretValue"
    assert "'whole-url'" in problem.message and "correct the value" in problem.message
