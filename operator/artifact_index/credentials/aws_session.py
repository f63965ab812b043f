"""One boto3 Session for the whole process, and the clients that come from it."""

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from artifact_index.api.constants import FIELD_MANAGER
from artifact_index.credentials.aws_errors import parse_retry_after
from artifact_index.credentials.sdk_logs import quiet_sdks

_SERVICES: Final = ("codeartifact", "sts", "sso", "oidc", "portal.sso", "signin")
"""Those of the calls themselves and of boto3's ways to find the operator's own identity."""


class AwsSession:
    """Thread-safe. Another Session costs about 100 ms and 8 MB, another client of it 4 ms.

    Sessions are not thread-safe and clients are, so that clients are created under a lock. Those
    with the operator's own identity are kept, one for each service and region; the others are
    dropped after their use, with the keys in them. Endpoints, proxies and CA bundles come from
    boto3's own variables (`AWS_ENDPOINT_URL_STS`, `AWS_USE_FIPS_ENDPOINT`, `HTTPS_PROXY`,
    `AWS_CA_BUNDLE`, …). Times are in seconds.
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
        self._own: dict[tuple[str, str], Any] = {}

    @contextmanager
    def client(
        self, service: str, region: str, keys: Mapping[str, str] | None = None
    ) -> Iterator[Any]:
        """A client with these keys (arguments of `Session.client`).

        None is the operator's own identity; an empty mapping is none at all, for the calls that
        are not signed. Raises what boto3 raises.
        """
        if keys is None:
            yield self._own_client(service, region)
            return
        with self._lock:
            client = self._new_client(service, region, keys)
        try:
            yield client
        finally:
            client.close()

    def forget_own(self, service: str, region: str) -> None:
        """Look for the operator's identity anew: a client keeps what it found at its creation."""
        with self._lock:
            self._own.pop((service, region), None)

    def _own_client(self, service: str, region: str) -> Any:
        with self._lock:
            client = self._own.get((service, region))
            if client is None:
                client = self._own[service, region] = self._new_client(service, region, None)
            return client

    def _new_client(self, service: str, region: str, keys: Mapping[str, str] | None) -> Any:
        if self._session is None:
            self._session = self._new_session()
        arguments: dict[str, Any] = dict(keys or {})
        if keys is not None and not keys:
            from botocore import UNSIGNED  # noqa: PLC0415 - imported when first needed
            from botocore.config import Config  # noqa: PLC0415

            # Nor does boto3 then search for an identity, which takes seconds where there is none.
            arguments["config"] = Config(signature_version=UNSIGNED)
        return self._session.client(service, region_name=region, **arguments)

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
        _forget_other_services(session)
        return boto3.Session(botocore_session=session)

    def _readable_retry_after(self, response_dict: dict[str, Any], **_: object) -> None:
        """Turn the header into whole seconds: botocore raises a ValueError for any other form."""
        headers = response_dict["headers"]
        given = headers.get("Retry-After")
        if given is None:
            return
        seconds = parse_retry_after(given, now=self._now())
        headers["Retry-After"] = "0" if seconds is None else str(math.ceil(seconds))


def _forget_other_services(session: Any) -> None:
    """The endpoints of 300 services that no login needs are 6 MiB.

    botocore keeps what its loader has read, and takes the partition's pattern for a service that
    it knows nothing of.
    """
    for partition in session.get_component("data_loader").load_data("endpoints")["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in _SERVICES if name in services}
