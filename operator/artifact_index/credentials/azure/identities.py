"""How each identity proves itself to Entra: a client secret, or a signed assertion.

The authority is one of the clouds', or the operator's own setting or environment: no spec names a
host that gets a secret or a token of a ServiceAccount.
"""

import base64
import json
import os
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from artifact_index.api.reasons import Reason
from artifact_index.credentials.azure.requests import EntraTokenRequest
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import (
    SUBJECT_TOKEN,
    KeyMaterial,
    ServiceAccountIdentity,
)

AUTHORITIES: Final = {
    "Public": "https://login.microsoftonline.com",
    "USGovernment": "https://login.microsoftonline.us",
    "China": "https://login.chinacloudapi.cn",
}
"""Entra of each cloud (azure-identity's `AzureAuthorityHosts`)."""

_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_LIFE: Final = 600
_PRIVATE_KEY: Final = re.compile(
    "-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \\1-----", re.DOTALL
)
_NO_IDENTITY_REMEDY: Final = (
    "give its ServiceAccount an Entra identity (Azure Workload Identity), or log in with "
    "azureArtifacts.auth.secretRef or serviceAccountRef"
)


@dataclass(frozen=True, slots=True)
class EntraLogin:
    """An identity of a tenant with its proof: fields of the form that Entra takes.

    `who` names it in messages, `place` is where its tenant and client ID are set.
    `assertion` is the token that Entra compares with a federated credential, empty if none is.
    """

    authority: str
    tenant: str
    client: str
    who: str
    place: str
    proof: Mapping[str, str] = field(repr=False)
    assertion: str = field(default="", repr=False)

    @property
    def token_url(self) -> str:
        """Where the tenant's tokens are requested."""
        return token_url(self.authority, self.tenant)


def token_url(authority: str, tenant: str) -> str:
    """Entra's token endpoint of a tenant (version 2.0)."""
    return f"{authority.rstrip('/')}/{tenant}/oauth2/v2.0/token"


def secret_login(
    request: EntraTokenRequest, material: KeyMaterial, authority: str, *, now: float
) -> EntraLogin:
    """Log in with the client secret or the certificate of a Secret. Raises LoginError."""
    tenant, client = _named(request)
    if secret := material.get("client_secret"):
        who, proof = f"the client secret of app {client}", _secret_proof(secret.get_secret_value())
    elif certificate := material.get("certificate"):
        who = f"the certificate of app {client}"
        key = material.get("private_key", certificate)
        audience = token_url(authority, tenant)
        pem = (certificate.get_secret_value(), key.get_secret_value())
        proof = _assertion_proof(_signed_assertion(*pem, client, audience, now))
    else:  # do not fall back to the operator's own identity
        raise LoginError(Reason.INVALID_CREDENTIAL, "the Secret holds no key")
    place = "azureArtifacts.auth.secretRef"
    return EntraLogin(authority, tenant, client, who, place, proof)


def account_login(
    request: EntraTokenRequest,
    identity: ServiceAccountIdentity,
    material: KeyMaterial,
    authority: str,
) -> EntraLogin:
    """Exchange the token of a Kubernetes ServiceAccount."""
    tenant, client = _named(request)
    token = material[SUBJECT_TOKEN].get_secret_value()
    who = f"the token of ServiceAccount {identity.namespace}/{identity.name}"
    place = "azureArtifacts.auth.serviceAccountRef"
    return EntraLogin(authority, tenant, client, who, place, _assertion_proof(token), token)


def operator_login(authority: str) -> EntraLogin | None:
    """Log in as Azure Workload Identity set up the operator's pod; None if it did not.

    Raises LoginError.
    """
    environ = os.environ
    path = environ.get("AZURE_FEDERATED_TOKEN_FILE")
    tenant, client = environ.get("AZURE_TENANT_ID"), environ.get("AZURE_CLIENT_ID")
    if not (path and tenant and client):
        return None
    try:
        token = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        raise no_identity(f"the operator's identity token {path} can't be read") from None
    given = environ.get("AZURE_AUTHORITY_HOST") or authority
    host = given if "://" in given else f"https://{given}"
    who, proof = "the token of the operator's ServiceAccount", _assertion_proof(token)
    return EntraLogin(host, tenant, client, who, "the operator's environment", proof, token)


def no_identity(message: str) -> LoginError:
    """The error for an operator without a usable Entra identity, with the remedy."""
    return LoginError(Reason.NO_OPERATOR_IDENTITY, f"{message}: {_NO_IDENTITY_REMEDY}")


def _named(request: EntraTokenRequest) -> tuple[str, str]:
    if request.tenant is None or request.client is None:
        raise ValueError("a request of an identity without its tenant and client ID")
    return request.tenant, request.client


def _secret_proof(secret: str) -> dict[str, str]:
    return {"client_secret": secret}


def _assertion_proof(token: str) -> dict[str, str]:
    return {"client_assertion_type": _ASSERTION_TYPE, "client_assertion": token}


def _signed_assertion(
    certificate_pem: str, key_pem: str, client: str, audience: str, now: float
) -> str:
    """A JWT signed with the certificate's key, as MSAL makes it. Raises LoginError."""
    from cryptography import x509  # noqa: PLC0415 - imported when first needed
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: PLC0415

    found = _PRIVATE_KEY.search(key_pem)
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
        certified = certificate.public_key()
        key = serialization.load_pem_private_key((found[0] if found else "").encode(), None)
    except Exception:  # the parsers' classes differ, and their text may quote the key
        raise _bad_certificate("can't be read: store both as PEM, without a passphrase") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _bad_certificate("is not of an RSA key, which alone Entra takes: create such a one")
    if key.public_key() != certified:
        raise _bad_certificate("does not belong to the private key: store those of one pair")
    if now > (ends := certificate.not_valid_after_utc).timestamp():
        raise _bad_certificate(f"expired on {ends:%Y-%m-%d}: create a new one, and upload it")
    # Entra knows the certificate by this name; it is no signature.
    thumbprint = certificate.fingerprint(hashes.SHA1())  # noqa: S303
    issued = int(now)
    header = {"alg": "RS256", "typ": "JWT", "x5t": _encoded(thumbprint)}
    claims = {
        "aud": audience,
        "iss": client,
        "sub": client,
        "iat": issued,
        "nbf": issued,
        "exp": issued + _ASSERTION_LIFE,
        "jti": str(uuid.uuid4()),
    }
    signed = f"{_encoded_json(header)}.{_encoded_json(claims)}"
    return f"{signed}.{_encoded(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _bad_certificate(what: str) -> LoginError:
    return LoginError(Reason.INVALID_CREDENTIAL, f"the certificate in the Secret {what}")


def _encoded_json(value: Mapping[str, Any]) -> str:
    return _encoded(json.dumps(value, separators=(",", ":")).encode())


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
