"""Label and field selectors of lists and watches."""

import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from support.emulator.refusals import bad_request

Predicate: TypeAlias = Callable[[dict[str, Any]], bool]

_SET_BASED: Final = re.compile(r"^(\S+)\s+(in|notin)\s*\(([^()]*)\)$")
_EQUALITY: Final = re.compile(r"^([^\s=!]+)\s*(==|=|!=)\s*([^\s=!]*)$")
_EXISTS: Final = re.compile(r"^(!?)\s*([^\s=!()]+)$")


def parse_selectors(labels: str, fields: str) -> Predicate:
    """Give the test that an object has to pass; 400 for a selector that cannot be parsed."""
    tests = [_parse_label(term) for term in _terms(labels)]
    tests += [_parse_field(term) for term in _terms(fields)]
    return lambda body: all(test(body) for test in tests)


def _terms(selector: str) -> list[str]:
    # A comma inside of parentheses separates values, not terms.
    return [term.strip() for term in re.split(r",(?![^()]*\))", selector) if term.strip()]


def _parse_label(term: str) -> Predicate:
    if match := _SET_BASED.match(term):
        key, operator, listed = match.groups()
        values = {value.strip() for value in listed.split(",")}
        if operator == "in":
            return lambda body: _labels(body).get(key) in values
        return lambda body: _labels(body).get(key) not in values
    if match := _EQUALITY.match(term):
        key, operator, value = match.groups()
        if operator == "!=":
            return lambda body: _labels(body).get(key) != value
        return lambda body: _labels(body).get(key) == value
    if match := _EXISTS.match(term):
        negated, key = match.groups()
        return lambda body: (key in _labels(body)) != bool(negated)
    raise bad_request(f"unable to parse requirement: {term}")


def _parse_field(term: str) -> Predicate:
    match = _EQUALITY.match(term)
    if match is None:
        raise bad_request(f"invalid field selector: {term}")
    path, operator, value = match.groups()

    def test(body: dict[str, Any]) -> bool:
        found: Any = body
        for step in path.split("."):
            found = (found or {}).get(step)
        return ((found or "") == value) != (operator == "!=")

    return test


def _labels(body: dict[str, Any]) -> dict[str, str]:
    return body["metadata"].get("labels") or {}
