"""Logging as text or JSON lines, with a filter that redacts whatever looks like a credential.

The filter is the last line of defence: no part of the operator logs a secret on purpose.
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
# Between key and value in JSON, a repr, a header or a form; in the repr of a tuple, a comma.
_IS: Final = r"(?:\\*['\"])?[ \t]*[:=][ \t]*|\\*['\"][ \t]*,[ \t]*"
_VALUE: Final = (
    r"\{.*\}|\{.*|"  # an object, up to its last brace; it may be truncated
    r"b?\\+\".*?\\+\"|b?\"(?:\\.|[^\"\\])*\"?|"
    r"b?\\+'.*?\\+'|b?'(?:\\.|[^'\\])*'?|"
    r"(?:(?:basic|bearer|digest|negotiate)[ \t]+)?[^\s&]+"
)

# A pattern that matches too much hides a word of a log line; too little reveals a secret.
_PATTERNS: Final = (
    # userinfo of a URL, up to the last @ of the authority
    (re.compile(r"://[^/\s]*@"), f"://{REDACTED}@"),
    # the block of a Secret in YAML
    (
        re.compile(r"(?m)^([ \t]*(?:data|stringData):)[ \t]*\n(?:[ \t]+.*(?:\n|$))+"),
        rf"\1 {REDACTED}\n",
    ),
    (re.compile(rf"(?is)({_KEYS}(?:{_IS}))(?:{_VALUE})"), rf"\1{REDACTED}"),
    # an authentication scheme, followed by a value that is not a plain word
    (
        re.compile(r"\b((?i:basic|bearer))[ \t]+(?=\S*(?:[0-9+/=]|[a-z][A-Z]))[\w+/=.~-]{6,}"),
        rf"\1 {REDACTED}",
    ),
    # JWT, JWE and Google access tokens
    (re.compile(r"eyJ[\w-]{8,}\.[\w.-]+"), REDACTED),
    (re.compile(r"ya29\.[\w.-]+"), REDACTED),
    (re.compile(r"-----BEGIN [^-]*PRIVATE KEY-----.*?(?:-----END [^-]*-----|$)", re.S), REDACTED),
)


def redact(text: str) -> str:
    """Replace userinfo, authorization values, tokens and keys in the text."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


class RedactingFilter(logging.Filter):
    """Redacts each record before a handler formats it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the message and, if present, the exception and the stack."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError, LookupError):
            # A handler would only report this error; raised here, it would reach the caller.
            text = f"{record.msg} (its arguments do not match)"
        record.msg, record.args = redact(text), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON line: time, level, logger, message and any exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a JSON line."""
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
    # kopf logs each handler call at INFO, which drowns everything else at thousands of objects. The
    # clients log response bodies at DEBUG, including those of Secrets.
    for name in ("kopf.objects", "kopf.activities", "kubernetes", "aiohttp"):
        logging.getLogger(name).setLevel(logging.WARNING)
