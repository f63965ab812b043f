"""What the API accepts and refuses: one base object for each source, one change in each case.

The same cases go to the real API server (schema and CEL) and to the models.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from artifact_index.api.constants import API_VERSION
from support import api_login_cases as logins

INDEX, OPTIONS = "ArtifactIndex", "IndexOptions"


class _Removed:
    def __repr__(self) -> str:
        return "removed"


REMOVED = _Removed()
"""A value that says: take the field away."""

URL = "https://pypi.acme.example/simple/"
BASES: dict[str, tuple[str, dict[str, Any]]] = {
    "code-artifact": (
        INDEX,
        {
            "codeArtifact": {
                "domain": "acme",
                "domainOwner": "111122223333",
                "region": "eu-west-1",
                "repository": "python",
                "auth": {"secretRef": {"name": "aws"}},
            }
        },
    ),
    "google": (
        INDEX,
        {
            "googleArtifactRegistry": {
                "project": "acme-build",
                "location": "europe-west1",
                "repository": "python",
                "auth": {"secretRef": {"name": "google"}},
            }
        },
    ),
    **{name: (INDEX, spec) for name, spec in logins.SPECS.items()},
    "preauthenticated": (INDEX, {"preauthenticated": {"urlSecretRef": {"name": "url"}}}),
    "basic": (INDEX, {"basicAuth": {"url": URL, "secretRef": {"name": "login"}}}),
    "anonymous": (INDEX, {"anonymous": {"url": URL}}),
    "options": (
        OPTIONS,
        {
            "indexSelector": {
                "matchLabels": {"env": "prod"},
                "matchExpressions": [{"key": "team", "operator": "In", "values": ["a"]}],
            },
            "publicIndex": {},
            "outputs": [{"kind": "Secret", "name": "uv-config"}],
        },
    ),
}


@dataclass(frozen=True)
class Case:
    """A base object with some fields changed; refused ones say where and what the answer says."""

    title: str
    base: str
    changes: dict[str, Any] = field(default_factory=dict)
    refused_at: str = ""
    says: str = ""

    def __str__(self) -> str:
        return self.title[:100]

    @property
    def kind(self) -> str:
        return BASES[self.base][0]

    @property
    def spec(self) -> dict[str, Any]:
        spec = copy.deepcopy(BASES[self.base][1])
        for path, value in self.changes.items():
            _change(spec, path, value)
        return spec

    def document(self, name: str) -> dict[str, Any]:
        return {
            "apiVersion": API_VERSION,
            "kind": self.kind,
            "metadata": {"name": name},
            "spec": self.spec,
        }


def _change(spec: dict[str, Any], path: str, value: Any) -> None:
    """Set `a.b[0].c`, creating objects on the way, or take it away."""
    steps = path.replace("[", ".").replace("]", "").split(".")
    *parents, last = [int(step) if step.isdigit() else step for step in steps]
    here: Any = spec
    for step in parents:
        here = here.setdefault(step, {}) if isinstance(here, dict) else here[step]
    if value is REMOVED:
        del here[last]
    else:
        here[last] = value


BAD_NAME = "must be the name of an object in this namespace"
BAD_KEY = "must be a key of the Secret's data"
BAD_INDEX_NAME = "must be lower-case letters, digits and `-`"
BAD_DURATION = "must be a duration such as `30m`"
ONE_SOURCE = "must set exactly one source"
ONE_LOGIN = "must set exactly one of `operatorIdentity`, `secretRef` and `serviceAccountRef`"
CODE_ARTIFACT_LIFE = "must be `0s` or between `15m` and `12h`"
BUILD_LENGTH = "must be between `1s` and `12h`"
VALUES = "must have `values` with operator In or NotIn"
NO_USERINFO = "must not hold a user name or password; reference a Secret"
NO_QUERY = "must not have a query or a fragment; if the index needs one"
SCHEME = "must start with `https://`"
WHOLE_URL = "must be a URL with a host"
ODD_CHARACTERS = "must not hold quotes, backslashes"
HOST = "must be a host with at most a port"

_LONG_URL = URL + "a" * (2048 - len(URL))
_LABEL_KEY = "a" * 253 + "/" + "b" * 63

# Every string of a spec with a value of the greatest length that is accepted.
LONGEST: dict[tuple[str, str], str] = {
    ("code-artifact", "codeArtifact.domain"): "a" * 50,
    ("code-artifact", "codeArtifact.domainOwner"): "1" * 12,
    ("code-artifact", "codeArtifact.region"): "abcdefgh-abcdefghijklmno-abcde-1",
    ("code-artifact", "codeArtifact.repository"): "a" * 100,
    ("code-artifact", "codeArtifact.tokenDuration"): "00h00h00h00h012h",
    ("code-artifact", "codeArtifact.endpoint"): _LONG_URL,
    ("code-artifact", "codeArtifact.auth.secretRef.name"): "a" * 253,
    ("code-artifact", "codeArtifact.auth.secretRef.accessKeyIDKey"): "a" * 253,
    ("code-artifact", "codeArtifact.auth.secretRef.secretAccessKeyKey"): "a" * 253,
    ("code-artifact", "codeArtifact.auth.secretRef.sessionTokenKey"): "a" * 253,
    ("google", "googleArtifactRegistry.project"): "a" * 69 + ":" + "a" * 30,
    ("google", "googleArtifactRegistry.location"): "a" * 63,
    ("google", "googleArtifactRegistry.repository"): "a" * 63,
    ("google", "googleArtifactRegistry.host"): "http://" + ("a" * 62 + ".") * 4 + "a:65535",
    ("google", "googleArtifactRegistry.auth.secretRef.name"): "a" * 253,
    ("google", "googleArtifactRegistry.auth.secretRef.key"): "a" * 253,
    **logins.LONGEST,
    ("preauthenticated", "preauthenticated.urlSecretRef.name"): "a" * 253,
    ("preauthenticated", "preauthenticated.urlSecretRef.key"): "a" * 253,
    ("basic", "basicAuth.url"): _LONG_URL,
    ("basic", "basicAuth.publishURL"): _LONG_URL,
    ("basic", "basicAuth.username"): "a" * 256,
    ("basic", "basicAuth.secretRef.name"): "a" * 253,
    ("basic", "basicAuth.secretRef.usernameKey"): "a" * 253,
    ("basic", "basicAuth.secretRef.passwordKey"): "a" * 253,
    ("anonymous", "anonymous.url"): _LONG_URL,
    ("anonymous", "name"): "a" * 63,
    ("options", "indexSelector.matchLabels.env"): "a" * 63,
    ("options", "indexSelector.matchExpressions[0].key"): _LABEL_KEY,
    ("options", "indexSelector.matchExpressions[0].values[0]"): "a" * 63,
    ("options", "publicIndex.name"): "a" * 63,
    ("options", "publicIndex.url"): _LONG_URL,
    ("options", "maxBuildDuration"): "00h00h00h00h012h",
    ("options", "outputs[0].name"): "a" * 253,
}

# Every rule of a string: a value that breaks it, and what the answer says.
BROKEN_STRINGS: dict[str, list[tuple[str, str]]] = {
    "name": [("acme_1", BAD_INDEX_NAME), ("-acme", BAD_INDEX_NAME), ("", BAD_INDEX_NAME)],
    "codeArtifact.domain": [
        ("Acme", "must be the name of a CodeArtifact domain"),
        ("a", "must be the name of a CodeArtifact domain"),
    ],
    "codeArtifact.domainOwner": [("11112222333", "must be the 12 digits of the AWS account")],
    "codeArtifact.region": [("eu-west", "must be an AWS region, such as `eu-west-1`")],
    "codeArtifact.repository": [(".python", "must be the name of a CodeArtifact repository")],
    "codeArtifact.tokenDuration": [
        ("12", BAD_DURATION),
        ("-1h", BAD_DURATION),
        ("9999999h", BAD_DURATION),
        ("14m59.999s", CODE_ARTIFACT_LIFE),
        ("12h1ms", CODE_ARTIFACT_LIFE),
        ("1ms", CODE_ARTIFACT_LIFE),
    ],
    "maxBuildDuration": [
        ("half an hour", BAD_DURATION),
        ("0s", BUILD_LENGTH),
        ("999ms", BUILD_LENGTH),
        ("12h1s", BUILD_LENGTH),
        ("999999h999999h", BUILD_LENGTH),
    ],
    "googleArtifactRegistry.project": [("1234", "must be the ID of a Google Cloud project")],
    "googleArtifactRegistry.location": [("europe_1", "must be a location of Artifact Registry")],
    "googleArtifactRegistry.repository": [
        ("1python", "must be the name of an Artifact Registry repository")
    ],
    "googleArtifactRegistry.host": [
        ("https://europe-west1-python.pkg.dev", HOST),
        ("pkg.example/path", HOST),
        ("user@pkg.example", HOST),
        ("pkg.example:port", HOST),
    ],
    "basicAuth.username": [("acme:1", "must not hold a colon"), ("a\nb", "must not hold a colon")],
    "indexSelector.matchLabels.env": [("-prod", "must be a label value")],
    "indexSelector.matchExpressions[0].key": [("a/b/c", "must be a label key")],
    "indexSelector.matchExpressions[0].values[0]": [("a b", "must be a label value")],
    "publicIndex.name": [("PyPI", BAD_INDEX_NAME)],
    **logins.BROKEN_STRINGS,
}
for _base, _path in LONGEST:
    if _path.endswith(("url", "URL", "endpoint")):
        BROKEN_STRINGS[_path] = [
            ("https://user:secret@pypi.acme.example/simple/", NO_USERINFO),
            ("https://token@pypi.acme.example/simple/", NO_USERINFO),
            (URL + "?token=secret", NO_QUERY),
            (URL + "#fragment", NO_QUERY),
            ("ftp://pypi.acme.example/", SCHEME),
            ("HTTPS://pypi.acme.example/", SCHEME),
            ("https:///simple/", WHOLE_URL),
            ("https://pypi.acme.example:port/", WHOLE_URL),
            ("https://pypi.acme.example:65536/", WHOLE_URL),
            ("https://pypi..example/", WHOLE_URL),
            ("https://pypi.acme.example/a b", WHOLE_URL),
            ("https://pypi.acme.example/größe", WHOLE_URL),
            ("https://pypi.acme.example\\@evil.example/", NO_USERINFO),
            ("https://pypi.acme.example/a\\b", ODD_CHARACTERS),
            ('https://pypi.acme.example/"', ODD_CHARACTERS),
        ]
    elif _path.endswith((".name",)) and "publicIndex" not in _path:
        BROKEN_STRINGS[_path] = [("Upper", BAD_NAME), ("", BAD_NAME), ("a..b", BAD_NAME)]
    elif _path.endswith(("Key", "secretRef.key", "urlSecretRef.key")):
        BROKEN_STRINGS[_path] = [("a/b", BAD_KEY), ("", BAD_KEY)]

ENUMS = {
    ("code-artifact", "codeArtifact.endpointType"): ("IPv4", "DualStack"),
    ("anonymous", "authenticate"): ("auto", "always", "never"),
    ("anonymous", "whenUnavailable"): ("Block", "Omit"),
    ("options", "indexStrategy"): ("first-index", "unsafe-first-match", "unsafe-best-match"),
    ("options", "deletionPolicy"): ("Delete", "Retain"),
    ("options", "outputs[0].kind"): ("Secret", "ConfigMap"),
    ("options", "outputs[0].formats[0]"): (
        "UvToml",
        "Netrc",
        "PipConf",
        "Pypirc",
        "PdmToml",
        "Environment",
    ),
    ("options", "indexSelector.matchExpressions[0].operator"): ("In", "NotIn"),
}
REQUIRED = {
    "code-artifact": (
        "codeArtifact.domain",
        "codeArtifact.domainOwner",
        "codeArtifact.region",
        "codeArtifact.repository",
        "codeArtifact.auth.secretRef.name",
    ),
    "google": (
        "googleArtifactRegistry.project",
        "googleArtifactRegistry.location",
        "googleArtifactRegistry.repository",
        "googleArtifactRegistry.auth.secretRef.name",
    ),
    **logins.REQUIRED,
    "preauthenticated": ("preauthenticated.urlSecretRef", "preauthenticated.urlSecretRef.name"),
    "basic": ("basicAuth.url", "basicAuth.secretRef", "basicAuth.secretRef.name"),
    "anonymous": ("anonymous.url",),
    "options": (
        "outputs[0].kind",
        "outputs[0].name",
        "indexSelector.matchExpressions[0].key",
        "indexSelector.matchExpressions[0].operator",
    ),
}


def _labels(count: int) -> dict[str, str]:
    return {f"label-{number}": "x" for number in range(count)}


def _outputs(count: int) -> list[dict[str, Any]]:
    return [{"kind": "Secret", "name": f"uv-{number}"} for number in range(count)]


def _requirements(count: int) -> list[dict[str, Any]]:
    return [{"key": f"key-{number}", "operator": "Exists"} for number in range(count)]


def _words(count: int) -> list[str]:
    return [f"value-{number}" for number in range(count)]


_EXPRESSION = "indexSelector.matchExpressions[0]"
# A list or a map: the greatest that is accepted, one more than that, and what the answer says.
SIZES: dict[tuple[str, str], tuple[Any, Any, str]] = {
    **logins.SIZES,
    ("anonymous", "ignoreErrorCodes"): (
        list(range(400, 432)),
        list(range(400, 433)),
        "Too many: 33: must have at most 32 items",
    ),
    ("options", "outputs"): (_outputs(8), _outputs(9), "Too many: 9: must have at most 8 items"),
    ("options", "outputs[0].formats"): (
        ["UvToml", "Netrc", "PipConf", "Pypirc", "PdmToml"],
        ["UvToml", "Netrc", "PipConf", "Pypirc", "PdmToml", "Environment"],
        "Too many: 6: must have at most 5 items",
    ),
    ("options", "indexSelector.matchLabels"): (
        _labels(16),
        _labels(17),
        "Too many: 17: must have at most 16 items",
    ),
    ("options", "indexSelector.matchExpressions"): (
        _requirements(16),
        _requirements(17),
        "Too many: 17: must have at most 16 items",
    ),
    ("options", f"{_EXPRESSION}.values"): (
        _words(64),
        _words(65),
        "Too many: 65: must have at most 64 items",
    ),
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
        ("options", {"maxBuildDuration": "1s"}),
        ("options", {"maxBuildDuration": "12h", "suspend": True, "preferPrivate": False}),
        ("options", {"publicIndex": {"enabled": False}}),
        ("options", {"outputs": REMOVED, "indexSelector": REMOVED, "publicIndex": REMOVED}),
        ("options", {"indexSelector": {}}),
        ("options", {"indexSelector.matchLabels": {_LABEL_KEY: "", "example.com/env": "a_B.c"}}),
        ("options", {_EXPRESSION: {"key": "team", "operator": "DoesNotExist"}}),
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
        ("options", {"outputs": _outputs(1) * 2}, "outputs", "Duplicate value"),
        ("options", {"outputs[0].formats": []}, "outputs[0].formats", "at least 1 items"),
        (
            "options",
            {f"{_EXPRESSION}.values": ["a", "a"]},
            f"{_EXPRESSION}.values",
            "Duplicate value",
        ),
        ("options", {f"{_EXPRESSION}.values": REMOVED}, _EXPRESSION, VALUES),
        ("options", {f"{_EXPRESSION}.operator": "Exists"}, _EXPRESSION, VALUES),
        (
            "options",
            {"indexSelector.matchLabels": {"a b": "x"}},
            "indexSelector.matchLabels",
            "keys must be a label key",
        ),
        (
            "options",
            {"indexSelector.matchLabels": {_LABEL_KEY + "b": "x"}},
            "indexSelector.matchLabels",
            "must have keys of at most 317 characters",
        ),
    )
    for base, changes, where, says in changed:
        yield Case(f"{base}: {changes}", base, changes, f"spec.{where}".rstrip("."), says)


ACCEPTED = list(_accepted())
REFUSED = list(_refused())
