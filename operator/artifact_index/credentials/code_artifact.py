"""CodeArtifact through boto3: tokens and repository URLs."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from pydantic import SecretStr

from artifact_index.api.constants import FIELD_MANAGER
from artifact_index.credentials.aws_call import AwsCall
from artifact_index.credentials.aws_errors import login_error, parse_retry_after, unusable_answer
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.grants import (
    CodeArtifactEndpointRequest,
    CodeArtifactTokenRequest,
    Grant,
    Identity,
    Material,
    OperatorIdentity,
)
from artifact_index.credentials.sdk_logs import quiet_sdks

# GetRepositoryEndpoint's `endpointType` as the API spells it.
_ENDPOINT_TYPES: Final = {"IPv4": "ipv4", "DualStack": "dualstack"}
_METHODS: Final = {
    "GetAuthorizationToken": "get_authorization_token",
    "GetRepositoryEndpoint": "get_repository_endpoint",
}
_KEYS: Final = ("access_key_id", "secret_access_key")
_TOKEN_KEY: Final = "session_token"  # noqa: S105 - the name of a key, not a value


class CodeArtifact:
    """A thread-safe, synchronous client: call it from a worker thread, never from the event loop.

    A call lasts at most about `attempts` times (`connect_timeout` + `read_timeout`) seconds plus
    botocore's pauses. Endpoints, proxies and CA bundles come from boto3's own variables
    (`AWS_ENDPOINT_URL_CODEARTIFACT`, `HTTPS_PROXY`, `AWS_CA_BUNDLE`, …).

    One boto3 Session serves all: another one costs about 100 ms and 8 MB, another client of it
    4 ms. Sessions are not thread-safe and clients are, so that clients are created under a lock.
    """

    def __init__(
        self,
        *,
        connect_timeout: float = 5.0,
        read_timeout: float = 10.0,
        attempts: int = 3,
        max_clients: int = 64,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._attempts = attempts
        self._max_clients = max_clients
        self._now = now
        self._lock = threading.Lock()
        self._session: Any = None
        self._clients: OrderedDict[tuple[str, Identity], Any] = OrderedDict()

    def mint(self, request: CodeArtifactTokenRequest, material: Material) -> Grant:
        """A token for the request's domain; `minted_at` is taken before AWS is asked.

        Raises LoginError; `UnknownExpiry` where the answer names no expiry in the future.
        """
        call = AwsCall(
            operation="GetAuthorizationToken",
            region=request.region,
            domain=request.domain,
            domain_owner=request.domain_owner,
            repository=None,
            operator_identity=isinstance(request.identity, OperatorIdentity),
            duration=request.duration,
        )
        minted_at = math.floor(self._now())
        answer = self._ask(
            call,
            request.identity,
            material,
            domain=request.domain,
            domainOwner=request.domain_owner,
            durationSeconds=request.duration,
        )
        token = answer.get("authorizationToken")
        if not isinstance(token, str) or not token:
            raise unusable_answer(call)
        expiration = answer.get("expiration")
        # An aware datetime in the local zone: only its timestamp is free of the zone.
        expires_at = (
            math.floor(expiration.timestamp()) if isinstance(expiration, datetime) else None
        )
        if expires_at is None or expires_at <= minted_at:
            which = "no expiry" if expires_at is None else "an expiry that has passed"
            raise LoginError(
                "UnknownExpiry",
                f"CodeArtifact's token for {call.resource} has {which}: it is not used; check the "
                "operator's clock and the AWS_ENDPOINT_URL… variables of the operator",
                permanent=True,
            )
        return Grant(value=SecretStr(token), minted_at=minted_at, expires_at=expires_at)

    def endpoint(self, request: CodeArtifactEndpointRequest, material: Material) -> Grant:
        """The URL of the request's PyPI endpoint as AWS answers it, without `simple/`.

        It never expires. Raises LoginError.
        """
        call = AwsCall(
            operation="GetRepositoryEndpoint",
            region=request.region,
            domain=request.domain,
            domain_owner=request.domain_owner,
            repository=request.repository,
            operator_identity=isinstance(request.identity, OperatorIdentity),
        )
        asked_at = math.floor(self._now())
        answer = self._ask(
            call,
            request.identity,
            material,
            domain=request.domain,
            domainOwner=request.domain_owner,
            repository=request.repository,
            format="pypi",
            endpointType=_ENDPOINT_TYPES[request.endpoint_type],
        )
        url = answer.get("repositoryEndpoint")
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            raise unusable_answer(call)
        return Grant(value=SecretStr(url), minted_at=asked_at, expires_at=None)

    def _ask(
        self, call: AwsCall, identity: Identity, material: Material, **parameters: object
    ) -> dict[str, Any]:
        keys = _keys(identity, material)
        try:
            client = self._client(call.region, identity, keys)
            answer: dict[str, Any] = getattr(client, _METHODS[call.operation])(**parameters)
        except Exception as error:  # boto3 raises far more than its own classes
            failure = login_error(error, call, now=self._now())
            if failure.reason == "NoOperatorIdentity":
                # A client keeps the credentials that it found at its creation: none.
                self._forget(call.region, identity)
            raise failure from None
        return answer

    def _client(self, region: str, identity: Identity, keys: dict[str, str]) -> Any:
        with self._lock:
            client = self._clients.get((region, identity))
            if client is not None:
                self._clients.move_to_end((region, identity))
                return client
            if self._session is None:
                self._session = self._new_session()
            client = self._session.client("codeartifact", region_name=region, **keys)
            self._drop_former_keys(identity)
            self._clients[region, identity] = client
            if len(self._clients) > self._max_clients:
                self._clients.popitem(last=False)
            return client

    def _new_session(self) -> Any:
        import boto3  # noqa: PLC0415 - 150 ms and 35 MB: imported when first needed
        import botocore.session  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415

        quiet_sdks()
        session = botocore.session.get_session()
        # As the session's default it also bounds the STS calls that boto3 makes by itself.
        session.set_default_client_config(
            Config(
                connect_timeout=self._connect_timeout,
                read_timeout=self._read_timeout,
                retries={"mode": "standard", "total_max_attempts": self._attempts},
                user_agent_extra=FIELD_MANAGER,
            )
        )
        session.register("before-parse.codeartifact", self._readable_retry_after)
        return boto3.Session(botocore_session=session)

    def _readable_retry_after(self, response_dict: dict[str, Any], **_: object) -> None:
        """Turn the header into whole seconds: botocore raises a ValueError for any other form."""
        headers = response_dict["headers"]
        given = headers.get("Retry-After")
        if given is None:
            return
        seconds = parse_retry_after(given, now=self._now())
        headers["Retry-After"] = "0" if seconds is None else str(math.ceil(seconds))

    def _drop_former_keys(self, identity: Identity) -> None:
        """Forget the clients that hold former keys of the same Secret."""
        if isinstance(identity, OperatorIdentity):
            return
        for key in list(self._clients):
            other = key[1]
            if (
                not isinstance(other, OperatorIdentity)
                and other.secret_uid == identity.secret_uid
                and other.digest != identity.digest
            ):
                del self._clients[key]

    def _forget(self, region: str, identity: Identity) -> None:
        with self._lock:
            self._clients.pop((region, identity), None)


def _keys(identity: Identity, material: Material) -> dict[str, str]:
    """Arguments of `Session.client`. Without a complete pair boto3 would fall back to the
    operator's own identity, so that an incomplete one is refused here.
    """
    if isinstance(identity, OperatorIdentity):
        return {}
    # A line break at the end is what `echo … | base64` leaves in many a Secret.
    values = {name: value.get_secret_value().strip() for name, value in material.items()}
    wanted = (*_KEYS, _TOKEN_KEY) if _TOKEN_KEY in values else _KEYS
    for name in wanted:
        value = values.get(name, "")
        if not value or not value.isascii() or not value.isprintable() or " " in value:
            raise LoginError(
                "InvalidCredential",
                f"the {name.replace('_', ' ')} in the referenced Secret is empty or holds "
                "characters that no AWS key has: store the value as AWS shows it",
                permanent=True,
            )
    return {f"aws_{name}": values[name] for name in wanted}
