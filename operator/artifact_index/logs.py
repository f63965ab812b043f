"""Logging: text or JSON lines, with a filter that redacts what looks like a credential.

The filter is the last line of defence; no part of the operator logs a secret on purpose.
"""

import json
import logging
import re
import time
from datetime import UTC, datetime
from typing import Final

REDACTED: Final = "[redacted]"

# Keys that carry credentials, also as the end of a longer name (AWS_SECRET_ACCESS_KEY).
_KEYS: Final = (
    r"(?<![A-Za-z0-9])(?:authorization(?:[_-]?token)?|password|passwd|secret[_-]?access[_-]?key|"
    r"(?:auth|access|session|security|subject|refresh|id|client)?[_-]?token|client[_-]?secret|"
    r"signature|assertion|private[_-]?key|data|stringData)"
)
# In JSON, a repr, a header or a form; in a tuple of a repr a comma stands between.
_IS: Final = r"(?:\\*['\"])?[ \t]*[:=][ \t]*|\\*['\"][ \t]*,[ \t]*"
_VALUE: Final = (
    r"\{.*\}|\{.*|"  # an object, cut off or not: up to the last brace
    r"b?\\+\".*?\\+\"|b?\"(?:\\.|[^\"\\])*\"?|"
    r"b?\\+'.*?\\+'|b?'(?:\\.|[^'\\])*'?|"
    r"(?:(?:basic|bearer|digest|negotiate)[ \t]+)?[^\s&]+"
)

# What a pattern takes too much costs a word of a log line; too little costs a secret.
_PATTERNS: Final = (
    # userinfo of a URL, up to the last @ of the authority
    (re.compile(r"://[^/\s]*@"), f"://{REDACTED}@"),
    # the block of a Secret in YAML
    (
        re.compile(r"(?m)^([ \t]*(?:data|stringData):)[ \t]*\n(?:[ \t]+.*(?:\n|$))+"),
        rf"\1 {REDACTED}\n",
    ),
    (re.compile(rf"(?is)({_KEYS}(?:{_IS}))(?:{_VALUE})"), rf"\1{REDACTED}"),
    # a scheme with what is no word after it
    (
        re.compile(r"\b((?i:basic|bearer))[ \t]+(?=\S*(?:[0-9+/=]|[a-z][A-Z]))[\w+/=.~-]{6,}"),
        rf"\1 {REDACTED}",
    ),
    # JWT, JWE and Google access tokens
    (re.compile(r"eyJ[\w-]{8,}\.[\w.-]+"), REDACTED),
    (re.compile(r"ya29\.[\w.-]+"), REDACTED),
    (re.compile(r"-----BEGIN [^-]*PRIVATE KEY-----.*?(?:-----END [^-]*-----|$)", re.S), REDACTED),
)

# The client logs response bodies at DEBUG, and those of Secrets are among them.
_BODY_LOGGERS: Final = ("kubernetes", "aiohttp")


def redact(text: str) -> str:
    """The text without userinfo, authorization values, tokens and keys."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


class RedactingFilter(logging.Filter):
    """Rewrites each record to its redacted message before any handler formats it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the message and, where there are any, the exception's text and the stack."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError, LookupError):
            # logging reports this where a handler formats; here it would hit whoever logs.
            text = f"{record.msg} (its arguments do not fit)"
        record.msg, record.args = redact(text), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message and, if any, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a JSON line."""
        moment = datetime.fromtimestamp(record.created, UTC).replace(tzinfo=None)
        line = {
            "time": moment.isoformat(timespec="milliseconds") + "Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_text:
            line["exception"] = record.exc_text
        return json.dumps(line, ensure_ascii=False)


def configure_logging(*, log_format: str, level: str) -> None:
    """Send all logs to standard error through the redacting filter."""
    handler = logging.StreamHandler()
    handler.addFilter(RedactingFilter())
    if log_format == "json":
        handler.setFormatter(JsonFormatter())
    else:
        text = logging.Formatter(
            "%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ"
        )
        text.converter = time.gmtime
        handler.setFormatter(text)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # kopf reports each handler call at INFO; at thousands of objects that is the log.
    for name in ("kopf.objects", "kopf.activities"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _BODY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
