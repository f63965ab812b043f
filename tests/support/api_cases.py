"""What the API accepts and refuses: one base object for each source, one change in each case.

The same cases go to the real API server (schema and CEL) and to the models.
"""

from collections.abc import Iterator
from typing import Any

from support import api_cluster_cases as clusters
from support import api_login_cases as logins
from support.api_bounds import (
    BROKEN_STRINGS,
    ENUMS,
    EXPRESSION,
    LONGEST,
    ONE_LOGIN,
    ONE_SOURCE,
    REQUIRED,
    SIZES,
    outputs,
)
from support.api_case import BASES, REMOVED, URL, Case
from support.api_cluster_cases import LABEL_KEY, VALUES

PAGE = "must set `format: flat` where the URL ends in `.html`"
PAGES = {
    base: {f"{field}.url": "https://pypi.acme.example/wheels/cpu.html"}
    for base, field in (("basic", "basicAuth"), ("anonymous", "anonymous"))
}


def _accepted() -> Iterator[Case]:
    for base in BASES:
        yield Case(f"{base} as it is", base)
    for (base, path), value in LONGEST.items():
        yield Case(f"{path} at its greatest length", base, {path: value})
    for (base, path), values in ENUMS.items():
        for value in values:
            yield Case(f"{path} {value}", base, _enum_change(path, value))
    for (base, path), (most, _, _) in SIZES.items():
        yield Case(f"{path} at its greatest size", base, {path: most})
    for base, changes in (
        *logins.ACCEPTED_CHANGES,
        *clusters.ACCEPTED,
        ("code-artifact", {"codeArtifact.auth": REMOVED}),
        ("code-artifact", {"codeArtifact.auth": {"operatorIdentity": {}}}),
        ("code-artifact", {"codeArtifact.tokenDuration": "0s"}),
        ("code-artifact", {"publish": True}),
        ("google", {"publish": True}),
        ("basic", {"publish": True, "basicAuth.publishURL": "https://pypi.acme.example/up/"}),
        (
            "options",
            {"outputs[0].kind": "ConfigMap", "outputs[0].formats": ["PipConf", "Pypirc"]},
        ),
        ("code-artifact", {"codeArtifact.tokenDuration": "15m"}),
        ("code-artifact", {"codeArtifact.tokenDuration": "0.5h"}),
        ("code-artifact", {"codeArtifact.region": "us-gov-west-1"}),
        ("code-artifact", {"codeArtifact.endpoint": "http://127.0.0.1:8080/pypi/python"}),
        ("google", {"googleArtifactRegistry.auth": REMOVED}),
        ("google", {"googleArtifactRegistry.auth": {"operatorIdentity": {}}}),
        ("google", {"googleArtifactRegistry.host": "http://127.0.0.1:8080"}),
        ("google", {"googleArtifactRegistry.host": "[::1]:8080"}),
        ("google", {"googleArtifactRegistry.location": "us"}),
        ("basic", {"basicAuth.username": ""}),
        ("basic", {"basicAuth.url": "http://[::1]:3141/root/pypi/+simple/"}),
        ("basic", {"basicAuth.url": "https://pkgs.acme.example/@scope/feed%20one/"}),
        ("basic", {"authenticate": "always", "priority": -1_000_000, "explicit": True}),
        ("anonymous", {"priority": 1_000_000, "suspend": True}),
        ("anonymous", {"ignoreErrorCodes": [100, 999]}),
        *(
            ("code-artifact", {"excludeNewer": value, "format": "simple"})
            for value in ("false", "1 day", "7 days", "36 hours", "2 weeks")
        ),
        *(
            (base, {"format": "flat", **page})
            for base, page in PAGES.items()
            for page in ({}, page)
        ),
        ("preauthenticated", {"format": "flat", "publish": False, "explicit": True}),
        *((base, {"format": "simple", **page}) for base, page in PAGES.items()),
        ("basic", {"basicAuth.url": "https://pypi.acme.example.html"}),
        ("basic", {"basicAuth.url": "https://pypi.acme.example/html"}),
        ("basic", {"basicAuth.url": "https://pypi.acme.example/cpu.html/simple/"}),
        ("options", {"maxBuildDuration": "1s"}),
        ("options", {"maxBuildDuration": "12h", "suspend": True, "preferPrivate": False}),
        ("options", {"publicIndex": {"enabled": False}}),
        ("options", {"outputs": REMOVED, "indexSelector": REMOVED, "publicIndex": REMOVED}),
        ("options", {"indexSelector": {}}),
        ("options", {"indexSelector.matchLabels": {LABEL_KEY: "", "example.com/env": "a_B.c"}}),
        ("options", {EXPRESSION: {"key": "team", "operator": "DoesNotExist"}}),
        (
            "options",
            {"outputs": [{"kind": "Secret", "name": "uv"}, {"kind": "ConfigMap", "name": "uv"}]},
        ),
    ):
        yield Case(f"{base}: {changes}", base, changes)


def _enum_change(path: str, value: str) -> dict[str, Any]:
    """An enum inside a list that the base does not hold needs the list."""
    return {path.removesuffix("[0]"): [value]} if path.endswith("]") else {path: value}


