"""Cases of the fields of a token exchange; `api_login_cases` makes them part of its own."""

from typing import Any, Final

_URL: Final = "https://pypi.acme.example/simple/"
_LONG_URL: Final = _URL + "a" * (2048 - len(_URL))
_TEXT: Final = "must be printable ASCII without spaces at its ends"
_SLUG: Final = "must be the slug"
_MEMBER: Final = "must be the name of a member"
_USER: Final = "must not hold a colon"
_ONE: Final = "must set exactly one of `jfrog`, `cloudsmith` and `rfc8693`"
_PLATFORM: Final = "must be the URL of the platform"

_EXCHANGE: Final = "tokenExchange.exchange"
_ACCOUNT: Final = "tokenExchange.auth.serviceAccountRef"


def _spec(**preset: Any) -> dict[str, Any]:
    auth = {"serviceAccountRef": {"name": "builder"}}
    return {"tokenExchange": {"url": _URL, "exchange": preset, "auth": auth}}


SPECS: Final[dict[str, dict[str, Any]]] = {
    "jfrog": _spec(jfrog={"url": "https://acme.jfrog.example", "provider": "kubernetes"}),
    "cloudsmith": _spec(cloudsmith={"workspace": "acme", "service": "builders"}),
    "rfc8693": _spec(
        rfc8693={"endpoint": "https://sso.acme.example/token", "answer": {"token": "id_token"}}
    ),
}
LONGEST: Final[dict[tuple[str, str], str]] = {
    ("jfrog", "tokenExchange.url"): _LONG_URL,
    ("jfrog", "tokenExchange.publishURL"): _LONG_URL,
    ("jfrog", f"{_EXCHANGE}.jfrog.url"): _LONG_URL,
    ("jfrog", f"{_EXCHANGE}.jfrog.provider"): "a" * 255,
    ("jfrog", f"{_EXCHANGE}.jfrog.identityMapping"): "a" * 255,
    ("jfrog", f"{_EXCHANGE}.jfrog.project"): "a" * 255,
    ("jfrog", f"{_EXCHANGE}.jfrog.audience"): "a" * 255,
    ("jfrog", f"{_EXCHANGE}.jfrog.username"): "a" * 256,
    ("jfrog", f"{_ACCOUNT}.name"): "a" * 253,
    ("jfrog", f"{_ACCOUNT}.audience"): "a" * 256,
    ("cloudsmith", f"{_EXCHANGE}.cloudsmith.workspace"): "a" * 255,
    ("cloudsmith", f"{_EXCHANGE}.cloudsmith.service"): "a" * 255,
    ("cloudsmith", f"{_EXCHANGE}.cloudsmith.url"): _LONG_URL,
    ("rfc8693", f"{_EXCHANGE}.rfc8693.endpoint"): _LONG_URL,
    ("rfc8693", f"{_EXCHANGE}.rfc8693.audience"): "a" * 255,
    ("rfc8693", f"{_EXCHANGE}.rfc8693.scope"): "a" * 255,
    ("rfc8693", f"{_EXCHANGE}.rfc8693.username"): "a" * 256,
    ("rfc8693", f"{_EXCHANGE}.rfc8693.answer.token"): "a" * 64,
    ("rfc8693", f"{_EXCHANGE}.rfc8693.answer.expiresIn"): "a" * 64,
    ("rfc8693", f"{_EXCHANGE}.rfc8693.answer.username"): "a" * 64,
}
BROKEN_STRINGS: Final[dict[str, list[tuple[str, str]]]] = {
    **{
        f"{_EXCHANGE}.{path}": [("", _TEXT), (" a", _TEXT), ("größe", _TEXT), ("a\nb", _TEXT)]
        for path in (
            "jfrog.provider", "jfrog.identityMapping", "jfrog.project", "jfrog.audience",
            "rfc8693.audience", "rfc8693.scope",
        )
    },
    **{
        f"{_EXCHANGE}.cloudsmith.{path}": [("", _SLUG), ("a/b", _SLUG), ("..", _SLUG)]
        for path in ("workspace", "service")
    },
    **{
        f"{_EXCHANGE}.rfc8693.answer.{path}": [("", _MEMBER), ("a b", _MEMBER), ("$.a", _MEMBER)]
        for path in ("token", "expiresIn", "username")
    },
    f"{_EXCHANGE}.jfrog.username": [("a:b", _USER)],
    f"{_EXCHANGE}.rfc8693.username": [("a\nb", _USER)],
    f"{_ACCOUNT}.audience": [("a b", "must be printable ASCII without spaces")],
}  # fmt: skip
ENUMS: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("rfc8693", f"{_EXCHANGE}.rfc8693.subjectTokenType"): ("jwt", "id_token", "access_token"),
}
REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "jfrog": (
        "tokenExchange.url",
        _EXCHANGE,
        f"{_EXCHANGE}.jfrog.url",
        f"{_EXCHANGE}.jfrog.provider",
        "tokenExchange.auth",
        _ACCOUNT,
        f"{_ACCOUNT}.name",
    ),
    "cloudsmith": (f"{_EXCHANGE}.cloudsmith.workspace", f"{_EXCHANGE}.cloudsmith.service"),
    "rfc8693": (f"{_EXCHANGE}.rfc8693.endpoint",),
}
ACCEPTED_CHANGES: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("jfrog", {"publish": True, "tokenExchange.publishURL": _URL}),
    ("jfrog", {f"{_EXCHANGE}.jfrog.url": "http://127.0.0.1:8082/jfrog/"}),
    ("jfrog", {f"{_EXCHANGE}.jfrog.username": ""}),
    ("jfrog", {f"{_EXCHANGE}.jfrog.provider": "my cluster (prod)"}),
    ("rfc8693", {f"{_EXCHANGE}.rfc8693.scope": "read:packages write:packages"}),
)
REFUSED_CHANGES: Final[tuple[tuple[str, dict[str, Any], str, str], ...]] = (
    ("jfrog", {_EXCHANGE: {}}, _EXCHANGE, _ONE),
    (
        "jfrog",
        {f"{_EXCHANGE}.cloudsmith": {"workspace": "a", "service": "b"}},
        _EXCHANGE,
        _ONE,
    ),
    *(
        (
            "jfrog",
            {f"{_EXCHANGE}.jfrog.url": f"https://acme.jfrog.example/artifactory{slash}"},
            f"{_EXCHANGE}.jfrog.url",
            _PLATFORM,
        )
        for slash in ("", "/")
    ),
    ("jfrog", {"publish": True}, "", "must not set `publish` where the URL"),
    ("cloudsmith", {"authenticate": "never"}, "", "must not set `authenticate: never`"),
    ("rfc8693", {"format": "flat"}, "", "must not set `format: flat` with the repository"),
)
