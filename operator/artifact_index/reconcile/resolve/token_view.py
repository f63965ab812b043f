"""One index as it stands now: its fresh login or the reason why there is none. Pure."""

import math
from dataclasses import dataclass

from artifact_index.api.reasons import Reason
from artifact_index.api.timestamps import format_time
from artifact_index.credentials.aws.endpoints import EndpointState
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.tokens.freshness import Margins, Schedule, schedule, shortfall_note
from artifact_index.credentials.tokens.token_state import TokenState
from artifact_index.formats.document import Credential
from artifact_index.formats.urls import is_insecure, validate_index_url
from artifact_index.reconcile.cache.objects import IndexObject
from artifact_index.sources.base import ResolvedSource
from artifact_index.sources.code_artifact import index_url
from artifact_index.sources.policy import Problem
from artifact_index.sources.registry import of


@dataclass(frozen=True, slots=True, eq=False)
class IndexState:
    """An index with its login's present state. Only one and the same view is equal to itself.

    `login` is None where a check failed or the index is suspended; `url` is then what the spec
    alone tells. `problem` says why there is no fresh credential. `pending_since` is set while a
    first answer of the cloud is awaited. `failing` is the last error of a login whose credential is
    live all the same. `refresh_at` is when the builds of this IndexOptions need the next token;
    `shortfall` says, with the numbers, why the promise to them cannot be kept.
    """

    record: IndexObject
    scope: str | None
    login: ResolvedSource | None = None
    url: str | None = None
    credential: Credential | None = None
    problem: Problem | None = None
    pending_since: float | None = None
    failing: Problem | None = None
    token: TokenState | None = None
    token_digest: str | None = None
    endpoint_digest: str | None = None
    refresh_at: int | None = None
    shortfall: str | None = None
    recheck_at: float | None = None

    @property
    def suspended(self) -> bool:
        """Whether the user suspended the index."""
        return self.record.spec is not None and self.record.spec.suspend

    @property
    def fresh_as_of(self) -> float:
        """When the cloud last answered for the token, in POSIX seconds; for ever where none is."""
        if self.login is None:
            return -math.inf
        if self.token_digest is None:
            return math.inf
        return self.token.fresh_as_of if self.token else -math.inf

    @property
    def stands_still(self) -> bool:
        """Whether the entry stays as it is: suspended, or a spec that cannot be read."""
        return self.suspended or self.record.spec is None


def view_without_login(
    record: IndexObject,
    scope: str | None,
    problem: Problem | None,
    recheck_at: float | None = None,
) -> IndexState:
    """The view of an index that has failed a check or is suspended.

    `recheck_at` is when time alone changes the verdict.
    """
    url = of(record.spec).url() if record.spec else None
    return IndexState(record, scope, url=url, problem=problem, recheck_at=recheck_at)


def view_of(
    record: IndexObject,
    scope: str,
    login: ResolvedSource,
    *,
    token: TokenState | None,
    token_digest: str | None,
    endpoint: EndpointState | None,
    endpoint_digest: str | None,
    max_build: float,
    allow_http: bool,
    margins: Margins,
    now: float,
) -> IndexState:
    """The view of an index that passed its checks.

    `token` is None for a static login, and where no consumer needs the credential itself. Times
    follow from this IndexOptions' own `max_build`, in seconds, and not from who else shares the
    login, so that they are the same whatever order a restart comes by in.
    """
    url, url_problem, url_pending = _url(record, login, endpoint, allow_http=allow_http)
    credential, problem, pending = login.credential, None, None
    if token is not None:
        credential, problem, pending = _credential(record, login, token, now)
    waits = [since for since in (url_pending, pending) if since is not None]
    live = url is not None and problem is None
    failing = token.error if token is not None and live else None
    times = _times(token, token_digest, max_build, margins)
    return IndexState(
        record=record,
        scope=scope,
        login=login,
        url=url,
        credential=credential,
        problem=problem or url_problem,
        pending_since=min(waits) if waits else None,
        failing=_login_problem(record, failing) if failing else None,
        token=token,
        token_digest=token_digest,
        endpoint_digest=endpoint_digest,
        refresh_at=times.refresh_at if times else None,
        shortfall=_shortfall(token, times, max_build, margins) if live else None,
    )


def _times(
    token: TokenState | None, digest: str | None, max_build: float, margins: Margins
) -> Schedule | None:
    if token is None or token.token is None or digest is None:
        return None
    return schedule(
        login_digest=digest,
        issued_at=token.token.issued_at,
        expires_at=token.token.expires_at,
        max_build=max_build,
        margins=margins,
    )


def _shortfall(
    token: TokenState | None, times: Schedule | None, max_build: float, margins: Margins
) -> str | None:
    if token is None or token.token is None or token.token.expires_at is None or times is None:
        return None
    if times.guaranteed and not token.repeats:
        return None
    return shortfall_note(
        life=token.token.expires_at - token.token.issued_at,
        max_build=max_build,
        longest_build=0 if token.repeats else times.longest_build,
        margins=margins,
    )


def _url(
    record: IndexObject, login: ResolvedSource, endpoint: EndpointState | None, *, allow_http: bool
) -> tuple[str | None, Problem | None, float | None]:
    if login.endpoint is None:
        return login.url, None, None
    if endpoint is None or endpoint.url is None:
        return None, *_unanswered(record, endpoint)
    url = index_url(endpoint.url)
    if (problem := validate_index_url(url)) is not None:
        message = f"GetRepositoryEndpoint gave an answer that cannot be used: {problem}"
        return None, Problem(Reason.CLOUD_UNAVAILABLE, message), None
    if is_insecure(url) and not allow_http:
        message = "GetRepositoryEndpoint answered with a URL that is not https; ask the "
        message += "administrator for --allow-http, or set spec.codeArtifact.endpoint"
        return None, Problem(Reason.INSECURE_URL, message), None
    return url, None, None


def _credential(
    record: IndexObject, login: ResolvedSource, token: TokenState, now: float
) -> tuple[Credential | None, Problem | None, float | None]:
    if token.token is not None and token.servable(now):
        return Credential(login.username, token.token.value), None, None
    if token.token is None or token.token.expires_at is None:
        return None, *_unanswered(record, token)
    cause = "; a new one is being asked for"
    if token.error is not None:
        cause = f": {_login_problem(record, token.error).message}"
    expiry = format_time(token.token.expires_at)
    verb = "expired" if token.expired(now) else "was withdrawn before it expires"
    message = f"the last token {verb} at {expiry} and could not be replaced in time{cause}"
    stalled = token.error is not None and token.error.permanent
    return None, Problem(Reason.CREDENTIAL_EXPIRED, message, must_act=stalled), None


def _unanswered(
    record: IndexObject, lease: TokenState | EndpointState | None
) -> tuple[Problem, float | None]:
    if lease is not None and lease.error is not None:
        return _login_problem(record, lease.error), None
    since = lease.pending_since if lease is not None else None
    message = "the cloud has been asked for the credential and has not answered yet"
    return Problem(Reason.MINTING_CREDENTIAL, message), since


def _login_problem(record: IndexObject, error: LoginError) -> Problem:
    """The cloud's refusal, with what logged in: the client does not know the field."""
    source = of(record.spec) if record.spec else None
    where = ""
    if source and (use := source.secret()):
        where = f" (login of Secret {use.name!r} in {use.field})"
    if source and (account := source.service_account()):
        where = f" (login of ServiceAccount {account.name!r} in {account.field})"
    return Problem(error.reason, error.message + where)