def _refused() -> Iterator[Case]:
    for (base, path), value in LONGEST.items():
        says = f"may not be more than {len(value)} bytes"
        yield Case(f"{path} too long", base, {path: value + "a"}, f"spec.{path}", says)
        for broken, said in BROKEN_STRINGS[path]:
            yield Case(f"{path} {broken!r}", base, {path: broken}, f"spec.{path}", said)
    for (base, path), values in ENUMS.items():
        says = f'supported values: "{values[0]}"'
        change = _enum_change(path, "other")
        yield Case(f"{path} other", base, change, f"spec.{path}", says)
    for base, paths in REQUIRED.items():
        for path in paths:
            yield Case(f"{path} missing", base, {path: REMOVED}, f"spec.{path}", "Required value")
    for (base, path), (_, more, says) in SIZES.items():
        yield Case(f"{path} too large", base, {path: more}, f"spec.{path}", says)
    changed: tuple[tuple[str, dict[str, Any], str, str], ...] = (
        *logins.REFUSED_CHANGES,
        *clusters.REFUSED,
        ("anonymous", {"anonymous": REMOVED}, "", ONE_SOURCE),
        ("anonymous", {"preauthenticated": {"urlSecretRef": {"name": "a"}}}, "", ONE_SOURCE),
        ("code-artifact", {"codeArtifact.auth": {}}, "codeArtifact.auth", ONE_LOGIN),
        (
            "code-artifact",
            {"codeArtifact.auth.operatorIdentity": {}},
            "codeArtifact.auth",
            ONE_LOGIN,
        ),
        ("google", {"googleArtifactRegistry.auth": {}}, "googleArtifactRegistry.auth", ONE_LOGIN),
        (
            "google",
            {"googleArtifactRegistry.auth.operatorIdentity": {}},
            "googleArtifactRegistry.auth",
            ONE_LOGIN,
        ),
        *(
            (base, {"authenticate": "never"}, "", "must not set `authenticate: never`")
            for base in ("code-artifact", "google", "preauthenticated", "basic")
        ),
        *(
            (base, {"publish": True}, "", "must not set `publish` where the URL")
            for base in ("basic", "preauthenticated", "anonymous")
        ),
        *(
            (base, {"format": "flat"}, "", "must not set `format: flat` with the repository")
            for base in ("code-artifact", "google")
        ),
        *(
            (base, {"format": "flat", **more}, "", "must not set `publish` or `excludeNewer`")
            for base, more in (
                ("anonymous", {"excludeNewer": "false"}),
                ("preauthenticated", {"excludeNewer": "7 days"}),
                ("basic", {"publish": True, "basicAuth.publishURL": URL}),
            )
        ),
        *((base, page, "", PAGE) for base, page in PAGES.items()),
        *(
            ("basic", {"basicAuth.url": f"https://pypi.acme.example/{path}"}, "", PAGE)
            for path in ("index.HTML", "a/torch_stable.htm", "a.html/")
        ),
        ("anonymous", {"excludeNewer": False}, "excludeNewer", 'must be of type string: "boolean"'),
        (
            "options",
            {"outputs[0].formats": ["Environment", "UvToml"]},
            "outputs[0]",
            "must hold `Environment` alone",
        ),
        *(
            (
                "options",
                {"outputs[0].kind": "ConfigMap", "outputs[0].formats": [each]},
                "outputs[0]",
                "must be a `Secret` where it holds `Netrc` or `Environment`",
            )
            for each in ("Netrc", "Environment")
        ),
        (
            "code-artifact",
            {"codeArtifact.domainOwner": 111122223333},
            "codeArtifact.domainOwner",
            'must be of type string: "integer"',
        ),
        ("anonymous", {"priority": 1_000_001}, "priority", "less than or equal to 1000000"),
        ("anonymous", {"priority": -1_000_001}, "priority", "greater than or equal to -1000000"),
        ("anonymous", {"ignoreErrorCodes": [99]}, "ignoreErrorCodes[0]", "or equal to 100"),
        ("anonymous", {"ignoreErrorCodes": [1000]}, "ignoreErrorCodes[0]", "or equal to 999"),
        ("anonymous", {"ignoreErrorCodes": [404, 404]}, "ignoreErrorCodes", "Duplicate value"),
        ("options", {"outputs": []}, "outputs", "should have at least 1 items"),
        ("options", {"outputs": outputs(1) * 2}, "outputs", "Duplicate value"),
        ("options", {"outputs[0].formats": []}, "outputs[0].formats", "at least 1 items"),
        ("options", {f"{EXPRESSION}.values": REMOVED}, EXPRESSION, VALUES),
    )
    for base, changes, where, says in changed:
        yield Case(f"{base}: {changes}", base, changes, f"spec.{where}".rstrip("."), says)


def _converted() -> Iterator[Case]:
    for base, where, value, wanted, given in (
        ("anonymous", "priority", "5", "integer", "string"),
        ("anonymous", "explicit", "true", "boolean", "string"),
        ("anonymous", "suspend", 1, "boolean", "integer"),
        ("code-artifact", "codeArtifact.tokenDuration", 900, "string", "integer"),
        ("options", "publicIndex.enabled", "yes", "boolean", "string"),
    ):
        says = f'must be of type {wanted}: "{given}"'
        yield Case(f"{where} {value!r}", base, {where: value}, f"spec.{where}", says)


def _without_null() -> Iterator[Case]:
    for base, where in (
        ("anonymous", "priority"),
        ("anonymous", "authenticate"),
        ("anonymous", "ignoreErrorCodes"),
        ("options", "publicIndex"),
    ):
        yield Case(f"{where} null", base, {where: None})


ACCEPTED = list(_accepted())
REFUSED = list(_refused())
HIDDEN = [
    case
    for case in REFUSED
    for path, broken in BROKEN_STRINGS.items()
    if case.refused_at == f"spec.{path}"
    and case.says in dict(broken).values()
    and not path.endswith(("Duration", "Lifetime"))
]
"""Cases of strings that a rule refuses, but for durations."""
CONVERTED = list(_converted())
"""The API server refuses them, and the models would take some: values of another type."""
NULL = list(_without_null())
"""The API server drops a null before it looks at the rest, and no stored object holds one."""
