"""Types of single fields: each with its bound, and with the rule that says how to get it right."""

import re
from ipaddress import IPv6Address
from typing import Annotated, Final

from pydantic import Field

from artifact_index.api.rules import Rule, matching

# Kubernetes names (RFC 1123 labels and subdomains, label keys and values).
_LABEL: Final = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_SUBDOMAIN: Final = f"{_LABEL}([.]{_LABEL})*"
_LABEL_NAME: Final = "[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_LABEL_KEY: Final = f"({_SUBDOMAIN}/)?{_LABEL_NAME}"

ObjectName = Annotated[
    str,
    Field(max_length=253),
    matching(
        _SUBDOMAIN,
        "must be the name of an object, without its namespace: lower-case letters, digits, "
        "`-` and `.`, beginning and ending with a letter or digit",
    ),
]
"""Name of a Secret or ConfigMap: a DNS-1123 subdomain."""

NamespaceName = Annotated[
    str,
    Field(max_length=63),
    matching(
        _LABEL,
        "must be the name of a namespace: lower-case letters, digits and `-`, beginning and "
        "ending with a letter or digit",
    ),
]
"""Name of a namespace: a DNS-1123 label."""

DataKey = Annotated[
    str,
    Field(max_length=253),
    matching(
        "[-._a-zA-Z0-9]+", "must be a key of the Secret's data: letters, digits, `-`, `_` and `.`"
    ),
]
"""Key in a Secret's data."""

IndexName = Annotated[
    str,
    Field(max_length=63),
    matching(
        _LABEL,
        "must be lower-case letters, digits and `-`, beginning and ending with a letter "
        "or digit, so that uv and its environment variables can name the index",
    ),
]
"""Name of an index in uv.toml."""

ExcludeNewer = Annotated[
    str,
    Field(max_length=10),
    matching(
        "false|[1-9][0-9]{0,3} (hour|day|week)s?",
        "must be `false`, in quotes, or a span such as `7 days`, of at most 9999 hours, days or "
        "weeks",
    ),
]
"""`false` or a span, in the spelling of uv, which rejects a file with any other value."""

LabelKey = Annotated[
    str,
    Field(max_length=317),
    matching(_LABEL_KEY, "must be a label key, such as `env` or `example.com/env`"),
]
LabelValue = Annotated[
    str,
    Field(max_length=63),
    matching(
        f"({_LABEL_NAME})?",
        "must be a label value: at most 63 letters, digits, `-`, `_` and `.`, beginning "
        "and ending with a letter or digit",
    ),
]

# Every host of a spec: a DNS name or an address, an optional port up to 65535. RFC 3986 would allow
# more; uv, boto3, google-auth and Python would not all read it in one way.
_HOST_LABEL: Final = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PORT: Final = (
    "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
)
_HOST: Final = rf"({_HOST_LABEL}([.]{_HOST_LABEL})*|\[[0-9A-Fa-f:.]{{2,45}}\])(:{_PORT})?"
_BRACKETED: Final = re.compile(r"\[([^]]*)\]")


def _with_host(pattern: str, message: str) -> Rule:
    """Like `matching`; the Python side also parses an IPv6 address, which no regex does well."""
    rule = matching(pattern, message)

    def holds(value: str) -> bool:
        address = _BRACKETED.search(value.partition("//")[2].partition("/")[0] or value)
        return rule.holds(value) and (address is None or _is_ipv6(address[1]))

    return Rule(cel=rule.cel, message=message, holds=holds)


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


_USERINFO = re.compile("^[^/]*//[^/]*@")

URL_RULES: Final = (
    Rule(
        cel="self.matches('^https?://')",
        message="must start with `https://` (or with `http://`, which the operator accepts only "
        "with --allow-http)",
        holds=lambda url: url.startswith(("https://", "http://")),
    ),
    Rule(
        cel="!self.matches('^[^/]*//[^/]*@')",
        message="must not hold a user name or password; reference a Secret instead, with "
        "`basicAuth.secretRef`, or with `preauthenticated.urlSecretRef` for a complete URL",
        holds=lambda url: _USERINFO.match(url) is None,
    ),
    Rule(
        cel="!self.contains('?') && !self.contains('#')",
        message="must not have a query or a fragment; if the index needs one, put the complete "
        "URL into a Secret and reference it with `preauthenticated.urlSecretRef`",
        holds=lambda url: "?" not in url and "#" not in url,
    ),
    _with_host(
        # Userinfo, query and fragment pass here: the rules above answer them better.
        f"[^:/]*://([^/]*@)?{_HOST}([/?#][!-~]*)?",
        "must be a URL with a host, and at most a port (1 to 65535) and a path, in printable "
        "ASCII; percent-encode what is not",
    ),
    Rule(
        cel="!self.matches('[\"<>^`{|}]') && !self.contains('\\\\')",
        message="must not hold quotes, backslashes or one of <>^`{|}; percent-encode them",
        holds=lambda url: not set('"<>^`{|}\\') & set(url),
    ),
)

PAGE_PATTERN: Final = "^https?://[^/?#]+/[^?#]*[.][Hh][Tt][Mm][Ll]?/*([?#].*)?$"
_PAGE: Final = re.compile(PAGE_PATTERN)


def is_page(url: str) -> bool:
    """Whether the path ends in `.html` or `.htm`, as that of a page does and no index's."""
    return _PAGE.match(url) is not None


Url = Annotated[str, Field(max_length=2048), *URL_RULES]
"""URL without userinfo, query and fragment."""

RegistryHost = Annotated[
    str,
    Field(max_length=266),
    _with_host(
        f"(http://)?{_HOST}",
        "must be a host with at most a port, such as `europe-west1-python.pkg.dev`, "
        "without path, user name and `https://` (`http://` may precede it)",
    ),
]
"""Host that replaces a cloud's own one."""
