"""Logging as text or JSON lines, with a filter that redacts whatever looks like a credential.

The filter is the last line of defence: no part of the operator logs a secret on purpose. The text
of an exception is never logged, since it may quote a value that no pattern recognizes.
"""

import hashlib
import json
import logging
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, Literal

REDACTED: Final = "[redacted]"

_MOST_FRAMES: Final = 15
"""Frames of an exception that are logged: a recursion has a thousand."""

LogEvent = Literal[
    "Started", "ConditionChanged", "TokenIssued", "TokenRefused", "EndpointFound",
    "EndpointRefused", "Deleted", "OutputAdopted", "OutputRemoved", "Retried",
    "LeaseWon", "LeaseLost", "LeaseReleased", "StandingBy",
]  # fmt: skip
"""What a structured line reports. The page of the log explains each, with its keys."""

logger = logging.getLogger(__name__)
# Commands that configure no logs share code with the operator: Python would print its warnings.
logging.getLogger("artifact_index").addHandler(logging.NullHandler())

# Keys that carry credentials, also as the end of a longer name (AWS_SECRET_ACCESS_KEY).
_KEYS: Final = (
    r"(?<![A-Za-z0-9])(?:authorization(?:[_-]?token)?|password|passwd|secret[_-]?access[_-]?key|"
    r"(?:auth|access|session|security|subject|refresh|id|client)?[_-]?token|client[_-]?secret|"
    r"signature|assertion|private[_-]?key|data|stringData)"
)
# Between key and value in JSON, a repr, a header or a form; in the repr of a tuple, a comma.
_IS: Final = r"(?:\\*['\"])?[ \t]*[:=][ \t]*|\\*['\"][ \t]*,[ \t]*"
_VALUE: Final = (
    r"\{.*\}|\{.*|"  # an object, up to its last brace; it may be truncated
    r"b?\\+\".*?\\\"|b?\"(?:\\.|[^\"\\])*\"?|"
    r"b?\\+'.*?\\'|b?'(?:\\.|[^'\\])*'?|"
    r"(?:(?:basic|bearer|digest|negotiate)[ \t]+)?[^\s&]+"
)


def _without_login(found: re.Match[str]) -> str:
    """Redact from `name:password` on what stands before an `@`, reading each character once.

    A name begins where a word or a quotation does, and after `(`, `=` or `,`. It holds no colon and
    no quotation mark; the password may hold both.
    """
    text, parts = found[0], re.split(r"(['\":])", found[0])
    begins = found.start() == 0 or found.string[found.start() - 1].isspace()
    place = 0
    for word, end in zip(parts[::2], [*parts[1::2], ""], strict=True):
        name = 0 if begins else _name_within(word)
        if word and name is not None and end == ":" and place + len(word) + 1 < len(text):
            return text[: place + name] + REDACTED
        place += len(word) + 1
        begins = end != ":"
    return text


def _name_within(word: str) -> int | None:
    """Where a name begins within a word: after its first `(`, `=` or `,`; None: nowhere."""
    sign = re.search(r"[(=,](?=.)", word)
    return sign.end() if sign is not None else None


