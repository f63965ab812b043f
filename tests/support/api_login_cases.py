"""Cases of the fields that say who logs in; `api_cases` makes them part of its own."""

from typing import Any, Final

from support import api_azure_cases as azure
from support import api_exchange_cases as exchanges

_AUDIENCE: Final = "must be printable ASCII without spaces"
_ROLE: Final = "must be the ARN of an IAM role"
_ACCOUNT: Final = "must be the e-mail address of a Google service account"
_TAG: Final = "must be letters, digits, spaces and"
_PROVIDER: Final = "must be the resource name of a workload identity provider"
_CLUSTER: Final = "must be the resource name of a GKE cluster"
_LIFETIME: Final = "must be between `5m` and `12h`; beyond `1h`"
_DURATION: Final = "must be a duration such as `30m`"
_TOO_MANY: Final = "Too many: {}: must have at most {} items"
ONE_FEDERATION: Final = "must set exactly one of `workloadIdentityProvider`"

ROLE: Final = "arn:aws:iam::111122223333:role/builders"
PROVIDER: Final = "projects/1/locations/global/workloadIdentityPools/pool/providers/k8s-1"
CLUSTER: Final = "projects/acme-build/locations/europe-west1/clusters/main"
EMAIL: Final = "reader@acme-build.iam.gserviceaccount.com"

_CODE_ARTIFACT: Final = {
    "domain": "acme",
    "domainOwner": "111122223333",
    "region": "eu-west-1",
    "repository": "python",
}
_GOOGLE: Final = {"project": "acme-build", "location": "europe-west1", "repository": "python"}

SPECS: dict[str, dict[str, Any]] = {
    **azure.SPECS,
    **exchanges.SPECS,
    "aws-account": {
        "codeArtifact": {
            **_CODE_ARTIFACT,
            "auth": {
                "serviceAccountRef": {
                    "name": "builder",
                    "roleARN": ROLE,
                    "audiences": ["sts.amazonaws.com"],
                }
            },
            "assumeRole": {"roleARN": ROLE, "tags": {"env": "a"}},
        }
    },
    "google-account": {
        "googleArtifactRegistry": {
            **_GOOGLE,
            "auth": {
                "serviceAccountRef": {
                    "name": "builder",
                    "workloadIdentityProvider": PROVIDER,
                    "audiences": ["https://example.com/a"],
                }
            },
            "impersonate": {"serviceAccount": EMAIL, "delegates": [EMAIL]},
        }
    },
    "gke-account": {
        "googleArtifactRegistry": {
            **_GOOGLE,
            "auth": {"serviceAccountRef": {"name": "builder", "gkeCluster": CLUSTER}},
        }
    },
}

_AWS_ACCOUNT: Final = "codeArtifact.auth.serviceAccountRef"
_ASSUME_ROLE: Final = "codeArtifact.assumeRole"
_GOOGLE_ACCOUNT: Final = "googleArtifactRegistry.auth.serviceAccountRef"
_IMPERSONATE: Final = "googleArtifactRegistry.impersonate"

_LONG_ROLE: Final = f"arn:aws-{'a' * 16}-{'a' * 15}:iam::111122223333:role/"
_LONG_EMAIL: Final = "a" * 63 + "@" + "a" * 64
_LONG_PROVIDER: Final = (
    f"projects/{'1' * 19}/locations/global/workloadIdentityPools/{'a' * 32}/providers/{'a' * 32}"
)
_LONG_CLUSTER: Final = "projects/" + "a" * 100 + "/locations/" + "a" * 63 + "/clusters/" + "a" * 63
LONGEST: dict[tuple[str, str], str] = {
    **azure.LONGEST,
    **exchanges.LONGEST,
    ("aws-account", f"{_AWS_ACCOUNT}.name"): "a" * 253,
    ("aws-account", f"{_AWS_ACCOUNT}.roleARN"): _LONG_ROLE + "a" * 576,
    ("aws-account", f"{_AWS_ACCOUNT}.audiences[0]"): "a" * 256,
    ("aws-account", f"{_ASSUME_ROLE}.roleARN"): _LONG_ROLE + "a" * 576,
    ("aws-account", f"{_ASSUME_ROLE}.externalID"): "a" * 1224,
    ("aws-account", f"{_ASSUME_ROLE}.sessionName"): "a" * 64,
    ("aws-account", f"{_ASSUME_ROLE}.tags.env"): "a" * 256,
    ("google-account", f"{_GOOGLE_ACCOUNT}.name"): "a" * 253,
    ("google-account", f"{_GOOGLE_ACCOUNT}.audiences[0]"): "a" * 256,
    ("google-account", f"{_GOOGLE_ACCOUNT}.workloadIdentityProvider"): _LONG_PROVIDER,
    ("gke-account", f"{_GOOGLE_ACCOUNT}.gkeCluster"): _LONG_CLUSTER,
    ("google-account", f"{_IMPERSONATE}.serviceAccount"): _LONG_EMAIL,
    ("google-account", f"{_IMPERSONATE}.delegates[0]"): _LONG_EMAIL,
    ("google-account", f"{_IMPERSONATE}.tokenLifetime"): "00h00h00h00h012h",
}
BROKEN_STRINGS: dict[str, list[tuple[str, str]]] = {
    **azure.BROKEN_STRINGS,
    **exchanges.BROKEN_STRINGS,
    f"{_AWS_ACCOUNT}.roleARN": [
        ("builders", _ROLE),
        ("arn:aws:iam::111122223333:user/builders", _ROLE),
        ("", _ROLE),
    ],
    f"{_AWS_ACCOUNT}.audiences[0]": [("a b", _AUDIENCE), ("", _AUDIENCE)],
    f"{_ASSUME_ROLE}.roleARN": [("arn:aws:iam::1:role/builders", _ROLE)],
    f"{_ASSUME_ROLE}.externalID": [("a", "must be at least 2"), ("a b", "must be at least 2")],
    f"{_ASSUME_ROLE}.sessionName": [("a", "must be at least 2"), ("a:b", "must be at least 2")],
    f"{_ASSUME_ROLE}.tags.env": [("a;b", _TAG)],
    f"{_GOOGLE_ACCOUNT}.audiences[0]": [("größe", _AUDIENCE)],
    f"{_GOOGLE_ACCOUNT}.workloadIdentityProvider": [
        ("pool", _PROVIDER),
        (f"//iam.googleapis.com/{PROVIDER}", _PROVIDER),
    ],
    f"{_GOOGLE_ACCOUNT}.gkeCluster": [
        ("main", _CLUSTER),
        (f"https://container.googleapis.com/v1/{CLUSTER}", _CLUSTER),
    ],
    f"{_IMPERSONATE}.serviceAccount": [
        ("reader", _ACCOUNT),
        ("reader@acme:generateAccessToken", _ACCOUNT),
        ("a/b@acme.example", _ACCOUNT),
    ],
    f"{_IMPERSONATE}.delegates[0]": [("projects/-/serviceAccounts/a@b.example", _ACCOUNT)],
    f"{_IMPERSONATE}.tokenLifetime": [
        ("1", _DURATION),
        ("4m59s", _LIFETIME),
        ("12h1s", _LIFETIME),
    ],
}
REQUIRED: dict[str, tuple[str, ...]] = {
    **azure.REQUIRED,
    **exchanges.REQUIRED,
    "aws-account": (f"{_AWS_ACCOUNT}.name", f"{_ASSUME_ROLE}.roleARN"),
    "google-account": (f"{_GOOGLE_ACCOUNT}.name", f"{_IMPERSONATE}.serviceAccount"),
}


