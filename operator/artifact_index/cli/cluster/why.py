"""The report of `artifact-index why`, from the objects of a namespace. Pure."""

from collections.abc import Iterator, Sequence

from artifact_index.cli.cluster.diagnosis import namespaces_of, roots_of
from artifact_index.cli.cluster.objects import Observed, login_of, outputs_of, selects
from artifact_index.cli.console import duration
from artifact_index.cli.reports import ObjectProblem, Root, WhyReport
from artifact_index.crdgen.reason_docs import REASONS

_BY_NAME = {reason.value: doc for reason, doc in REASONS.items()}


def report_of(
    each: Observed, indexes: Sequence[Observed], options: Sequence[Observed], now: float
) -> WhyReport:
    """What holds of an object, and the roots of what is wrong with it.

    `indexes` and `options` are those of its namespace, and those of cluster scope; `now` is in
    POSIX seconds.
    """
    return WhyReport(
        object=each.ref,
        holds=list(_facts(each, options, now)),
        roots=[_root(problem) for problem in roots_of(each, indexes, options, now)],
    )


def _facts(each: Observed, options: Sequence[Observed], now: float) -> Iterator[str]:
    ready = each.ready
    if each.handled:
        yield f"spec handled (generation {each.generation})"
    if each.is_index:
        selecting: dict[str, list[str]] = {}
        for other in options:
            if selects(other, each):
                name = f"{other.name} (suspended)" if other.suspended else other.name
                selecting.setdefault(other.kind, []).append(name)
        for kind, names in selecting.items():
            yield f"selected by {kind} {', '.join(names)}"
        if (login := login_of(each)) not in ("-", "?"):
            yield f"logs in with {login}"
    elif each.status.get("outputs"):
        yield f"written: {', '.join(outputs_of(each))}"
    elif counts := namespaces_of(each):
        where = f"{counts.written} of {counts.selected} namespaces"
        yield f"written in {where}: {', '.join(outputs_of(each))}"
    if each.handled and ready is not None and ready.status == "True":
        yield f"{ready.reason} since {ready.since}: {ready.message}"
    if each.expires_at is not None and each.expires_at > now:
        yield f"good for {duration(each.expires_at - now)}"
    if each.refresh_at is not None and each.refresh_at > now:
        yield f"refreshed in {duration(each.refresh_at - now)}"


def _root(problem: ObjectProblem) -> Root:
    doc = _BY_NAME.get(problem.reason)
    doc = None if doc is not None and doc.in_message else doc
    return Root(**problem.model_dump(), meaning=doc and doc.meaning, remedy=doc and doc.remedy)
