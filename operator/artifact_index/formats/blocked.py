"""The URL of an index that is not available: written for every format, and found in their texts."""

import re
from typing import Final

_BLOCKED: Final = "https://{}.unavailable.invalid/"
_BLOCKED_URL: Final = re.compile(
    r"https://([^\s/]+)\.unavailable\.invalid/(?:([^\s/]+)/)?simple/", re.ASCII
)


def blocked_url(name: str, described_by: str = "") -> str:
    """The URL of an index that is not available: a host that can't exist (RFC 2606 `.invalid`).

    With `authenticate = "always"` uv stops there before it looks the host up, under every index
    strategy. The real URL without its credential would not do: on a shared host uv sends another
    index's credential to it. `described_by` is a command with `+` for spaces, which leads from
    what a client prints to the object that says why.
    """
    # Clients refuse a label that begins like punycode and is none, and uv the whole file with it.
    label = re.sub("-+", "-", name) if name.startswith("xn--") else name
    path = f"{described_by}/" if described_by else ""
    return f"{_BLOCKED.format(label)}{path}simple/"


def is_blocked_url(url: str, name: str) -> bool:
    """Whether an index of this name is blocked.

    Older versions named no command, and put any name into the URL as it is.
    """
    host = blocked_url(name).removesuffix("simple/")
    return url.startswith((host, _BLOCKED.format(name)))


def blocked_in(text: str) -> dict[str, str]:
    """The blocked indexes of a file in any format: by name, the command in the URL or nothing."""
    if ".unavailable.invalid/" not in text:
        return {}
    return dict(_BLOCKED_URL.findall(text))
