"""Rules of the operator's code that no linter knows: what may reach a log, and who parses URLs."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

OPERATOR = Path(__file__).parents[3] / "operator" / "artifact_index"

TEXTS = {"exception", "formatException", "format_exc", "print_exc", "format_exception"}
"""Calls that log or print the text of an exception."""

PARSERS = {"urlsplit", "urlparse", "urldefrag", "SplitResult", "ParseResult", "parse_url", "URL"}
URL_PACKAGES = {"yarl", "httpx", "rfc3986"}
ADMINISTRATORS = {"kube/proxies.py", "kube/session.py", "credentials/google/identities.py"}
"""They parse URLs of the administrator's environment and files only, never a tenant's."""


def exception_texts(code: str) -> Iterator[int]:
    """The lines that would log an exception with its text."""
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if name == "exception" and not node.args:
            continue  # of a future; a logger's takes a message
        if name in TEXTS or any(keyword.arg == "exc_info" for keyword in node.keywords):
            yield node.lineno


def url_parsers(code: str) -> Iterator[int]:
    """The lines that use another URL parser than the operator's own."""
    for node in ast.walk(ast.parse(code)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module or "").partition(".")[0], *(each.name for each in node.names)]
        elif isinstance(node, ast.Attribute):
            names = [node.attr]
        if isinstance(node, ast.stmt | ast.expr) and not URL_PACKAGES.union(PARSERS).isdisjoint(
            names
        ):
            yield node.lineno


def sources() -> Iterator[tuple[str, str]]:
    """Each module's path below the package, and its code."""
    for path in sorted(OPERATOR.rglob("*.py")):
        yield path.relative_to(OPERATOR).as_posix(), path.read_text()


def test_an_exception_is_logged_by_log_exception_alone() -> None:
    found = {f"{name}:{line}" for name, code in sources() for line in exception_texts(code)}
    assert found == set(), "use artifact_index.logs.log_exception"


def test_a_url_is_parsed_by_formats_urls_alone() -> None:
    found = {name for name, code in sources() if any(url_parsers(code))}
    assert found == ADMINISTRATORS, "use artifact_index.formats.urls"


@pytest.mark.parametrize(
    "code",
    [
        "logger.exception('it failed')",
        "self._logger.exception('it failed')",
        "logger.error('it failed', exc_info=True)",
        "logger.log(10, 'it failed', exc_info=error)",
        "traceback.print_exc()",
        "logging.Formatter().formatException(info)",
    ],
)
def test_each_way_to_log_a_text_is_found(code: str) -> None:
    assert list(exception_texts(code)) == [1]


@pytest.mark.parametrize(
    "code",
    [
        "from urllib.parse import urlsplit",
        "from urllib.parse import quote, urlparse",
        "parse.urlsplit(url)",
        "import yarl",
        "from yarl import URL",
        "import httpx",
        "from urllib3.util import parse_url",
    ],
)
def test_each_other_parser_is_found(code: str) -> None:
    assert list(url_parsers(code)) == [1]
