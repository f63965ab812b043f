"""Watches the week from outside the operator, and notes which writes each event calls for."""

import asyncio
from collections import defaultdict
from typing import NamedTuple

from artifact_index.api.timestamps import format_time
from bench.week import ledger as causes
from bench.week import shown
from bench.week.arithmetic import ROUNDING, is_promised, periods, withdrawn_before
from bench.week.ledger import (
    EVENTS,
    INDEXES,
    MINTS,
    OPTIONS,
    OUTPUTS,
    PROMPT,
    REFUSED,
    URLS,
    Ledger,
    Shows,
    refresh_of,
)
from bench.week.memory import Asked
from bench.week.plan import Index, Login, Place, Week
from support.misfortunes import EPOCH

REREAD = 300.0 + PROMPT
"""Seconds within which a changed Secret without label is to be written: it is read each 5 min."""

STARTING = 600.0
"""Seconds after which the start is over."""


class Minted(NamedTuple):
    """The last token of a login: when it was granted (seconds of the week), and with which key."""

    at: float
    key: str
    expires_at: int


class Witness:
    """Knows the plan and its changes; the clouds report to it what they issue and refuse."""

    def __init__(self, plan: Week, ledger: Ledger) -> None:
        self.minted: dict[str, Minted] = {}
        self._logins = plan.logins()
        self._ledger = ledger
        self._indexes: defaultdict[str, set[Index]] = defaultdict(set)
        self._urls: set[Asked] = set()
        self._rotated: dict[str, float] = {}
        self._failing: set[str] = set()
        self._blocked: set[str] = set()

    def files_of(self, login: Login) -> set[Place]:
        """The files that hold a login."""
        return {index.file for index in self._indexes[login.name]}

    # Changes

    def started(self, plan: Week) -> None:
        """Everything exists before the operator starts."""
        for file in plan.all_files():
            self._ledger.owe((OUTPUTS, *file), causes.START, shown.anything)
            self._ledger.owe((OPTIONS, *file), causes.START, shown.condition("Ready"))
        for index in plan.indexes():
            self._hold(index)
            self._ledger.owe((INDEXES, *index.place), causes.START, shown.condition("Ready"))
        for login in self._logins.values():
            if login.life is not None and not is_promised(login.life):
                self._owe_events(login, causes.START, "TokenTooShort")

    def index_edited(self, index: Index, output: Shows, generation: int) -> None:
        """A field of its spec that the file shows; the file's own status does not change."""
        self._ledger.owe((OUTPUTS, *index.file), causes.SPEC_EDITED, output)
        status = shown.generation(generation)
        self._ledger.owe((INDEXES, *index.place), causes.SPEC_EDITED, status)

    def file_edited(self, file: Place, output: Shows, generation: int) -> None:
        """A field of an IndexOptions that is about no index."""
        self._ledger.owe((OUTPUTS, *file), causes.SPEC_EDITED, output)
        self._ledger.owe((OPTIONS, *file), causes.SPEC_EDITED, shown.generation(generation))

    def password_rotated(self, login: Login, password: str) -> None:
        """Another password: outputs alone show it."""
        for file in self.files_of(login):
            output, within = shown.text(f":{password}@"), PROMPT if login.labelled else REREAD
            self._ledger.owe((OUTPUTS, *file), causes.KEY_ROTATED, output, within=within)

    def key_rotated(self, login: Login) -> None:
        """Another key: it takes another token, and every repository's URL once more."""
        self._rotated[login.name] = self._now()

    def index_added(self, index: Index) -> None:
        """One more, with a login that its file has already."""
        self._hold(index)
        self._ledger.owe((OUTPUTS, *index.file), causes.INDEX_ADDED, shown.named(index))
        self._ledger.owe((OPTIONS, *index.file), causes.INDEX_ADDED, shown.listed(index))
        self._ledger.owe((INDEXES, *index.place), causes.INDEX_ADDED, shown.condition("Ready"))

    def index_deleted(self, index: Index) -> None:
        """One less; its login has others in that file."""
        if index.login is not None:
            self._indexes[index.login.name].discard(index)
        output, status = shown.named(index, there=False), shown.listed(index, there=False)
        self._ledger.owe((OUTPUTS, *index.file), causes.INDEX_DELETED, output)
        self._ledger.owe((OPTIONS, *index.file), causes.INDEX_DELETED, status)

    # Answers of the clouds

    def answered(self, asked: Asked) -> None:
        """A cloud has answered."""
        login = self._logins[asked.login]
        if asked.repository is not None:
            self._ledger.count(self._cause_of_url(asked), URLS, str(asked))
        elif asked.token is None or asked.expires_at is None:
            self._ledger.count(causes.OUTAGE, REFUSED)
            self._refused(login)
        else:
            cause = self._cause_of_mint(login, asked)
            self._ledger.count(cause, MINTS, asked.login)
            self.minted[login.name] = Minted(self._now(), asked.key, asked.expires_at)
            if cause not in (causes.START, None):
                self._owe_token(login, str(cause), asked.token, asked.expires_at)
            self._recovered(login)

    def _cause_of_mint(self, login: Login, asked: Asked) -> str | None:
        """None where neither a new key nor the schedule asks for it."""
        last = self.minted.get(login.name)
        if last is None:
            return causes.START if self._now() < STARTING else None
        if asked.key != last.key:
            since = self._rotated[login.name]
            self._ledger.expect(causes.KEY_ROTATED, since, PROMPT, f"a token of {login.name}")
            return causes.KEY_ROTATED
        shortest, _ = periods(login.life or 0)
        due = self._now() - last.at >= shortest - ROUNDING
        return refresh_of(login.sort) if due else None

    def _cause_of_url(self, asked: Asked) -> str | None:
        """Each repository's URL is asked for once with each key."""
        if asked in self._urls:
            return None
        self._urls.add(asked)
        if self._now() < STARTING:
            return causes.START
        earlier = any(
            known.login == asked.login
            and known.repository == asked.repository
            and known is not asked
            for known in self._urls
        )
        if earlier:
            return causes.KEY_ROTATED if asked.login in self._rotated else None
        return causes.INDEX_ADDED

    def _owe_token(self, login: Login, cause: str, token: str, expires_at: int) -> None:
        expiry = format_time(expires_at)
        for file in self.files_of(login):
            index = next(index for index in self._indexes[login.name] if index.file == file)
            self._ledger.owe((OUTPUTS, *file), cause, shown.text(token))
            self._ledger.owe((OPTIONS, *file), cause, shown.listed_expiry(index, expiry))
        for index in self._indexes[login.name]:
            self._ledger.owe((INDEXES, *index.place), cause, shown.expiry(expiry))

    # A cloud that refuses

    def _refused(self, login: Login) -> None:
        """Statuses and events report the first refusal, and none of the next."""
        if login.name in self._failing:
            return
        self._failing.add(login.name)
        self._owe_statuses(login, shown.condition("RefreshFailing"))
        self._owe_events(login, causes.OUTAGE, "CloudUnavailable")
        held, loop = self.minted[login.name], asyncio.get_running_loop()
        expires_at = held.expires_at - EPOCH
        loop.call_at(expires_at - withdrawn_before(login.life or 0), self._withdrawn, login, held)
        loop.call_at(expires_at, self._expired, login, held)

    def _withdrawn(self, login: Login, held: Minted) -> None:
        """Its token must leave the outputs, unless it has been replaced."""
        if self.minted[login.name] is not held:
            return
        self._blocked.add(login.name)
        for file in self.files_of(login):
            index = next(index for index in self._indexes[login.name] if index.file == file)
            output = shown.text(f"//{index.name}.unavailable.invalid/")
            self._ledger.owe((OUTPUTS, *file), causes.OUTAGE, output)
        self._owe_statuses(login, shown.message("was withdrawn"))
        self._owe_events(login, causes.OUTAGE, "CredentialExpired", of_file="IndexesNotReady")

    def _expired(self, login: Login, held: Minted) -> None:
        """Messages report that the withdrawn token has expired."""
        if self.minted[login.name] is held:
            self._owe_statuses(login, shown.message("token expired"))

    def _recovered(self, login: Login) -> None:
        """The statuses show the new token; the events are for the outage."""
        if login.name not in self._failing:
            return
        self._failing.discard(login.name)
        self._owe_events(login, causes.OUTAGE, "Available")
        if login.name in self._blocked and not is_promised(login.life or 0):
            # A blocked entry promised nothing: builds that are too long are reported again.
            self._owe_events(login, causes.OUTAGE, "TokenTooShort")
        self._blocked.discard(login.name)

    def _owe_statuses(self, login: Login, shows: Shows) -> None:
        for file in self.files_of(login):
            self._ledger.owe((OPTIONS, *file), causes.OUTAGE, shows)
        for index in self._indexes[login.name]:
            self._ledger.owe((INDEXES, *index.place), causes.OUTAGE, shows)

    def _owe_events(self, login: Login, cause: str, reason: str, of_file: str = "") -> None:
        """One about each index of a login, and one about each of its files."""
        for namespace, name in self.files_of(login):
            about = (EVENTS, namespace, f"IndexOptions/{name}")
            self._ledger.owe(about, cause, shown.reason(of_file or reason))
        for index in self._indexes[login.name]:
            about = (EVENTS, index.file[0], f"ArtifactIndex/{index.name}")
            self._ledger.owe(about, cause, shown.reason(reason))

    def _hold(self, index: Index) -> None:
        if index.login is not None:
            self._indexes[index.login.name].add(index)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
