"""Exchanges the token of a ServiceAccount: one POST without a redirect and without a retry."""

import math
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import SecretStr

from artifact_index.api.timestamps import LAST_SECOND
from artifact_index.credentials.errors import UnreachableError
from artifact_index.credentials.exchange import errors
from artifact_index.credentials.exchange.errors import Refusal
from artifact_index.credentials.exchange.presets import PROTOCOLS
from artifact_index.credentials.exchange.requests import ExchangeTokenRequest
from artifact_index.credentials.requests import SUBJECT_TOKEN, KeyMaterial, Token
from artifact_index.credentials.web.http import HttpClient
from artifact_index.credentials.web.jwt import claims_of, expiry_of, is_token

_USER: Final = re.compile(r"[^:\x00-\x1f\x7f\ud800-\udfff]{0,256}")
"""RFC 7617: a user name holds neither a colon nor a control character. JSON may hold half of a
character, which no file can."""


class ExchangedTokens:
    """A thread-safe, synchronous client.

    A token that lives less than `least_life`, in seconds, is refused: no build could use it.
    """

    def __init__(
        self, post: HttpClient, *, least_life: float, now: Callable[[], float] = time.time
    ) -> None:
        self._post = post
        self._least_life = least_life
        self._now = now

    @property
    def calls(self) -> Mapping[type[Any], Callable[[Any, KeyMaterial], Token]]:
        """The method that answers each type of request."""
        return {ExchangeTokenRequest: self.issue}

    def issue(self, request: ExchangeTokenRequest, key_material: KeyMaterial) -> Token:
        """Exchange the token of the ServiceAccount. Raises LoginError.

        The answer's life counts from before the request. A refresh token in the answer is dropped.
        """
        subject = key_material[SUBJECT_TOKEN].get_secret_value()
        if claims_of(subject).get("iss") in request.identity.audiences:
            raise errors.issuers_own_audience()
        protocol = PROTOCOLS[request.preset]
        asked_at = math.floor(self._now())
        try:
            answer = self._post(
                request.identity.exchange,
                protocol.body_of(request, subject),
                content_type=protocol.content_type,
            )
        except UnreachableError as error:
            failure = errors.unreachable(request, str(error))
        else:
            refusal = Refusal(request, answer, subject)
            if answer.status not in (200, 201):
                raise errors.refused(refusal)
            return self._token(refusal, asked_at)
        raise failure

    def _token(self, refusal: Refusal, asked_at: int) -> Token:
        body, names = refusal.answer.body, refusal.request.answer
        token = body.get(names.token)
        if not is_token(token):
            raise errors.not_understood(refusal)
        username = _username(body, names.username)
        if username is None and refusal.request.preset == "jfrog":
            username = _user_of(token)
        if username is None:
            raise errors.unusable_username(refusal)
        ends = _ends(body.get(names.life or ""), asked_at, expiry_of(token))
        if ends is None or ends <= asked_at:
            raise errors.unknown_life(refusal)
        if ends - asked_at < self._least_life:
            raise errors.too_short(refusal, ends - asked_at, self._least_life)
        return Token(SecretStr(token), asked_at, ends, refusal.answer.request_id, username=username)


def _ends(life: object, asked_at: int, expiry: int | None) -> int | None:
    """When a token dies, by its life in seconds and by its own word: the earlier of both.

    None if neither is known, or the life is none: 0 is JFrog's for ever.
    """
    if life is None:
        return expiry
    try:
        seconds = float(str(life))
    except ValueError:
        return None
    if isinstance(life, bool) or not 0 < seconds <= LAST_SECOND - asked_at:
        return None
    ends = math.floor(asked_at + seconds)
    return ends if expiry is None else min(ends, expiry)


def _username(body: Mapping[str, Any], member: str | None) -> str | None:
    """The user name of the answer; None if there should be one and is none that can be used."""
    username = "" if member is None else body.get(member)
    return username if isinstance(username, str) and _USER.fullmatch(username) else None


def _user_of(token: str) -> str:
    """The user of a JFrog token; empty for an opaque one, and for one that cannot be sent.

    Its subject ends in the name of a user, after `/users/` or, with `jfrt@`, after the last slash;
    of a mapping to groups it is the name (jfrog-client-go, `auth/authutils.go`).
    """
    subject = claims_of(token).get("sub")
    if not isinstance(subject, str):
        return ""
    if subject.startswith("jfrt@") or "/users/" in subject:
        subject = subject.rpartition("/")[2]
    return subject if _USER.fullmatch(subject) else ""
