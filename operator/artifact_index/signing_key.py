"""The key of the keyed digests, in a Secret of the operator."""

import base64
import secrets
from typing import Final

from artifact_index.api.constants import FIELD_MANAGER
from artifact_index.kube.errors import ApiError
from artifact_index.kube.port import KubePort
from artifact_index.kube.resources import SECRETS

SECRET_NAME: Final = f"{FIELD_MANAGER}-signing-key"
DATA_KEY: Final = "key"
_BYTES: Final = 32


class SigningKeyError(Exception):
    """There can be no usable key; the message says what to do."""


async def load_signing_key(api: KubePort, namespace: str) -> bytes:
    """Read the key, or create it. Two operators that start at once use the key created first.

    If the key is lost, every token is issued anew; nothing else depends on it. Raises ApiError and
    SigningKeyError.
    """
    try:
        return _key_of(await api.get(SECRETS, namespace, SECRET_NAME), namespace)
    except ApiError as error:
        if not error.not_found:
            raise
    encoded = base64.b64encode(secrets.token_bytes(_BYTES)).decode()
    body = {"metadata": {"name": SECRET_NAME}, "type": "Opaque", "data": {DATA_KEY: encoded}}
    try:
        return _key_of(await api.create(SECRETS, namespace, body), namespace)
    except ApiError as error:
        if error.not_found:
            raise SigningKeyError(
                f"namespace {namespace!r} (--operator-namespace), where the operator keeps its "
                f"key, does not exist: kubectl create namespace {namespace}"
            ) from None
        if not error.already_exists:
            raise
    return _key_of(await api.get(SECRETS, namespace, SECRET_NAME), namespace)


def _key_of(secret: dict[str, dict[str, str]], namespace: str) -> bytes:
    key = base64.b64decode((secret.get("data") or {}).get(DATA_KEY, ""))
    if len(key) < _BYTES:
        raise SigningKeyError(
            f"Secret {namespace}/{SECRET_NAME} holds no key of at least {_BYTES} bytes in "
            f"{DATA_KEY!r}; delete it and the operator makes a new one"
        )
    return key
