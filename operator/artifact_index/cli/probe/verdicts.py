"""What an index's answers mean, and which permission or field ends a refusal. Pure."""

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from artifact_index.api.timestamps import format_time
from artifact_index.cli.cluster.objects import Observed
from artifact_index.cli.probe.asking import Answer
from artifact_index.cli.probe.pages import has_files, has_upload_times, looks_like_an_index
from artifact_index.cli.reports import IndexProbe, ObjectRef, ProbeOutcome, Verdict
from artifact_index.formats.document import Credential
from artifact_index.sources.base import Source


@dataclass(frozen=True, slots=True)
class Question:
    """An index as it stands in a file; `file` is None if it stands in none that could be read."""

    index: Observed
    source: Source[Any]
    file: ObjectRef | None
    url: str = field(default="", repr=False)
    login: Credential | None = field(default=None, repr=False)
    blocked: bool = False
    flat: bool = False
    cut_off_exempt: bool = False
    unread: str | None = None
    """Why a file that should hold it could not be read."""

    @property
    def fields(self) -> str:
        """The fields that name the repository."""
        return f"{self.source.field}.{self.source.named_by}"

    @property
    def why(self) -> str:
        """The command that tells what the operator knows."""
        return f"`artifact-index why {self.index.arguments}`"

    @property
    def refresh(self) -> str:
        """The command that requests a new token."""
        return f"`artifact-index refresh {self.index.arguments} --wait`"

    def expired(self, now: float) -> bool:
        """Whether the login has expired, as far as the status knows."""
        return self.index.expires_at is not None and self.index.expires_at <= now


class Answers(NamedTuple):
    """What the index answered: `page` is that of a project if its list names one.

    `anonymous` is the answer to the first question without a login, if that was asked. `project` is
    the one that the first question was about; None if it was about the list.
    """

    first: Answer
    page: Answer | None = None
    anonymous: Answer | None = None
    project: str | None = None


class _Judged(NamedTuple):
    outcome: ProbeOutcome
    verdict: Verdict
    message: str
    next_step: str | None = None


def judge(asked: Question, answers: Answers | None, now: float) -> IndexProbe:
    """The verdict on an index; without answers it was not asked. `now` is in POSIX seconds."""
    judged = _unasked(asked) if answers is None else _judged(asked, answers, now)
    first = answers.first if answers is not None else Answer(0)
    return IndexProbe(
        object=asked.index.ref,
        file=asked.file,
        status=first.status or None,
        milliseconds=round(first.seconds * 1000) if first.status else None,
        **judged._asdict(),
    )


def _unasked(asked: Question) -> _Judged:
    if asked.blocked:
        message = "the file blocks this index: there is no usable login, so it was not asked"
        return _Judged("Blocked", "Bad", message, asked.why)
    message = "no file that you may read holds this index, so it was not asked"
    return _Judged("NotInFile", "Unknown", message, asked.unread)


def _judged(asked: Question, answers: Answers, now: float) -> _Judged:
    first, page = answers.first, answers.page
    if first.problem is not None:
        return _unreached(*first.problem)
    if not first.good:
        return _refused(asked, answers, now)
    if page is not None and not page.good and page.status:
        message = f"the list of projects is served, and the page of a project answers {page.status}"
        return _Judged("NotAnIndex", "Bad", message, f"correct {asked.fields}; {asked.why}")
    shown = page if page is not None and page.good else first
    return _served(asked, shown, answers)


def _unreached(kind: str, why: str) -> _Judged:
    if kind == "UntrustedAuthority":
        return _Judged(
            "UntrustedAuthority", "Bad", f"TLS by an unknown authority ({why})",
            "set SSL_CERT_FILE here and in builders, and the chart's caBundle for the operator",
        )  # fmt: skip
    step = "test with `curl -I` from a builder pod; egress, proxy (HTTPS_PROXY) and name decide"
    return _Judged("Unreachable", "Unknown", f"not reached from here: {why}", step)


