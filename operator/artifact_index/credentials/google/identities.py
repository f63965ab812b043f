"""Builds google-auth credentials from single fields of a file, never from the whole file.

google-auth documents that it does not validate its configuration: a key's `token_uri` could make
the operator send signed assertions to any host. Fields are therefore taken one by one, and the
URLs of Google's services come from the operator's own settings.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit, urlunsplit

from artifact_index.api.reasons import Reason
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.google.requests import Impersonation
from artifact_index.credentials.requests import ServiceAccountIdentity

SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
UNIVERSE: Final = "googleapis.com"
DEFAULT_TOKEN_URL: Final = "https://oauth2.googleapis.com/token"  # noqa: S105
DEFAULT_STS_URL: Final = "https://sts.googleapis.com/v1/token"
DEFAULT_IAM_CREDENTIALS_URL: Final = "https://iamcredentials.googleapis.com"
JWT_TYPE: Final = "urn:ietf:params:oauth:token-type:jwt"

_CLIENT_FIELDS: Final = ("client_id", "client_secret", "workforce_pool_user_project")
NO_IDENTITY_REMEDY: Final = (
    "give its ServiceAccount a Google identity (Workload Identity Federation), set "
    "GOOGLE_APPLICATION_CREDENTIALS, or log in with googleArtifactRegistry.auth.secretRef or "
    "serviceAccountRef"
)


@dataclass(frozen=True, slots=True)
class ServiceURLs:
    """Where Google's services are.

    `token_url` is where service account keys and user credentials are exchanged, whatever their
    file says. `sts_url` and `iam_credentials_url` (the base before `/v1/projects/…`) replace those
    of the operator's external_account file.
    """

    token_url: str = DEFAULT_TOKEN_URL
    sts_url: str | None = None
    iam_credentials_url: str | None = None


@dataclass(frozen=True, slots=True)
class GoogleCredentials:
    """Credentials with a `refresh()` method, and whose they are, for messages.

    `account` is the service account that the last step impersonates, in words.
    """

    credentials: Any
    kind: Literal["key", "user", "federated", "metadata"]
    who: str
    operator: bool
    account: str = "the service account of its file"


def secret_key_login(key_json: str, urls: ServiceURLs) -> GoogleCredentials:
    """Log in with the service account key in a Secret. Raises LoginError (InvalidCredential)."""
    info = _json_object(key_json, "the service account key in the Secret")
    return _key_login(info, urls, operator=False)


def service_account_login(
    identity: ServiceAccountIdentity, token: str, urls: ServiceURLs
) -> GoogleCredentials:
    """Exchange the token of a Kubernetes ServiceAccount at Google's STS."""
    from google.auth import identity_pool  # noqa: PLC0415 - imported when first needed

    class Supplier(identity_pool.SubjectTokenSupplier):  # type: ignore[misc]
        """Supplies the token, which was requested for this one exchange."""

        def get_subject_token(self, context: Any, request: Any) -> str:
            """The token of the ServiceAccount."""
            return token

    credentials = identity_pool.Credentials(
        audience=identity.exchange,
        subject_token_type=JWT_TYPE,
        subject_token_supplier=Supplier(),
        token_url=urls.sts_url or DEFAULT_STS_URL,
        scopes=[SCOPE],
    )
    who = f"ServiceAccount {identity.namespace}/{identity.name}"
    return GoogleCredentials(credentials, "federated", who, operator=False)


def impersonated(
    login: GoogleCredentials, step: Impersonation, urls: ServiceURLs
) -> GoogleCredentials:
    """Add the impersonation of a service account as the last step."""
    from google.auth import impersonated_credentials  # noqa: PLC0415

    base = (urls.iam_credentials_url or DEFAULT_IAM_CREDENTIALS_URL).rstrip("/")
    account = step.service_account
    credentials = impersonated_credentials.Credentials(
        source_credentials=login.credentials,
        target_principal=account,
        target_scopes=[SCOPE],
        # The REST API expects resource names, and google-auth passes these on unchanged.
        delegates=[f"projects/-/serviceAccounts/{delegate}" for delegate in step.delegates],
        lifetime=step.lifetime,
        iam_endpoint_override=f"{base}/v1/projects/-/serviceAccounts/{account}:generateAccessToken",
    )
    return replace(login, credentials=credentials, account=account)


def operator_login(urls: ServiceURLs) -> GoogleCredentials:
    """Log in with the operator's application default credentials: file, then metadata server.

    Like google.auth.default(), but without its calls to Cloud Resource Manager and gcloud.
    Raises LoginError.
    """
    path = _adc_path()
    if path is None:
        return _metadata_login()
    file = f"the file {path} of GOOGLE_APPLICATION_CREDENTIALS"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        raise no_identity(f"{file} can't be read") from None
    info = _json_object(text, file)
    match info.get("type"):
        case "service_account":
            return _key_login(info, urls, operator=True)
        case "authorized_user":
            return _user_login(info, urls)
        case "external_account":
            return _federated_login(info, urls)
        case _:
            raise no_identity(
                f"{file} is neither of type service_account nor authorized_user nor "
                "external_account"
            )


