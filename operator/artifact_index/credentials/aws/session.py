"""The process's one boto3 Session, and the clients made from it."""

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from artifact_index.api.constants import FIELD_MANAGER
from artifact_index.credentials.http_dates import parse_retry_after
from artifact_index.credentials.sdk_logs import quiet

LOGGERS: Final = ("boto3", "botocore", "urllib3")
"""At DEBUG botocore logs request headers (with the session token), the signature's inputs and the
whole answer (with the issued token)."""

_SERVICES: Final = ("codeartifact", "sts", "sso", "oidc", "portal.sso", "signin")
"""Services of the calls themselves, and of boto3's ways to find the operator's own identity."""

_KEPT_CLIENTS: Final = 32
"""The most recently used clients, of 60 kB each, that are kept: an operator uses few regions."""

_Signing = Literal["own", "keys", "none"]


class AwsSession:
    """Hands out boto3 clients; thread-safe. A Session costs about 100 ms and 8 MB, a client 2 ms.

    A Session is not thread-safe, so clients, which are, are created under a lock. The most recently
    used ones are kept. No client holds the keys of a login: each call brings its own.

    Connections are closed when no call is in flight. A firewall may silently drop one that is idle
    for a refresh period, and only a timeout would reveal it.

    Endpoints, proxies and CA bundles come from boto3's own variables (`AWS_ENDPOINT_URL_STS`,
    `AWS_USE_FIPS_ENDPOINT`, `HTTPS_PROXY`, `AWS_CA_BUNDLE`, …). Times are in seconds.
    """

    def __init__(
        self,
        *,
        connect_timeout: float,
        read_timeout: float,
        attempts: int,
        now: Callable[[], float],
    ) -> None:
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._attempts = attempts
        self._now = now
        self._lock = threading.Lock()
        self._session: Any = None
        self._clients: OrderedDict[_ClientKey, _Client] = OrderedDict()
        self._call = _Call()

    @contextmanager
    def client(
        self, service: str, region: str, keys: Mapping[str, str] | None = None
    ) -> Iterator[Any]:
        """A client whose calls in this thread are signed with these keys. Do not nest.

        `keys` are arguments of `Session.client`. None is the operator's own identity; an empty
        mapping is for calls that are not signed. Raises what boto3 raises.
        """
        signing: _Signing = "own" if keys is None else "keys" if keys else "none"
        key = _ClientKey(service, region, signing)
        with self._lock:
            client = self._clients.pop(key, None) or _Client(self._new_client(*key))
            self._clients[key] = client
            client.calls += 1
            if len(self._clients) > _KEPT_CLIENTS:
                self._clients.popitem(last=False)
        self._call.keys = keys
        try:
            yield client.boto3
        finally:
            self._call.keys = None
            with self._lock:
                client.calls -= 1
                if client.calls == 0:
                    client.boto3.close()

    def forget_own(self, service: str, region: str) -> None:
        """Search for the operator's identity again: a client keeps what it found when created."""
        with self._lock:
            self._clients.pop(_ClientKey(service, region, "own"), None)

    def _new_client(self, service: str, region: str, signing: _Signing) -> Any:
        if self._session is None:
            self._session = self._new_session()
        arguments: dict[str, Any] = {}
        if signing == "none":
            from botocore import UNSIGNED  # noqa: PLC0415 - imported when first needed
            from botocore.config import Config  # noqa: PLC0415

            # boto3 then does not search for an identity, which takes seconds if there is none.
            arguments["config"] = Config(signature_version=UNSIGNED)
        if signing == "keys":
            # Keys of no account: AWS refuses a call that does not bring its own.
            arguments |= {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
        client = self._session.client(service, region_name=region, **arguments)
        if signing == "keys":
            client.meta.events.register("before-sign", self._sign_with_keys_of_call)
        return client

    def _sign_with_keys_of_call(self, request: Any, **_: object) -> None:
        from botocore.credentials import Credentials  # noqa: PLC0415 - imported when first needed

        keys = self._call.keys
        if keys:
            # botocore signs single requests with other keys in the same way (S3 Express).
            request.context.setdefault("signing", {})["request_credentials"] = Credentials(
                keys["aws_access_key_id"],
                keys["aws_secret_access_key"],
                keys.get("aws_session_token"),
            )

    def _new_session(self) -> Any:
        import boto3  # noqa: PLC0415 - 150 ms and 35 MB: imported when first needed
        import botocore.session  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415

        quiet(LOGGERS)
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
        _forget_other_services(session)
        return boto3.Session(botocore_session=session)

    def _readable_retry_after(self, response_dict: dict[str, Any], **_: object) -> None:
        """Replace the header by whole seconds: botocore raises ValueError for any other form."""
        headers = response_dict["headers"]
        given = headers.get("Retry-After")
        if given is None:
            return
        seconds = parse_retry_after(given, now=self._now())
        headers["Retry-After"] = "0" if seconds is None else str(math.ceil(seconds))


class _ClientKey(NamedTuple):
    service: str
    region: str
    signing: _Signing


@dataclass(slots=True, eq=False)
class _Client:
    """A client and the number of its calls in flight."""

    boto3: Any
    calls: int = 0


class _Call(threading.local):
    """The keys of this thread's call."""

    keys: Mapping[str, str] | None = None


def _forget_other_services(session: Any) -> None:
    """Free 6 MiB: the endpoints of 300 services that no login needs.

    botocore keeps what its loader has read. For a service that it does not find there it uses the
    partition's pattern.
    """
    for partition in session.get_component("data_loader").load_data("endpoints")["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in _SERVICES if name in services}
