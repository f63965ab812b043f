"""The HTTP session with the API server: address, TLS and proxy as the official client has them.

Its `call_api` would encode each body with the slower encoder, parse each URL anew and look for
cookies: a fifth of the CPU of a request.
"""

import json
from collections.abc import Mapping

import aiohttp
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from pydantic_core import to_json
from yarl import URL

from artifact_index.gate import Gate
from artifact_index.kube.connect import ConnectError
from artifact_index.kube.errors import NotLeading
from artifact_index.kube.port import Object


class Session:
    """Sends requests over at most `connections` connections, each within `timeout`.

    A write passes the `gate`, which nobody closes without an election, and ends in time for the
    next leader. Raises ConnectError for certificates that cannot be read. Use it inside one event
    loop. Neither a netrc file nor the environment's proxies count: `configuration` says what does.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        connections: int,
        timeout: aiohttp.ClientTimeout,
    ) -> None:
        self._configuration = configuration
        self._connections = connections
        self._timeout = timeout
        self.gate = Gate()
        # Reads the certificates now, so that a file that is missing ends the start.
        try:
            self._tls = RESTClientObject(configuration).ssl_context
        except OSError as error:
            raise ConnectError(
                "cannot connect to a cluster: the certificates of the kubeconfig (or of the pod's "
                f"ServiceAccount) cannot be read: {error}; correct its certificate-authority, "
                "client-certificate and client-key"
            ) from None
        self._opened: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._opened is not None:
            await self._opened.close()

    async def send(
        self, method: str, path: str, *, headers: Mapping[str, str], body: Object | None
    ) -> aiohttp.ClientResponse:
        """Send one request; `path` has its query and is percent-encoded. Raises what aiohttp does.

        The answer's body is yet to be read. Raises NotLeading for a write while the gate is closed.
        """
        limits = self._timeout if method == "GET" else self._limits_of_write()
        if self._opened is None:
            self._opened = self._open()
        return await self._opened.request(
            method,
            URL(self._configuration.host + path, encoded=True),
            headers=headers,
            timeout=limits,
            data=None if body is None else _encoded(body),
            proxy=self._configuration.proxy,
            proxy_headers=self._configuration.proxy_headers,
            server_hostname=self._configuration.tls_server_name,
        )

    def _limits_of_write(self) -> aiohttp.ClientTimeout:
        if (left := self.gate.left()) <= 0:
            raise NotLeading
        seconds, most = left + self.gate.grace, self._timeout.total
        if most is None or seconds >= most:
            return self._timeout
        return aiohttp.ClientTimeout(total=seconds, sock_connect=self._timeout.sock_connect)

    def _open(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, ssl=self._tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
        )


def _encoded(body: Object) -> bytes:
    try:
        return to_json(body)
    except ValueError:
        # Half of a surrogate pair, which only the slower encoder writes as an escape.
        return json.dumps(body).encode()
