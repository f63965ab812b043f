"""Logs: lines that a machine or a person reads, and no credential in any of them."""

import asyncio
import base64
import gc
import io
import json
import logging
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from artifact_index.logs import (
    JsonFormatter,
    RedactingFilter,
    configure_logging,
    describe,
    log_event,
    log_exception,
    log_loop_error,
    redact,
)

pytestmark = pytest.mark.unit

SECRET = "canary-7b1e"
ENCODED = base64.b64encode(f"user:{SECRET}".encode()).decode()
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl"
PEM = f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----"

# A text, and what of it must be gone.
LEAKS: dict[str, tuple[str, str]] = {
    "userinfo": (f"GET https://user:{SECRET}@host.example/simple/", SECRET),
    "a user name that is a token": (f"https://{SECRET}@host.example/", SECRET),
    "userinfo with an @": (f"https://user:a@{SECRET}@host.example/simple/", SECRET),
    "userinfo with quotes": (f"https://user:it's\"{SECRET}@host.example/", SECRET),
    "userinfo in a repr": (f"{{'url': 'https://u:{SECRET}@host/'}}", SECRET),
    "userinfo in upper case": (f"HTTPS://u:{SECRET}@host/", SECRET),
    "userinfo with brackets": (f"https://user:T0p[{SECRET}]x@host.example/", SECRET),
    "userinfo with a letter like a delimiter": (f"https://u:{SECRET}\u2100x@host.example/", SECRET),
    "a percent-encoded URL": (quote(f"https://u:{SECRET}[@host.example/simple/", safe=""), SECRET),
    "an encoded URL in a query": (
        f"https://proxy.example/?to={quote(quote(f'https://u:{SECRET}@host/', safe=''), safe='')}",
        SECRET),
    "userinfo without a scheme": (f"cannot use 'user:{SECRET}@host.example'", SECRET),
    "the standard library's words": (
        f"netloc 'user:{SECRET} \u2100@host' contains invalid characters", SECRET),
    "a split URL": (repr(urlsplit(f"https://user:{SECRET}@host.example/")), SECRET),
    "userinfo in a repr of bytes": (repr(f"https://u:\xe9'{SECRET}@host/".encode()), SECRET),
    "two URLs": (f"from https://host/ to https://u:{SECRET}@host/", SECRET),
    "a header": (f"Authorization: Basic {ENCODED}", ENCODED),
    "a proxy's header": (f"proxy-authorization: Bearer {SECRET}", SECRET),
    "a header dict": (str({"Authorization": f"Basic {ENCODED}"}), ENCODED),
    "a header dict of bytes": (str({"Authorization": f"Basic {ENCODED}".encode()}), ENCODED),
    "a header tuple": (str(("Authorization", f"Basic {ENCODED}")), ENCODED),
    "a header in escaped JSON": (
        json.dumps(json.dumps({"authorization": f"Basic {ENCODED}"})), ENCODED),
    "raw request bytes": (
        repr(f"GET /\r\nAuthorization: Basic {ENCODED}\r\n\r\n".encode()), ENCODED),
    "a scheme alone": (f"sent Bearer {SECRET}", SECRET),
    "a scheme alone, letters only": ("sent Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
    "a password": (f'{{"password": "{SECRET}"}}', SECRET),
    "a password with an escaped quote": (json.dumps({"password": f'x"{SECRET}'}), SECRET),
    "a password cut off": (f'{{"password": "{SECRET}', SECRET),
    "a password in a form": (f"user=x&password=a,b;{SECRET}&next=1", SECRET),
    "an environment variable": (f"AWS_SECRET_ACCESS_KEY={SECRET}", SECRET),
    "a longer variable": (f"UV_INDEX_ACME_PASSWORD={SECRET}", SECRET),
    "a session token": (f"'SessionToken': '{SECRET}'", SECRET),
    "a security token": (f"x-amz-security-token:{SECRET}", SECRET),
    "a signature": (f"Credential=AKIA/x, Signature={SECRET}", SECRET),
    "CodeArtifact's answer": (f'{{"authorizationToken": "{SECRET}", "expiration": 1}}', SECRET),
    "Google's answer": (f'{{"access_token":"{SECRET}","expires_in":3599}}', SECRET),
    "an identity token": (f"id_token={SECRET}", SECRET),
    "a subject token": (f"subject_token={SECRET}&x=1", SECRET),
    "a TokenRequest's answer": (f'"status": {{"token": "{SECRET}"}}', SECRET),
    "an assertion": (f"grant_type=x&assertion={SECRET}", SECRET),
    "a JWT": (f"got {JWT} back", JWT.split(".")[1]),
    "a JWT behind a word": (f"token_{JWT}", JWT.split(".")[1]),
    "a Google token": (f"got ya29.a0{SECRET}_x", SECRET),
    "a key": (PEM, SECRET),
    "a key in JSON": (json.dumps({"k": PEM}), SECRET),
    "a key cut off": (PEM.partition("-----END")[0], SECRET),
    "a key file": (json.dumps({"private_key": SECRET, "type": "service_account"}), SECRET),
    "a Secret's data": (str({"data": {"a": SECRET, "b": SECRET}}), SECRET),
    "data that holds braces": (str({"data": {"key.json": "{}", "b": SECRET}}), SECRET),
    "data in a nested body": (str({"x": {"data": {"a": {"b": "c"}, "d": SECRET}}}), SECRET),
    "data cut off": (str({"data": {"a": SECRET}})[:-3], SECRET),
    "stringData": (f"stringData: {{'a': '{SECRET}'}}", SECRET),
    "data over lines": (json.dumps({"data": {"a": SECRET, "b": SECRET}}, indent=2), SECRET),
    "data in YAML": (f"kind: Secret\ndata:\n  a: {SECRET}\n  b: {SECRET}\nkind: x", SECRET),
}  # fmt: skip
WAYS = ["message", "argument", "exception", "cause", "stack"]


@pytest.fixture
def lines() -> Iterator[tuple[logging.Logger, io.StringIO, logging.Handler]]:
    """A logger behind the filter, and what it wrote."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter())
    logger = logging.getLogger("test_logs")
    logger.propagate = False
    logger.setLevel("DEBUG")
    logger.addHandler(handler)
    yield logger, stream, handler
    logger.removeHandler(handler)


def log(logger: logging.Logger, way: str, text: str) -> None:
    if way == "message":
        logger.debug(text)  # without arguments nothing is formatted
    elif way == "argument":
        logger.debug("this: %s", text)
    elif way == "stack":
        logger.handle(
            logger.makeRecord("test_logs", logging.INFO, "f", 1, "here", (), None, sinfo=text)
        )
    else:
        try:
            try:
                raise ValueError(text)
            except ValueError as error:
                if way == "exception":
                    raise
                raise RuntimeError("outer") from error
        except (ValueError, RuntimeError):
            logger.exception("failed")


@pytest.mark.parametrize("leak", LEAKS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_credential_is_logged(
    lines: tuple[logging.Logger, io.StringIO, logging.Handler], form: str, way: str, leak: str
) -> None:
    logger, stream, handler = lines
    if form == "json":
        handler.setFormatter(JsonFormatter())
    text, secret = LEAKS[leak]
    log(logger, way, text)
    assert stream.getvalue()
    assert secret not in stream.getvalue() and SECRET not in stream.getvalue()
    if way in ("exception", "cause"):
        # Its text is left out, whatever it is: no pattern has to recognize the secret.
        assert "ValueError at" in stream.getvalue() and "[redacted]" not in stream.getvalue()
    elif not (form == "json" and way == "stack"):
        assert "[redacted]" in stream.getvalue()


def test_an_exception_that_another_handler_has_formatted_is_redacted_too() -> None:
    record = logging.LogRecord("n", logging.INFO, "f", 1, "m", (), None)
    record.exc_text = f"password={SECRET}"
    RedactingFilter().filter(record)
    assert SECRET not in str(record.exc_text)


HARMLESS = [
    "IndexOptions builders/uv-config: 2 indexes written to Secret 'uv-config'",
    "listed 3 ArtifactIndex, 2 IndexOptions, 1 outputs, 0 labelled source Secrets",
    "GET https://pypi.org/simple/ answered 200",
    "mail to a@b.example",
    "use HTTP Basic authentication",
    "Secret 'basic' in spec.basicAuth.secretRef has no key 'password'; add it",
    "set spec.codeArtifact.tokenDuration to 12h, token_url is https://x.example/",
    "metadata: {'name': 'x'}",
    "health endpoints on port 8080",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_credential_stays(text: str) -> None:
    assert redact(text) == text


def test_what_stands_around_a_credential_stays() -> None:
    assert redact(f"GET https://u:{SECRET}@host.example/simple/ answered 401") == (
        "GET https://[redacted]@host.example/simple/ answered 401"
    )


def test_a_long_line_costs_no_more_than_its_length() -> None:
    # A token of 200 kB: with a pattern that goes back this would take minutes.
    text = "A" * 200_000
    assert redact(f"{text} {text}") == f"{text} {text}"


def test_a_log_call_with_wrong_arguments_does_not_hit_its_caller(
    lines: tuple[logging.Logger, io.StringIO, logging.Handler],
) -> None:
    logger, stream, _ = lines
    wrong: Any = ("x",)
    logger.info("%d things at %s", *wrong)
    assert "%d things at %s" in stream.getvalue() and "do not match" in stream.getvalue()


def test_a_json_line_is_one_object_with_a_time_in_utc() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        record = logging.LogRecord(
            "a.b", logging.WARNING, "f", 1, "line\nbreak %s", ("ü",), sys.exc_info()
        )
    record.created = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC).timestamp()
    RedactingFilter().filter(record)
    text = JsonFormatter().format(record)

    assert "\n" not in text
    line = json.loads(text)
    assert line.pop("exception").startswith("ValueError at tests/unit/test_logs.py:")
    assert line == {
        "time": "2026-01-02T03:04:05.678Z",
        "level": "warning",
        "logger": "a.b",
        "message": "line\nbreak ü",
    }


@pytest.fixture
def untouched_logging() -> Iterator[None]:
    """The root logger as it was, and the levels of the others."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in list(root.handlers):
        root.removeHandler(handler)
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(False)
    for name in ("kopf.objects", "kopf.activities", "kubernetes", "aiohttp", "urllib3.connection"):
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.mark.parametrize("form", ["text", "json"])
def test_all_logs_go_to_standard_error_through_the_filter(
    form: str, untouched_logging: None, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(log_format=form, level="debug")
    logging.getLogger("somewhere.deep").debug("password=%s", SECRET)
    logging.getLogger("kubernetes.client.rest").debug("response body: %s", "x")
    logging.getLogger("urllib3.connection").warning("unparsed data: response body: %s", "x")
    shown = capsys.readouterr()
    assert shown.out == "" and "response body" not in shown.err
    (line,) = shown.err.splitlines()
    assert SECRET not in line
    if form == "json":
        assert json.loads(line)["message"] == "password=[redacted]"
    else:
        moment = datetime.strptime(line.split()[0], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        assert abs((datetime.now(UTC) - moment).total_seconds()) < 60


def test_warnings_of_libraries_are_lines_like_all_others(
    untouched_logging: None, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(log_format="json", level="info")
    warnings.showwarning(f"old, password={SECRET}", DeprecationWarning, "lib.py", 1)
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["logger"] == "py.warnings" and SECRET not in line


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_structured_line_has_its_values_redacted_and_none_that_is_empty(
    form: str, untouched_logging: None, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(log_format=form, level="info")
    to = logging.getLogger("artifact_index")
    values = {"kind": "ArtifactIndex", "namespace": "builders", "name": "acme", "secret": ""}
    bad = f"https://u:{SECRET}@host.example/ x"
    log_event(to, logging.INFO, "TokenIssued", "it came", **values, cluster=bad, consumers=2)
    log_event(to, logging.DEBUG, "TokenIssued", "not at this level")
    (line,) = capsys.readouterr().err.splitlines()
    assert SECRET not in line and "secret" not in line
    if form == "text":
        assert line.split(" ", 1)[1] == (
            "INFO    TokenIssued ArtifactIndex builders/acme: it came "
            'cluster="https://[redacted]@host.example/ x" consumers=2'
        )
    else:
        assert json.loads(line)["event"] == "TokenIssued"
        assert (json.loads(line)["name"], json.loads(line)["consumers"]) == ("acme", 2)


class Unprintable(Exception):
    """An exception whose text raises, too."""

    def __str__(self) -> str:
        raise RuntimeError(SECRET)


def deep(error: Exception, depth: int = 0) -> None:
    """Raise the error from this many calls below."""
    if depth:
        deep(error, depth - 1)
    raise error


@pytest.mark.parametrize("error", [ValueError(SECRET), Unprintable(SECRET), KeyError(SECRET)])
def test_an_exception_is_logged_by_class_and_frames(
    lines: tuple[logging.Logger, io.StringIO, logging.Handler], error: Exception
) -> None:
    logger, stream, _ = lines
    try:
        try:
            deep(error, 2)
        except Exception as cause:
            raise LookupError(SECRET) from cause
    except LookupError as outer:
        incident = log_exception(logger, outer, "%s fails", "it")

    text = stream.getvalue()
    assert SECRET not in text
    name = type(error).__name__
    here = r"tests/unit/test_logs\.py:\d+"
    frames = rf"{name} at {here} deep < {here} deep < {here} deep < {here} test_an_exception"
    assert re.search(rf"it fails: internal error {incident}: LookupError at {here} test_", text)
    assert re.search(f"; caused by {frames}", text)


def test_the_same_error_is_the_same_incident_whatever_its_text_says() -> None:
    def incident_of(text: str) -> str:
        try:
            deep(ValueError(text))
        except ValueError as error:
            return log_exception(logging.getLogger("test_logs"), error, "once more")
        raise AssertionError

    assert incident_of("one") == incident_of("two")


def test_a_recursion_is_logged_with_its_innermost_frames() -> None:
    try:
        deep(ValueError(), 500)
    except ValueError as error:
        assert describe(error).count("deep") == 15


def test_causes_in_a_circle_are_described_once() -> None:
    first, second = ValueError(SECRET), KeyError(SECRET)
    first.__cause__, second.__cause__ = second, first
    assert describe(first) == "ValueError at no frame; caused by KeyError at no frame"


async def test_the_event_loop_names_no_argument_and_no_result(
    lines: tuple[logging.Logger, io.StringIO, logging.Handler], monkeypatch: pytest.MonkeyPatch
) -> None:
    logger, stream, _ = lines
    monkeypatch.setattr("artifact_index.logs.logger", logger)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(log_loop_error)
    failed = loop.create_task(_fail(SECRET), name="part")
    await asyncio.wait([failed])
    del failed
    gc.collect()
    loop.call_soon(deep, ValueError(SECRET))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    loop.call_exception_handler({"message": f"Task <Task result='{SECRET}'> was destroyed"})

    text = stream.getvalue()
    assert SECRET not in text and text.count("ValueError at") == 2
    assert "Task exception was never retrieved" in text and "Exception in callback deep" in text


async def _fail(text: str) -> None:
    raise ValueError(text)


def test_threads_and_finalizers_print_no_text_of_an_exception(
    untouched_logging: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    configure_logging(log_format="text", level="debug")
    thread = threading.Thread(target=deep, args=(ValueError(SECRET),))
    thread.start()
    thread.join()

    class Finalized:
        def __del__(self) -> None:
            raise ValueError(SECRET)

    Finalized()
    gc.collect()
    shown = capsys.readouterr().err
    assert SECRET not in shown and shown.count("ValueError at") == 2
