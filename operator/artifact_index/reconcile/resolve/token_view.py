"""Joins an index with its token: the login to publish, or the reason why there is none. Pure."""

import math
from dataclasses import dataclass
from typing import Final

from artifact_index.api.reasons import Reason
from artifact_index.api.timestamps import format_time
from artifact_index.credentials.aws.endpoint_entry import EndpointState
from artifact_index.credentials.backoff import LONGEST_REFUSED
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.tokens.freshness import (
    Margins,
    Schedule,
    Shortfall,
    go_duration,
    schedule,
    shortfall_note,
)
from artifact_index.credentials.tokens.token_state import TokenState
from artifact_index.formats.document import Credential
from artifact_index.formats.urls import is_insecure, validate_index_url
from artifact_index.reconcile.resolve.memo import StateKey, TokenKey
from artifact_index.reconcile.resolve.resolution import Resolved, SelectedIndex
from artifact_index.sources.base import ResolvedSource
from artifact_index.sources.code_artifact import index_url
from artifact_index.sources.policy import ALLOW_HTTP, Problem
from artifact_index.sources.registry import of

_NOT_OF_THE_LOGIN: Final = (
    Reason.CLOUD_UNAVAILABLE, Reason.CLOUD_THROTTLED, Reason.CLOUD_RESOURCE_NOT_FOUND,
    Reason.INVALID_REQUEST, Reason.INTERNAL_ERROR,
)  # fmt: skip
_TRIED_AGAIN: Final = (
    f". The operator tries again within {go_duration(LONGEST_REFUSED)}, and at once if the login "
    "changes"
)


@dataclass(frozen=True, slots=True)
class IndexState:
    """An index with the present state of its login.

    `key` names everything that the state was computed from; None if it is not worth a memo, and
    whoever changes a state must drop it. `login` is None if a check failed or the index is
    suspended; `url` is then what the spec alone says. `problem` is why there is no fresh
    credential. `pending_since` is set while a first answer of the cloud is awaited. `failing` is
    the last error of a login whose credential is valid all the same. `refresh_at` is when the
    builds of this IndexOptions need the next token; `shortfall` says, with the numbers, why builds
    cannot be promised one that lives long enough. `recheck_at` is when time alone changes the
    problem, and `refused_as_of` when the last refresh request was answered by a problem. Times are
    POSIX seconds.
    """

    selected: SelectedIndex
    destination: str | None
    key: StateKey | None = None
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
    shortfall: Shortfall | None = None
    recheck_at: float | None = None
    refused_as_of: float = -math.inf

    @property
    def suspended(self) -> bool:
        """Whether the user suspended the index."""
        return self.selected.suspended

    @property
    def fresh_as_of(self) -> float:
        """When the cloud last answered for the token, in POSIX seconds; infinity without one."""
        if self.login is None:
            return -math.inf
        if self.token_digest is None:
            return math.inf
        return self.token.fresh_as_of if self.token else -math.inf

    @property
    def stands_still(self) -> bool:
        """Whether the published entry stays as it is: suspended, or an unreadable spec."""
        return self.suspended or self.selected.spec is None


def state_key(
    resolved: Resolved, token: TokenState | None, endpoint: EndpointState | None, now: float
) -> StateKey:
    """Everything that `with_token` reads, but for the margins, which never change."""
    of_token = None
    if token is not None:
        issued_at = token.token.issued_at if token.token is not None else None
        of_token = TokenKey(token.serial, issued_at, token.servable(now), token.expired(now))
    return StateKey(
        place=resolved.place,
        source=resolved.key,
        token=of_token,
        url=endpoint.serial if endpoint else None,
    )


def without_login(
    selected: SelectedIndex,
    destination: str | None,
    problem: Problem | None,
    recheck_at: float | None = None,
    refused_as_of: float = -math.inf,
) -> IndexState:
    """The state of an index that failed a check or is suspended."""
    url = of(selected.spec).url() if selected.spec else None
    return IndexState(
        selected, destination, url=url, problem=problem, recheck_at=recheck_at,
        refused_as_of=refused_as_of,
    )  # fmt: skip


