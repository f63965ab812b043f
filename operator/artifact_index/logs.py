"""Logging: text or JSON lines, with a filter that redacts what looks like a credential.

The filter is the last line of defence; no part of the operator logs a secret on purpose.
"""

import json
import logging
import re
from datetime import UTC, datetime
from typing import Final

REDACTED: Final = "[redacted]"

_PATTERNS: Final = (
    # userinfo of a URL
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^/\s@'\"]*@"), rf"\1{REDACTED}@"),
    # values of keys that carry credentials, in JSON, repr, header or form encoding
    (
        re.compile(
            r"(?i)(\b(?:authorization(?:-?token)?|password|secret[_-]?access[_-]?key|"
            r"x-amz-security-token|session[_-]?token|access[_-]?token|subject[_-]?token|"
            r"assertion|private[_-]?key|data|stringData)\b['\"]?\s*[:=]\s*)"
            r"(\{[^}]*\}|'[^']*'|\"[^\"]*\"|(?:(?:basic|bearer)\s+)?[^\s,;&}]+)"
        ),
        rf"\1{REDACTED}",
    ),
    # JWT, JWE and Google access tokens
    (re.compile(r"\beyJ[\w-]{8,}\.[\w.-]+"), REDACTED),
    (re.compile(r"\bya29\.[\w.-]+"), REDACTED),
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
        """Redact the message and, where there is one, the exception's text."""
        record.msg, record.args = redact(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message and, if any, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a JSON line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
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
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # kopf reports each handler call at INFO; at thousands of objects that is the log.
    for name in ("kopf.objects", "kopf.activities"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _BODY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