def _refused(asked: Question, answers: Answers, now: float) -> _Judged:
    status = answers.first.status
    if 300 <= status < 400:
        return _redirected(asked, answers.first)
    if status in (401, 403, 404) and asked.expired(now):
        at = format_time(asked.index.expires_at or 0)
        message = f"{status}: the login in the file expired at {at}"
        return _Judged("Expired", "Bad", message, asked.refresh)
    match status:
        case 401:
            return _not_logged_in(asked)
        case 403:
            who = "the login is valid, and" if asked.login is not None else "who has no login"
            message = f"403: {who} may not read this repository"
            return _Judged("NotAllowed", "Bad", message, asked.source.to_read)
        case 404:
            return _not_found(asked, answers)
    return _failing(asked, status)


def _failing(asked: Question, status: int) -> _Judged:
    if status in (408, 429) or status >= 500:
        message = f"{status}: the index is busy or failing"
        return _Judged("ServerFails", "Unknown", message, "try again later")
    message = f"{status}: not the answer of an index"
    return _Judged("NotAnIndex", "Bad", message, f"correct {asked.fields}")


def _redirected(asked: Question, answer: Answer) -> _Judged:
    if answer.elsewhere:
        message = f"{answer.status}: redirects to another host, to which no client takes the login"
        return _Judged("Redirects", "Bad", message, f"correct {asked.fields}")
    message = f"{answer.status}: redirects to another path; not followed with a login"
    return _Judged("Redirects", "Bad", message, f"set {asked.fields} to the target's")


def _not_logged_in(asked: Question) -> _Judged:
    if asked.login is None:
        message = "401: the index wants a login, and the file has none"
        return _Judged("LoginRefused", "Bad", message, "use spec.basicAuth, or a cloud's source")
    use = asked.source.secret()
    where = f"{use.field} (Secret {use.name})" if use is not None else f"{asked.source.field}.auth"
    step = f"correct {where}, then {asked.refresh}"
    return _Judged("LoginRefused", "Bad", "401: the index does not accept the login", step)


def _not_found(asked: Question, answers: Answers) -> _Judged:
    if answers.project is not None:
        message = f"404: there is no project {answers.project!r}, or no such repository"
        step = "ask again without --package, which tells whether there is the repository"
        return _Judged("NoSuchRepository", "Bad", message, step)
    anonymous = answers.anonymous
    if anonymous is not None and anonymous.status in (401, 403):
        message = "404: there is no such repository; the login is accepted"
        return _Judged("NoSuchRepository", "Bad", message, f"correct {asked.fields}")
    message = "404: there is no such repository, or it is hidden from this login"
    step = f"correct {asked.fields}, or {asked.source.to_read}; --package asks for a project"
    return _Judged("NoSuchRepository", "Bad", message, step)


_EXEMPT: Final = 'set spec.excludeNewer to "false" (in quotes) if projects use exclude-newer'


def _served(asked: Question, shown: Answer, answers: Answers) -> _Judged:
    if not shown.is_json and not (shown.is_html and looks_like_an_index(shown.body)):
        message = "200: neither a page of links nor JSON; perhaps a sign-in page"
        return _Judged("NotAnIndex", "Bad", message, f"correct {asked.fields}")
    if asked.login is not None and answers.anonymous is not None and answers.anonymous.good:
        message = "200, and without the login as well: it proves nothing about the login"
        step = "use spec.anonymous, or close the repository to the public"
        return _Judged("Anonymous", "Warning", message, step)
    if asked.flat or asked.cut_off_exempt:
        return _Judged("Answers", "Good", "200")
    return _times(shown)


def _times(shown: Answer) -> _Judged:
    """Whether uv's exclude-newer can tell the age of the files."""
    if not shown.is_json:
        message = "200: HTML and no JSON, so that files have no upload times"
        return _Judged("NoJson", "Warning", message, _EXEMPT)
    if not has_files(shown.body):
        return _Judged("Answers", "Good", "200: JSON, and no project whose files could be seen")
    if not has_upload_times(shown.body):
        return _Judged("NoUploadTimes", "Warning", "200: JSON without upload times", _EXEMPT)
    return _Judged("Answers", "Good", "200: JSON with upload times")
