"""What others rely on by its name: login requests, metrics, settings, reasons, CRDs.

Each function says in plain values what there is now.
"""

from dataclasses import asdict, replace
from itertools import product
from typing import Any, Final

import yaml

from artifact_index.crdgen.reason_docs import REASONS
from artifact_index.credentials.aws.requests import (
    AssumedRole,
    CodeArtifactEndpointRequest,
    CodeArtifactTokenRequest,
)
from artifact_index.credentials.azure.requests import EntraTokenRequest
from artifact_index.credentials.exchange.requests import Answer, ExchangeTokenRequest
from artifact_index.credentials.google.requests import GoogleTokenRequest, Impersonation
from artifact_index.credentials.requests import (
    Identity,
    OperatorIdentity,
    SecretIdentity,
    ServiceAccountIdentity,
    TokenRequest,
    canonical,
)
from artifact_index.metrics.catalogue import CATALOGUE
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.setting_flags import environment_names_of, flags_of
from artifact_index.settings import Settings, setting_fields
from support.frozen.lives import KEY
from support.operator_process import REPOSITORY

_IDENTITIES: Final[dict[str, Identity]] = {
    "operator": OperatorIdentity(),
    "Secret": SecretIdentity("builders", "uid-of-secret", "digest-of-values"),
    "ServiceAccount": ServiceAccountIdentity(
        "builders", "builder", "uid-of-account", ("first", "second"), "arn-or-audience"
    ),
}
_ROLES: Final[dict[str, AssumedRole | None]] = {
    "no role": None,
    "role": AssumedRole("arn:aws:iam::111122223333:role/a", "session"),
    "role with external ID": AssumedRole("arn:aws:iam::111122223333:role/a", "session", "external"),
    "role with tags": AssumedRole(
        "arn:aws:iam::111122223333:role/a", "session", "external", (("a", "1"), ("b", ""))
    ),
}
_IMPERSONATIONS: Final[dict[str, Impersonation | None]] = {
    "nobody": None,
    "reader": Impersonation("reader@acme.example", (), 3600),
    "reader by delegates": Impersonation("reader@acme.example", ("one@a.example", "two@a.b"), 300),
}


def requests() -> dict[str, list[str]]:
    """Canonical form and keyed digest of each shape of a request to a cloud."""
    digester = Digester(KEY)
    return {
        shape: [canonical(request).decode(), digester.request(request)]
        for shape, request in _requests().items()
    }


def _requests() -> dict[str, TokenRequest]:
    found: dict[str, TokenRequest] = {}
    domain = ("eu-west-1", "acme", "111122223333")
    for (who, identity), (step, role) in product(_IDENTITIES.items(), _ROLES.items()):
        found[f"CodeArtifact token, {who}, {step}"] = CodeArtifactTokenRequest(
            *domain, 43200, identity, role
        )
        found[f"CodeArtifact endpoint, {who}, {step}"] = CodeArtifactEndpointRequest(
            *domain, "python", "IPv4", identity, role
        )
    for (who, identity), (step, chain) in product(_IDENTITIES.items(), _IMPERSONATIONS.items()):
        found[f"Google token, {who}, {step}"] = GoogleTokenRequest(identity, chain)
    for who, identity in _IDENTITIES.items():
        named = (None, None) if who == "operator" else ("acme.onmicrosoft.com", "client-id")
        found[f"Entra token, {who}"] = EntraTokenRequest(identity, "Public", *named)
    account = _IDENTITIES["ServiceAccount"]
    assert isinstance(account, ServiceAccountIdentity)
    given = (("audience", "größe"), ("provider_name", "kubernetes"))
    for step, answer in {
        "token alone": Answer("token"), "whole answer": Answer("token", "life", "user"),
    }.items():  # fmt: skip
        exchanged = ExchangeTokenRequest(account, "jfrog", given, answer)
        found[f"Exchanged token, {step}"] = exchanged
    until = CodeArtifactTokenRequest(*domain, 0, OperatorIdentity())
    dual = CodeArtifactEndpointRequest(*domain, "python", "DualStack", OperatorIdentity())
    return found | {
        "CodeArtifact token, until the session ends": until,
        "CodeArtifact token, not ASCII": replace(until, domain="größe"),
        "CodeArtifact endpoint, dual stack": dual,
    }


def keyed_digests() -> dict[str, str]:
    """Digests of each kind but those of requests."""
    digester = Digester(KEY)
    return {
        "values of a Secret": digester.material({"b": "2", "a": "größe"}),
        "where a credential may go": digester.destination("basicAuth", "https://a.example/", None),
        "an output's content": digester.output(
            ("Secret", "builders", "uv"), {"uv.toml": "eA=="}, '{"indexes":{}}'
        ),
    }


def metrics() -> dict[str, Any]:
    """Type, labels and buckets of each metric."""
    return {
        metric.name: {
            "type": metric.type,
            "labels": list(metric.labels),
            "buckets": list(metric.buckets),
        }
        for metric in CATALOGUE
    }


def settings() -> dict[str, Any]:
    """Environment variable, default and form of each flag of `artifact-index run`, aliases too."""
    defaults = asdict(Settings())
    return {
        flag: {
            "variable": variable,
            "default": _plain(defaults[setting.name]),
            "repeatable": setting.metadata["repeatable"],
        }
        for setting in setting_fields()
        for flag, variable in zip(flags_of(setting), environment_names_of(setting), strict=True)
    }


def reasons() -> dict[str, Any]:
    """What each reason of a condition does to an object of each kind."""
    return {
        str(reason): {"kinds": list(doc.kinds), "polarity": reason.polarity.name.lower()}
        for reason, doc in REASONS.items()
    }


def crds() -> dict[str, Any]:
    """The CRDs of `crds/`, but for what only people read."""
    return {
        path.name: _without_descriptions(yaml.safe_load(path.read_text()))
        for path in sorted((REPOSITORY / "crds").glob("*.yaml"))
    }


def _without_descriptions(value: Any) -> Any:
    """A field of that name would be a schema, not a text."""
    if isinstance(value, list):
        return [_without_descriptions(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _without_descriptions(item)
        for key, item in value.items()
        if not (key == "description" and isinstance(item, str))
    }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
