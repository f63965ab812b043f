"""The status of a ClusterIndexOptions: counts, and no list that grows with the cluster. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from artifact_index.api.cluster.index_options import MAX_FAILING_NAMESPACES
from artifact_index.api.reasons import Reason
from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.reconcile.cache.objects import OptionsObject
from artifact_index.reconcile.cache.status_parsing import decoded_status
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.outputs import DesiredOutput
from artifact_index.reconcile.state.fan_out import Rendered
from artifact_index.reconcile.status.conditions import Status
from artifact_index.reconcile.status.notes import format_problem
from artifact_index.reconcile.status.options_status import (
    OptionsOutcome,
    indexes_problem,
    options_status,
    summary,
)
from artifact_index.sources.policy import Problem

_NAMES_IN_MESSAGE = 3
_LONGEST_MESSAGE = 1024


@dataclass(frozen=True, slots=True)
class ClusterOutcome:
    """The outcome of a pass; `plans` is None if planning did not run.

    `rendered` is what there is for each set of indexes. `problem` is one that concerns every
    namespace; `failing` are those that have another, each with it. `selected` and `written` count
    namespaces, `refusing` those that are selected and that no selected index consents to.
    `goes_on`: files into which not all indexes go are renewed with those that they hold.
    """

    plans: Sequence[IndexPlan] | None
    rendered: Sequence[Rendered]
    problem: Problem | None
    selected: int = 0
    written: int = 0
    refusing: int = 0
    failing: Mapping[str, Problem] = field(default_factory=dict)
    goes_on: bool = False


def cluster_status(
    options: OptionsObject, outcome: ClusterOutcome, *, margins: Margins, now: float
) -> Status:
    """The status of a ClusterIndexOptions; `now` is in POSIX seconds."""
    if outcome.plans is None:
        unplanned = OptionsOutcome(None, (), outcome.problem)
        return options_status(options, unplanned, margins=margins, now=now)
    outputs: list[DesiredOutput] = [each for one in outcome.rendered for each in one.outputs]
    unrendered = next((each.problem for each in outcome.rendered if each.problem), None)
    if unrendered is not None and outcome.goes_on:
        message = f"{unrendered.message}. Until then outputs go on with the indexes that they hold"
        unrendered = replace(unrendered, message=message)
    problem = (
        unrendered
        or outcome.problem
        or _failing_problem(outcome)
        or indexes_problem(outcome.plans)
        or format_problem(outputs)
    )
    unique = {output.ref: output for output in outputs}
    ready = Reason.NO_NAMESPACES, _no_namespaces(outcome.refusing)
    if outcome.selected:
        count = f"{outcome.written} of {outcome.selected} namespaces"
        ready = Reason.AVAILABLE, f"{summary(outcome.plans, [*unique.values()])} in {count}"
    status = options_status(
        options,
        OptionsOutcome(outcome.plans, [*unique.values()], problem, ready=ready),
        margins=margins,
        now=now,
    )
    del status["outputs"]
    if problem is None and outcome.written < outcome.selected:
        # Others wait for Ready=True of this spec: it is not said before all have their outputs.
        status = dict(decoded_status(options.status))
        status.pop("failingNamespaces", None)
    status["namespaces"] = {
        "selected": outcome.selected,
        "written": outcome.written,
        "failing": len(outcome.failing),
    }
    if outcome.failing:
        status["failingNamespaces"] = [
            {
                "namespace": namespace,
                "reason": str(problem.reason),
                "message": problem.message[:_LONGEST_MESSAGE],
            }
            for namespace, problem in [*outcome.failing.items()][:MAX_FAILING_NAMESPACES]
        ]
    return status


def _no_namespaces(refusing: int) -> str:
    if not refusing:
        return (
            "no namespace gets an output: spec.namespaceSelector matches none; label a namespace, "
            "or, if one has the labels, let the administrator add it to "
            "--cluster-kinds-namespaces (clusterKinds.namespaces of the chart)"
        )
    return (
        f"no namespace gets an output: spec.namespaceSelector matches {refusing}, but "
        "spec.namespaces of no selected ClusterArtifactIndex includes one of them; add them there"
    )


def _failing_problem(outcome: ClusterOutcome) -> Problem | None:
    failing = outcome.failing
    if not failing:
        return None
    listed = "; ".join(
        f"{namespace!r}: {problem.reason}: {problem.message}"
        for namespace, problem in [*failing.items()][:_NAMES_IN_MESSAGE]
    )
    more = len(failing) - _NAMES_IN_MESSAGE
    tail = f"; and {more} more" if more > 0 else ""
    return Problem(
        Reason.NAMESPACES_FAILING,
        f"{len(failing)} of {outcome.selected} namespaces do not have their outputs: "
        f"{listed}{tail}",
        must_act=all(problem.stalled for problem in failing.values()),
    )