def _adc_path() -> Path | None:
    """The file of the application default credentials, as google-auth documents it."""
    explicit = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if explicit:
        return Path(explicit)
    folder = os.environ.get("CLOUDSDK_CONFIG")
    try:
        base = Path(folder) if folder else Path.home() / ".config" / "gcloud"
    except RuntimeError:  # no home directory is known for this user
        return None
    well_known = base / "application_default_credentials.json"
    return well_known if well_known.is_file() else None


def _key_login(info: Mapping[str, Any], urls: ServiceURLs, *, operator: bool) -> GoogleCredentials:
    from google.oauth2 import service_account  # noqa: PLC0415 - imported when first needed

    where = "the operator's key file" if operator else "the Secret"
    kind = info.get("type")
    if kind != "service_account":
        others = ("external_account", "authorized_user")
        named = f"type {kind}" if kind in others else "another type"
        raise _bad_key(
            f"{where} holds a Google credential of {named}: only a service account key "
            "(type service_account) is accepted; create one, or use another auth"
        )
    if info.get("universe_domain", UNIVERSE) != UNIVERSE:
        raise _bad_key(
            f"the service account key in {where} is of another universe_domain than {UNIVERSE}: "
            "such keys get no access token that a registry accepts"
        )
    fields = ("client_email", "private_key", "private_key_id", "project_id")
    used = {name: info[name] for name in fields if isinstance(info.get(name), str)}
    for name in ("client_email", "private_key"):
        if not used.get(name):
            raise _bad_key(
                f"the service account key in {where} has no {name}: store the whole file"
            )
    used |= {"type": "service_account", "token_uri": urls.token_url}
    try:
        credentials = service_account.Credentials.from_service_account_info(used, scopes=[SCOPE])
    except Exception:  # the parsers' classes differ, and their text may quote the key
        raise _bad_key(
            f"the private_key of the service account key in {where} can't be read: store the file "
            "as Google gave it"
        ) from None
    who = f"the service account key in {where}"
    return GoogleCredentials(credentials, "key", who, operator=operator)


def _user_login(info: Mapping[str, Any], urls: ServiceURLs) -> GoogleCredentials:
    from google.oauth2 import credentials as user  # noqa: PLC0415

    fields = ("refresh_token", "client_id", "client_secret")
    if any(not isinstance(info.get(name), str) for name in fields):
        raise no_identity("the operator's user credentials are incomplete")
    used = {name: info[name] for name in fields}
    credentials = user.Credentials(token=None, token_uri=urls.token_url, **used)
    return GoogleCredentials(credentials, "user", "the operator's user credentials", operator=True)


def _federated_login(info: Mapping[str, Any], urls: ServiceURLs) -> GoogleCredentials:
    from google.auth import identity_pool  # noqa: PLC0415

    source = info.get("credential_source")
    if not isinstance(source, dict) or not ({"file", "url"} & source.keys()):
        raise no_identity(
            "the operator's external_account file has no credential_source with file or url: other "
            "sources are not supported"
        )
    if info.get("universe_domain", UNIVERSE) != UNIVERSE:
        raise no_identity(f"the operator's external_account file is not of {UNIVERSE}")
    try:
        credentials = identity_pool.Credentials(
            audience=info["audience"],
            subject_token_type=info["subject_token_type"],
            token_url=urls.sts_url or info.get("token_url") or DEFAULT_STS_URL,
            credential_source=source,
            service_account_impersonation_url=_impersonation_url(info, urls),
            service_account_impersonation_options=info.get("service_account_impersonation"),
            scopes=[SCOPE],
            **{name: info.get(name) for name in _CLIENT_FIELDS},
        )
    except Exception:  # KeyError, TypeError and google-auth's own, by what is wrong
        raise no_identity("the operator's external_account file is incomplete") from None
    who = "the operator's federated identity"
    return GoogleCredentials(credentials, "federated", who, operator=True)


def _impersonation_url(info: Mapping[str, Any], urls: ServiceURLs) -> str | None:
    url = info.get("service_account_impersonation_url")
    if not isinstance(url, str):
        return None
    if urls.iam_credentials_url is None:
        return url
    base = urlsplit(urls.iam_credentials_url)
    path = base.path.rstrip("/") + urlsplit(url).path
    return urlunsplit((base.scheme, base.netloc, path, "", ""))


def _metadata_login() -> GoogleCredentials:
    from google.auth import compute_engine  # noqa: PLC0415

    if os.environ.get("NO_GCE_CHECK") == "true":
        raise no_identity("the operator has no Google identity of its own")
    # The server ignores scopes on GKE and Compute Engine and honours them on Cloud Run.
    credentials = compute_engine.Credentials(scopes=[SCOPE], universe_domain=UNIVERSE)
    return GoogleCredentials(
        credentials, "metadata", "the operator's Google service account", operator=True
    )


def _json_object(text: str, what: str) -> Mapping[str, Any]:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise _bad_key(
            f"{what} is not JSON: store the file as Google gave it, not encoded a second time"
        )
    return parsed


def _bad_key(message: str) -> LoginError:
    return LoginError(Reason.INVALID_CREDENTIAL, message)


def no_identity(message: str) -> LoginError:
    """The error for an operator without a usable Google identity, with the remedy."""
    return LoginError(Reason.NO_OPERATOR_IDENTITY, f"{message}: {NO_IDENTITY_REMEDY}")