# A pattern that matches too much hides a word of a log line; too little reveals a secret. Before it
# stand pieces in lower case: a text without any of them has no match. Most lines have none, and to
# look for these costs a hundredth. What a replacement adds is no such piece of a later pattern.
_PATTERNS: Final[
    tuple[tuple[tuple[str, ...], re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]
] = (
    # userinfo of a URL, up to the last @ of the authority
    (("://",), re.compile(r"://[^/\s]*@"), f"://{REDACTED}@"),
    # the same in a URL that is percent-encoded as a whole, perhaps twice
    (
        ("%",),
        re.compile(r"(?i)(%(?:25)*3A%(?:25)*2F%(?:25)*2F)(?:(?!%(?:25)*2F)[^/\s])*%(?:25)*40"),
        rf"\1{REDACTED}%40",
    ),
    # and without its scheme
    (("@",), re.compile(r"(?<![^\s/@])[^\s/@]++(?=@[\w\[])"), _without_login),
    (
        ("netloc",),
        re.compile(r"(?i)(netloc[ =]+)(?:'.*'|\".*\"|\S+)"),
        rf"\1{REDACTED}",
    ),
    # the block of a Secret in YAML
    (
        ("data:",),
        re.compile(r"(?m)^([ \t]*(?:data|stringData):)[ \t]*\n(?:[ \t]+.*(?:\n|$))+"),
        rf"\1 {REDACTED}\n",
    ),
    (
        # of each key a piece without i and s: these may be letters that lower() leaves as they are
        ("author", "word", "wd", "acce", "token", "cl", "gnature", "ert", "vate", "data"),
        re.compile(rf"(?is)({_KEYS}(?:{_IS}))(?:{_VALUE})"),
        rf"\1{REDACTED}",
    ),
    # an authentication scheme, followed by a value that is not a plain word
    (
        ("ba", "bear"),
        re.compile(r"\b((?i:basic|bearer))[ \t]+(?=\S*(?:[0-9+/=]|[a-z][A-Z]))[\w+/=.~-]{6,}"),
        rf"\1 {REDACTED}",
    ),
    # JWT, JWE and Google access tokens; a word without a dot is read once, as it is no token
    (
        ("eyj",),
        re.compile(r"eyJ[\w-]{8,}+(\.[\w.-]+)?"),
        lambda found: REDACTED if found[1] else found[0],
    ),
    (("ya29.",), re.compile(r"ya29\.[\w.-]+"), REDACTED),
    (
        ("-----begin",),
        re.compile(r"-----BEGIN [^-]*PRIVATE KEY-----.*?(?:-----END [^-]*-----|$)", re.S),
        REDACTED,
    ),
)


def redact(text: str) -> str:
    """Replace userinfo, authorization values, tokens and keys in the text."""
    lowered = text.lower()
    for pieces, pattern, replacement in _PATTERNS:
        for piece in pieces:
            if piece in lowered:
                text = pattern.sub(replacement, text)
                break
    return text


def describe(error: BaseException) -> str:
    """An exception and its causes by class and frames, innermost frame first; never by its text."""
    parts: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        frames = [
            f"{'/'.join(frame.f_code.co_filename.split('/')[-3:])}:{line} {frame.f_code.co_name}"
            for frame, line in traceback.walk_tb(current.__traceback__)
        ]
        innermost = " < ".join(reversed(frames[-_MOST_FRAMES:]))
        parts.append(f"{type(current).__name__} at {innermost or 'no frame'}")
        context = None if current.__suppress_context__ else current.__context__
        current = current.__cause__ or context
    return "; caused by ".join(parts)


def log_event(
    to: logging.Logger, level: int, event: LogEvent, message: str, **values: object
) -> None:
    """Log a structured line: what happened in words, and values by the keys of the catalogue.

    Values that are None or empty are left out.
    """
    if to.isEnabledFor(level):
        known = {key: value for key, value in values.items() if value not in (None, "")}
        to.log(level, "%s", message, extra={_STRUCTURED: {"event": event, **known}})


def log_exception(
    to: logging.Logger, error: BaseException, message: str, *arguments: object
) -> str:
    """Log an unexpected exception by class and frames, after a message; return its incident.

    The incident is equal for equal classes and frames: a status that names it does not change while
    the same error repeats, and leads to the line in the log.
    """
    described = describe(error)
    incident = hashlib.sha256(described.encode()).hexdigest()[:8]
    to.error(f"{message}: internal error %s: %s", *arguments, incident, described)
    return incident


def log_loop_error(_: object, context: dict[str, Any]) -> None:
    """The event loop's exception handler. The default one prints texts, arguments and results."""
    # The message ends with the representation of a callback and its arguments.
    what = re.split("[(<]", context["message"])[0].strip()
    if (error := context.get("exception")) is not None:
        log_exception(logger, error, "%s", what)
    else:
        logger.error("%s", what)


_STRUCTURED: Final = "artifact_index"
"""The attribute of a record with the values of a structured line, of which libraries know none."""


class RedactingFilter(logging.Filter):
    """Redacts each record before a handler formats it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the message and, if present, the exception and the stack."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError, LookupError):
            # A handler would only report this error; raised here, it would reach the caller.
            text = f"{record.msg} (its arguments do not match)"
        values = _values_of(record)
        # One pass over all of it: each costs more than the rest of the line.
        whole = "\0".join([text, *map(str, values.values())])
        if redact(whole) != whole:
            text = redact(text)
            redacted = (redact(each) if isinstance(each, str) else each for each in values.values())
            setattr(record, _STRUCTURED, dict(zip(values, redacted, strict=True)))
        record.msg, record.args = text, None
        if record.exc_info and record.exc_info[1] is not None:
            record.exc_text = describe(record.exc_info[1])
        elif record.exc_text:
            record.exc_text = redact(record.exc_text)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True


def _values_of(record: logging.LogRecord) -> dict[str, Any]:
    values: dict[str, Any] = getattr(record, _STRUCTURED, {})
    return values


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON line, with the keys of the catalogue."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a JSON line."""
        moment = datetime.fromtimestamp(record.created, UTC).replace(tzinfo=None)
        line = {
            "time": moment.isoformat(timespec="milliseconds") + "Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= _values_of(record)
        if record.exc_text:
            line["exception"] = record.exc_text
        return json.dumps(line, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """Formats a record for people: time, level, event, object, message, then `key=value`.

    A line without an event names the logger instead.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base class's
        """Return the line; the base class appends exception and stack."""
        start = f"{_whole_second(int(record.created))} {record.levelname:7}"
        values = dict(_values_of(record))
        if (event := values.pop("event", None)) is None:
            return f"{start} {record.name}: {record.message}"
        kind, namespace, name = (values.pop(key, "") for key in ("kind", "namespace", "name"))
        where = f"{namespace}/" if namespace else ""
        about = f" {kind} {where}{name}" if kind else ""
        return f"{start} {event}{about}: {record.message}{''.join(_pairs(values))}"


@lru_cache(maxsize=1)
def _whole_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _pairs(values: dict[str, object]) -> Iterator[str]:
    for key, value in values.items():
        text = str(value)
        yield f" {key}={json.dumps(text, ensure_ascii=False) if ' ' in text else text}"


def configure_logging(*, log_format: str, level: str) -> None:
    """Send all logs to standard error through the redacting filter."""
    handler = logging.StreamHandler()
    handler.addFilter(RedactingFilter())
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # No line tells the place in the code, the thread or the process (the logging HOWTO,
    # "Optimization"): to find them is a third of the cost of a record.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # kopf logs each handler call at INFO, which drowns everything else at thousands of objects. The
    # clients log response bodies at DEBUG, including those of Secrets.
    for name in ("kopf.objects", "kopf.activities", "kubernetes", "aiohttp"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # It warns of headers that it cannot read, and quotes them.
    logging.getLogger("urllib3.connection").setLevel(logging.ERROR)
    # Warnings of libraries have the form of all other lines.
    logging.captureWarnings(True)
    # The interpreter's own hooks print the text of the exception to standard error.
    threading.excepthook = lambda failed: _log_uncaught("thread", failed.exc_value)
    sys.unraisablehook = lambda failed: _log_uncaught("finalizer", failed.exc_value)


def _log_uncaught(where: str, error: BaseException | None) -> None:
    if error is not None:
        log_exception(logger, error, "a %s failed", where)
