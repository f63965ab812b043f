"""The texts of settings, in flags and variables, and the values that they give."""

import re
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Final

_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_UNIT_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str) -> float:
    """Convert a Go duration such as `30m` or `1h30m` to seconds. Raises ValueError."""
    if not text or _DURATION.sub("", text):
        raise ValueError("must be a duration such as 30s, 10m or 1h30m")
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION.findall(text))


def parse_period(text: str) -> float:
    """A duration of more than nothing. Raises ValueError."""
    seconds = parse_duration(text)
    if seconds <= 0:
        raise ValueError("must be a duration of more than 0s")
    return seconds


def parse_whole_seconds(text: str) -> float:
    """A duration as a Lease holds it. Raises ValueError."""
    seconds = parse_duration(text)
    if seconds < 1 or seconds % 1:
        raise ValueError("must be a duration of whole seconds, such as 15s")
    return seconds


def parse_bool(text: str) -> bool:
    """`true` or `false`, and what else people write for them. Raises ValueError."""
    if text.lower() in ("true", "1", "yes"):
        return True
    if text.lower() in ("false", "0", "no", ""):
        return False
    raise ValueError("must be true or false")


def _whole(accepted: str, least: int = 0, most: int = 999_999_999) -> Callable[[str], int]:
    """A parser of whole numbers; `accepted` is the message of its ValueError."""

    def parse(text: str) -> int:
        if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
            raise ValueError(accepted)
        return int(text)

    return parse


parse_count: Final = _whole("must be a whole number of at least 1", least=1)
parse_rate: Final = _whole("must be a whole number; 0 means no limit")
parse_port: Final = _whole("must be a port number from 0 to 65535", most=65535)


def parse_absolute_url(text: str) -> str:
    """An absolute URL. Raises ValueError."""
    if not re.match(r"^https?://[^\s/?#]+", text):
        raise ValueError("must be an absolute http or https URL")
    return text


def parse_consent(text: str) -> str:
    """A namespace, perhaps with a glob of what it may use. Raises ValueError."""
    namespace, equals, glob = text.partition("=")
    if not re.fullmatch("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", namespace) or (equals and not glob):
        raise ValueError(
            "must be NAMESPACE or NAMESPACE=GLOB, where the glob matches ARNs of domains or roles, "
            "Google projects and service accounts, and Azure feeds"
        )
    return text


def parse_namespace_glob(text: str) -> str:
    """A namespace, perhaps with wildcards, or with `!` before it. Raises ValueError."""
    if not re.fullmatch(r"!?[a-z0-9*?-]{1,63}", text):
        raise ValueError(
            "must be a namespace such as team-a, or a pattern such as team-* or !kube-*"
        )
    return text


def matches_globs(name: str, globs: Iterable[str]) -> bool:
    """Whether one of the globs matches and no `!glob` does; without one that wants, any name."""
    globs = tuple(globs)
    wanted = [glob for glob in globs if not glob.startswith("!")]
    refused = [glob[1:] for glob in globs if glob.startswith("!")]
    if any(fnmatchcase(name, glob) for glob in refused):
        return False
    return not wanted or any(fnmatchcase(name, glob) for glob in wanted)


def parse_host(text: str) -> str:
    """A host, perhaps with wildcards, in lower case. Raises ValueError."""
    if not re.fullmatch(r"[A-Za-z0-9.*?:\[\]-]+", text):
        raise ValueError("must be a host such as pypi.example.com or *.example.com")
    return text.lower()


class OneOf:
    """Parser of a setting with a fixed set of words, `choices`."""

    def __init__(self, *choices: str) -> None:
        self.choices = choices

    def __call__(self, text: str) -> str:
        """Return the word. Raises ValueError, which lists the choices."""
        if text not in self.choices:
            raise ValueError(f"must be one of {', '.join(self.choices)}")
        return text