def with_token(
    resolved: Resolved,
    key: StateKey,
    token: TokenState | None,
    endpoint: EndpointState | None,
    *,
    margins: Margins,
    now: float,
) -> IndexState:
    """The state of an index that passed its checks; `key` is its `state_key`.

    `token` is None for a static login, and if no output holds the credential itself. Times follow
    from the build length of this IndexOptions alone, and not from who else shares the login, so
    that a restart finds the same ones in whatever order it plans.
    """
    login, max_build = resolved.login, resolved.place.max_build
    needs_token = login.token is not None and resolved.place.needs_token
    url, url_problem, url_pending = _url(resolved, endpoint)
    credential, problem, pending = login.credential, None, None
    if token is not None:
        credential, problem, pending = _credential(resolved, token, now)
    waits = [since for since in (url_pending, pending) if since is not None]
    live = url is not None and problem is None
    failing = token.error if token is not None and live else None
    times = _times(token, login.token_digest, max_build, margins)
    return IndexState(
        selected=SelectedIndex.of(resolved.index),
        destination=resolved.destination,
        key=key,
        login=login,
        url=url,
        credential=credential,
        problem=problem or url_problem,
        pending_since=min(waits) if waits else None,
        failing=_login_problem(resolved, failing) if failing else None,
        token=token,
        token_digest=login.token_digest if needs_token else None,
        endpoint_digest=login.endpoint_digest if login.endpoint is not None else None,
        refresh_at=times.refresh_at if times else None,
        shortfall=_shortfall(token, times, max_build, margins) if live else None,
        refused_as_of=token.refused_as_of if token is not None else -math.inf,
    )


def _times(
    token: TokenState | None, digest: str, max_build: float, margins: Margins
) -> Schedule | None:
    if token is None or token.token is None:
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
) -> Shortfall | None:
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
    resolved: Resolved, endpoint: EndpointState | None
) -> tuple[str | None, Problem | None, float | None]:
    if resolved.login.endpoint is None:
        return resolved.login.url, None, None
    if endpoint is None or endpoint.url is None:
        return None, *_unanswered(resolved, endpoint)
    url = index_url(endpoint.url)
    if (problem := validate_index_url(url)) is not None:
        message = f"GetRepositoryEndpoint gave an answer that cannot be used: {problem}"
        return None, Problem(Reason.CLOUD_UNAVAILABLE, message), None
    if is_insecure(url) and not resolved.key.policy.allow_http:
        message = "spec.codeArtifact: GetRepositoryEndpoint answered with a URL that is not https; "
        message += f"set spec.codeArtifact.endpoint, or ask the administrator for {ALLOW_HTTP}"
        return None, Problem(Reason.INSECURE_URL, message), None
    return url, None, None


def _credential(
    resolved: Resolved, token: TokenState, now: float
) -> tuple[Credential | None, Problem | None, float | None]:
    if token.token is not None and token.servable(now):
        username = resolved.login.username
        username = token.token.username if username is None else username
        return Credential(username, token.token.value), None, None
    if token.token is None or token.token.expires_at is None:
        return None, *_unanswered(resolved, token)
    cause = "; a new one is being asked for"
    if token.error is not None:
        cause = f": {_login_problem(resolved, token.error).message}"
    expiry = format_time(token.token.expires_at)
    verb = "expired" if token.expired(now) else "was withdrawn before it expires"
    message = f"the last token {verb} at {expiry} and could not be replaced in time{cause}"
    stalled = token.error is not None and token.error.permanent
    return None, Problem(Reason.CREDENTIAL_EXPIRED, message, must_act=stalled), None


def _unanswered(
    resolved: Resolved, state: TokenState | EndpointState | None
) -> tuple[Problem, float | None]:
    if state is not None and state.error is not None:
        return _login_problem(resolved, state.error), None
    since = state.pending_since if state is not None else None
    message = "the cloud has been asked for the credential and has not answered yet"
    return Problem(Reason.MINTING_CREDENTIAL, message), since


def _login_problem(resolved: Resolved, error: LoginError) -> Problem:
    """The cloud's answer with what logs in, first if it is refused: no client knows the field."""
    if (spec := resolved.index.spec) is None:
        return Problem(error.reason, error.message)
    source = of(spec)
    who = source.field
    if use := source.secret():
        who = f"Secret {use.name!r} in {use.field}"
    elif account := source.service_account():
        who = f"ServiceAccount {account.name!r} in {account.field}"
    if error.reason in _NOT_OF_THE_LOGIN:
        where = f" (login of {who})" if who != source.field else ""
        return Problem(error.reason, error.message + where)
    retried = _TRIED_AGAIN if error.permanent else ""
    return Problem(error.reason, f"{who}: {error.message}{retried}")
