"""Cases of the fields of Azure Artifacts; `api_login_cases` makes them part of its own."""

from typing import Any, Final

_NAME: Final = "must be a name as Azure DevOps shows it"
_CLIENT: Final = "must be the client ID of an app registration"
_TENANT: Final = "must be the ID of an Entra tenant"
_ONE_SECRET: Final = "must set exactly one of `clientSecretKey` and `certificateKey`"

GUID: Final = "11111111-2222-3333-4444-55555555abCD"
_SECRET: Final = "azureArtifacts.auth.secretRef"
_ACCOUNT: Final = "azureArtifacts.auth.serviceAccountRef"
_FEED: Final = {"organization": "acme", "project": "Build Tools", "feed": "python"}


def _spec(**auth: Any) -> dict[str, Any]:
    return {"azureArtifacts": {**_FEED, "auth": auth}}


_IDENTITY: Final = {"tenantID": GUID, "clientID": GUID}
_CERTIFICATE: Final = {"certificateKey": "tls.crt", "privateKeyKey": "tls.key"}
SPECS: Final[dict[str, dict[str, Any]]] = {
    "azure": _spec(secretRef={"name": "app", **_IDENTITY, "clientSecretKey": "secret"}),
    "azure-certificate": _spec(secretRef={"name": "app", **_IDENTITY, **_CERTIFICATE}),
    "azure-account": _spec(
        serviceAccountRef={"name": "builder", **_IDENTITY, "audience": "api://AzureAD"}
    ),
}
LONGEST: Final[dict[tuple[str, str], str]] = {
    ("azure", "azureArtifacts.organization"): "a" * 50,
    ("azure", "azureArtifacts.project"): "a" * 64,
    ("azure", "azureArtifacts.feed"): "a" * 64,
    ("azure", "azureArtifacts.host"): "http://" + ("a" * 62 + ".") * 4 + "a:65535",
    ("azure", f"{_SECRET}.name"): "a" * 253,
    ("azure", f"{_SECRET}.tenantID"): "a" * 253,
    ("azure", f"{_SECRET}.clientID"): GUID,
    ("azure", f"{_SECRET}.clientSecretKey"): "a" * 253,
    ("azure-certificate", f"{_SECRET}.certificateKey"): "a" * 253,
    ("azure-certificate", f"{_SECRET}.privateKeyKey"): "a" * 253,
    ("azure-account", f"{_ACCOUNT}.name"): "a" * 253,
    ("azure-account", f"{_ACCOUNT}.tenantID"): "a" * 253,
    ("azure-account", f"{_ACCOUNT}.clientID"): GUID,
    ("azure-account", f"{_ACCOUNT}.audience"): "a" * 256,
}
BROKEN_STRINGS: Final[dict[str, list[tuple[str, str]]]] = {
    "azureArtifacts.organization": [
        ("acme/x", "must be the name of an Azure DevOps organization"),
        ("-acme", "must be the name of an Azure DevOps organization"),
    ],
    "azureArtifacts.project": [
        (value, _NAME) for value in ("", "..", "_packaging", "a/b", "a%20b", " a", "a ", "a\tb")
    ],
    "azureArtifacts.feed": [(value, _NAME) for value in ("python@Release", "a.", "a?b", "a#b")],
    "azureArtifacts.host": [("https://pkgs.dev.azure.com", "must be a host with at most a port")],
    **{
        f"{reference}.{field}": [(value, says) for value in broken]
        for reference in (_SECRET, _ACCOUNT)
        for field, broken, says in (
            ("tenantID", ("", "a/b", "-a", "a.", "a?b"), _TENANT),
            ("clientID", ("", "builder", "{" + GUID[2:] + "}"), _CLIENT),
        )
    },
    f"{_ACCOUNT}.audience": [("a b", "must be printable ASCII without spaces")],
}
REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "azure": (
        "azureArtifacts.organization",
        "azureArtifacts.feed",
        *(f"{_SECRET}.{field}" for field in ("name", "tenantID", "clientID")),
    ),
    "azure-account": (f"{_ACCOUNT}.name",),
}
ENUMS: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("azure", "azureArtifacts.cloud"): ("Public", "USGovernment", "China"),
}
ACCEPTED_CHANGES: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("azure", {"publish": True}),
    ("azure", {"azureArtifacts.project": "Größe (alt)"}),
    ("azure", {"azureArtifacts.project": "é"}),
    ("azure", {f"{_SECRET}.tenantID": "acme.onmicrosoft.com"}),
    ("azure", {"azureArtifacts.auth": {"operatorIdentity": {}}}),
    ("azure-certificate", {_SECRET: {"name": "a", **_IDENTITY, "certificateKey": "pem"}}),
    ("azure-account", {_ACCOUNT: {"name": "builder"}}),
)
REFUSED_CHANGES: Final[tuple[tuple[str, dict[str, Any], str, str], ...]] = (
    ("azure", {"format": "flat"}, "", "must not set `format: flat` with the repository"),
    ("azure", {"azureArtifacts.auth": {}}, "azureArtifacts.auth", "must set exactly one of"),
    ("azure", {f"{_SECRET}.certificateKey": "pem"}, _SECRET, _ONE_SECRET),
    ("azure", {_SECRET: {"name": "a", **_IDENTITY}}, _SECRET, _ONE_SECRET),
    (
        "azure",
        {f"{_SECRET}.privateKeyKey": "pem"},
        _SECRET,
        "must not set `privateKeyKey` without `certificateKey`",
    ),
)
