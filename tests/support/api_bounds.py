"""Bounds of the API: longest strings, largest lists, enums, required fields, broken strings."""

from typing import Any

from support import api_azure_cases as azure
from support import api_cluster_cases as clusters
from support import api_exchange_cases as exchanges
from support import api_login_cases as logins
from support.api_case import URL

BAD_NAME = "must be the name of an object, without its namespace"
BAD_KEY = "must be a key of the Secret's data"
BAD_INDEX_NAME = "must be lower-case letters, digits and `-`"
BAD_SPAN = "must be `false`, in quotes, or a span such as `7 days`"
BAD_DURATION = "must be a duration such as `30m`"
ONE_SOURCE = "must set exactly one source"
ONE_LOGIN = "must set exactly one of `operatorIdentity`, `secretRef` and `serviceAccountRef`"
CODE_ARTIFACT_LIFE = "must be `0s` or between `15m` and `12h`"
BUILD_LENGTH = "must be between `1s` and `12h`"
NO_USERINFO = "must not hold a user name or password; reference a Secret"
NO_QUERY = "must not have a query or a fragment; if the index needs one"
SCHEME = "must start with `https://`"
WHOLE_URL = "must be a URL with a host"
ODD_CHARACTERS = "must not hold quotes, backslashes"
HOST = "must be a host with at most a port"

_LONG_URL = URL + "a" * (2048 - len(URL))

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
    ("anonymous", "excludeNewer"): "9999 hours",
    **clusters.LONGEST,
    ("options", "publicIndex.name"): "a" * 63,
    ("options", "publicIndex.url"): _LONG_URL,
    ("options", "maxBuildDuration"): "00h00h00h00h012h",
    ("options", "outputs[0].name"): "a" * 253,
}

# Every rule of a string: a value that breaks it, and what the answer says.
BROKEN_STRINGS: dict[str, list[tuple[str, str]]] = {
    "name": [("acme_1", BAD_INDEX_NAME), ("-acme", BAD_INDEX_NAME), ("", BAD_INDEX_NAME)],
    "excludeNewer": [
        (value, BAD_SPAN)
        for value in ("", "true", "0 days", "7d", "7 DAYS", "1 month", "2026-06-1", " 7 days")
    ],
    "codeArtifact.domain": [
        ("Acme", "must be the name of a CodeArtifact domain"),
        ("a", "must be the name of a CodeArtifact domain: 2 to 50 lower-case letters"),
        ("acme-", "must be the name of a CodeArtifact domain"),
    ],
    "codeArtifact.domainOwner": [("11112222333", "must be the 12 digits of the AWS account")],
    "codeArtifact.region": [("eu-west", "must be an AWS region, such as `eu-west-1`")],
    "codeArtifact.repository": [
        (".python", "must be the name of a CodeArtifact repository"),
        ("a", "must be the name of a CodeArtifact repository: 2 to 100 letters"),
    ],
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
    **clusters.BROKEN_STRINGS,
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

ENUMS: dict[tuple[str, str], tuple[str, ...]] = {
    **azure.ENUMS,
    **exchanges.ENUMS,
    ("code-artifact", "codeArtifact.endpointType"): ("IPv4", "DualStack"),
    ("anonymous", "authenticate"): ("auto", "always", "never"),
    ("anonymous", "format"): ("simple", "flat"),
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
    **clusters.ENUMS,
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
    **clusters.REQUIRED,
    "options": ("outputs[0].kind", "outputs[0].name", *clusters.REQUIRED["options"]),
}


def outputs(count: int) -> list[dict[str, Any]]:
    return [{"kind": "Secret", "name": f"uv-{number}"} for number in range(count)]


EXPRESSION = "indexSelector.matchExpressions[0]"
# A list or a map: the greatest that is accepted, one more than that, and what the answer says.
SIZES: dict[tuple[str, str], tuple[Any, Any, str]] = {
    **logins.SIZES,
    ("anonymous", "ignoreErrorCodes"): (
        list(range(400, 432)),
        list(range(400, 433)),
        "Too many: 33: must have at most 32 items",
    ),
    ("options", "outputs"): (outputs(8), outputs(9), "Too many: 9: must have at most 8 items"),
    ("options", "outputs[0].formats"): (
        ["UvToml", "Netrc", "PipConf", "Pypirc", "PdmToml"],
        ["UvToml", "Netrc", "PipConf", "Pypirc", "PdmToml", "Environment"],
        "Too many: 6: must have at most 5 items",
    ),
    **clusters.SIZES,
}
