"""What the tests with real uv share: entries for a stand-in index, and what uv asked it."""

from collections.abc import Iterable

from pydantic import SecretStr

from artifact_index.api.index_options import IndexStrategy
from artifact_index.formats.document import (
    Credential,
    Document,
    IndexEntry,
    PublicEntry,
)
from support.blocked import COMMAND
from support.index_server import IndexServer, Repository
from support.rendered import secret_text
from support.request_log import IndexRequest
from support.wheels import make_wheel

STRATEGIES: tuple[IndexStrategy, ...] = ("first-index", "unsafe-first-match", "unsafe-best-match")

LOGIN = ("aws", "good-token")


def good(username: str, password: str) -> bool:
    """The rule of a private stand-in index: one login, as a freshly minted token."""
    return (username, password) == LOGIN


def private_repository(server: IndexServer, prefix: str, *packages: str) -> Repository:
    """A private index with version 1.0 of each package."""
    return server.add_repository(prefix, *(make_wheel(p, "1.0") for p in packages), accepts=good)


def public_repository(pypi: IndexServer, *packages: str) -> Repository:
    """The stand-in for PyPI with version 9.9 of each package: a look-alike of a private name."""
    return pypi.add_repository("public", *(make_wheel(p, "9.9") for p in packages))


def entry_for(
    repository: Repository,
    name: str,
    *,
    login: tuple[str, str] | None = LOGIN,
    explicit: bool = False,
    ignore_error_codes: tuple[int, ...] = (),
    blocked: bool = False,
) -> IndexEntry:
    """An entry with the repository's URL."""
    credential = Credential(login[0], SecretStr(login[1])) if login is not None else None
    return IndexEntry(
        name=name,
        url=repository.url,
        credential=credential,
        explicit=explicit,
        ignore_error_codes=ignore_error_codes,
        blocked=blocked,
        described_by=COMMAND if blocked else "",
    )


def document(
    *entries: IndexEntry,
    public: Repository | None,
    prefer_private: bool = True,
    index_strategy: IndexStrategy = "first-index",
) -> Document:
    """A document whose public index, called `pypi`, is the stand-in, or which has none."""
    return Document(
        entries=entries,
        public=PublicEntry("pypi", public.url) if public is not None else None,
        prefer_private=prefer_private,
        index_strategy=index_strategy,
    )


def rendered(
    *entries: IndexEntry,
    public: Repository | None,
    prefer_private: bool = True,
    index_strategy: IndexStrategy = "first-index",
) -> str:
    """The file with credentials, from the renderer under test."""
    asked = document(
        *entries, public=public, prefer_private=prefer_private, index_strategy=index_strategy
    )
    return secret_text("UvToml", asked)


def asked_pages(requests: Iterable[IndexRequest], package: str) -> list[str]:
    """Which repositories were asked for the package's page, in order, each once."""
    end = f"/simple/{package}/"
    pages = [r.path.removesuffix(end).strip("/") for r in requests if r.path.endswith(end)]
    return list(dict.fromkeys(pages))


def logins(requests: Iterable[IndexRequest]) -> set[tuple[str | None, str | None]]:
    """The distinct logins that came with the requests; (None, None) is an anonymous one."""
    return {(request.username, request.password) for request in requests}
