"""One HTTP request to an index: bounded in time and bytes, and without a redirect followed."""

import asyncio
import base64
import os
import ssl
import time
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urljoin

import aiohttp

from artifact_index import __version__
from artifact_index.formats.document import Credential
from artifact_index.formats.urls import share_origin
from artifact_index.kube.proxies import proxy_for

JSON_TYPE: Final = "application/vnd.pypi.simple.v1+json"

_ACCEPTED: Final = f"{JSON_TYPE}, text/html;q=0.1"
_MOST: Final = 256 * 1024
"""Bytes of a page that are read: enough for the first files of a project."""

_AT_A_TIME: Final = 8

SECONDS = 10.0
"""How long a request may take, from its start to the last byte that is read."""

_HEADERS: Final = {
    "Accept": _ACCEPTED,
    "User-Agent": f"artifact-index/{__version__}",
    # Azure DevOps then answers 401 in place of a redirect to its sign-in page.
    "X-TFS-FedAuthRedirect": "Suppress",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    `status` is 0 without an answer, and `problem` says why: a word for the kind, and a text that
    never holds a URL's path or a login. `elsewhere` is True for a redirect to another host.
    """

    status: int
    seconds: float = 0.0
    is_json: bool = False
    is_html: bool = False
    body: bytes = b""
    elsewhere: bool = False
    problem: tuple[str, str] | None = None

    @property
    def good(self) -> bool:
        """Whether it is a page."""
        return self.status == 200


class Asker:
    """Sends requests, each within `SECONDS`; use it inside one event loop.

    CAs are the system's, or those of `SSL_CERT_FILE`.
    """

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(_AT_A_TIME)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=ssl.create_default_context()),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=SECONDS),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def ask(self, url: str, login: Credential | None) -> Answer:
        """GET a URL, with a login in the header alone. The wait for a turn takes no time of it."""
        async with self._slots:
            return await self._ask(url, login)

    async def _ask(self, url: str, login: Credential | None) -> Answer:
        begun = time.monotonic()
        headers = dict(_HEADERS)
        if login is not None:
            both = f"{login.username}:{login.raw_password}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(both).decode()}"
        try:
            async with self._session.get(
                url,
                allow_redirects=False,
                headers=headers,
                proxy=proxy_for(url, os.environ),
            ) as answer:
                body = await _start_of(answer)
                kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
                target = urljoin(url, answer.headers.get("Location", ""))
                return Answer(
                    status=answer.status,
                    seconds=time.monotonic() - begun,
                    is_json=kind == JSON_TYPE,
                    is_html=kind in ("text/html", "application/vnd.pypi.simple.v1+html"),
                    body=body,
                    elsewhere=300 <= answer.status < 400 and not share_origin(url, target),
                )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Answer(0, time.monotonic() - begun, problem=_problem(error))


async def _start_of(answer: aiohttp.ClientResponse) -> bytes:
    """The body, of which no more is read than is needed."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in answer.content.iter_any():
        chunks.append(chunk)
        size += len(chunk)
        if size >= _MOST:
            answer.close()
            break
    return b"".join(chunks)[:_MOST]


def _problem(error: Exception) -> tuple[str, str]:
    """The kind of a failure, and words for it; texts of errors may quote a URL."""
    if isinstance(error, asyncio.TimeoutError):
        return "Unreachable", "no answer in time"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "UntrustedAuthority", error.certificate_error.__class__.__name__
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "Unreachable", "its name cannot be resolved"
    if isinstance(error, aiohttp.ClientSSLError):
        return "Unreachable", "TLS cannot be agreed on"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "Unreachable", error.os_error.strerror or "no connection"
    return "Unreachable", f"the answer cannot be read ({type(error).__name__})"