def _audiences(count: int) -> list[str]:
    return [f"audience-{number}" for number in range(count)]


def _tags(count: int) -> dict[str, str]:
    return {f"tag-{number}": "x" for number in range(count)}


SIZES: dict[tuple[str, str], tuple[Any, Any, str]] = {
    ("aws-account", f"{_AWS_ACCOUNT}.audiences"): (
        _audiences(8),
        _audiences(9),
        _TOO_MANY.format(9, 8),
    ),
    ("aws-account", f"{_ASSUME_ROLE}.tags"): (_tags(50), _tags(51), _TOO_MANY.format(51, 50)),
    ("google-account", f"{_GOOGLE_ACCOUNT}.audiences"): (
        _audiences(8),
        _audiences(9),
        _TOO_MANY.format(9, 8),
    ),
    ("google-account", f"{_IMPERSONATE}.delegates"): (
        [EMAIL] * 8,
        [EMAIL] * 9,
        _TOO_MANY.format(9, 8),
    ),
}

ACCEPTED_CHANGES: tuple[tuple[str, dict[str, Any]], ...] = (
    *azure.ACCEPTED_CHANGES,
    *exchanges.ACCEPTED_CHANGES,
    ("aws-account", {f"{_AWS_ACCOUNT}": {"name": "builder"}}),
    ("aws-account", {f"{_ASSUME_ROLE}.tags": {"a" * 128: "", "Cost Center/2": "a:b@c=d"}}),
    ("aws-account", {f"{_ASSUME_ROLE}.roleARN": "arn:aws-us-gov:iam::111122223333:role/a/b/c"}),
    ("aws-account", {f"{_ASSUME_ROLE}.roleARN": "arn:aws-cn:iam::111122223333:role/builders"}),
    ("google-account", {f"{_IMPERSONATE}.tokenLifetime": "5m"}),
)
REFUSED_CHANGES: tuple[tuple[str, dict[str, Any], str, str], ...] = (
    *azure.REFUSED_CHANGES,
    *exchanges.REFUSED_CHANGES,
    (
        "aws-account",
        {f"{_AWS_ACCOUNT}.audiences": ["a", "a"]},
        f"{_AWS_ACCOUNT}.audiences",
        "Duplicate value",
    ),
    (
        "google-account",
        {f"{_GOOGLE_ACCOUNT}.audiences": ["a", "a"]},
        f"{_GOOGLE_ACCOUNT}.audiences",
        "Duplicate value",
    ),
    ("aws-account", {f"{_ASSUME_ROLE}.tags": {"a;b": "x"}}, f"{_ASSUME_ROLE}.tags", f"keys {_TAG}"),
    (
        "aws-account",
        {f"{_ASSUME_ROLE}.tags": {"a" * 129: "x"}},
        f"{_ASSUME_ROLE}.tags",
        "must have keys of at most 128 characters",
    ),
    (
        "aws-account",
        {"codeArtifact.auth.secretRef": {"name": "a"}},
        "codeArtifact.auth",
        "must set exactly one of `operatorIdentity`, `secretRef` and `serviceAccountRef`",
    ),
    ("google-account", {f"{_GOOGLE_ACCOUNT}.gkeCluster": CLUSTER}, _GOOGLE_ACCOUNT, ONE_FEDERATION),
    ("google-account", {f"{_GOOGLE_ACCOUNT}": {"name": "a"}}, _GOOGLE_ACCOUNT, ONE_FEDERATION),
)
