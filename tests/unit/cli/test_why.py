"""`why` finds the root of every reason, and `status` what no condition tells."""

from typing import Any, Final

import pytest

from artifact_index.api.conditions import READY, RECONCILING, STALLED
from artifact_index.api.reasons import Polarity, Reason
from artifact_index.api.timestamps import format_time
from artifact_index.cli.cluster import status, why
from artifact_index.cli.cluster.objects import Observed, named, observed
from artifact_index.cli.reports import Root
from artifact_index.crdgen.reason_docs import REASONS
from support.reconcile_builders import NOW, body_of, source

pytestmark = pytest.mark.unit

SINCE: Final = "2026-01-02T03:04:05Z"
KINDS: Final = ("ArtifactIndex", "IndexOptions")
CASES: Final = [(reason, kind) for reason, doc in REASONS.items() for kind in doc.kinds]


def condition(type_: str, reason: str, status: str = "True") -> dict[str, str]:
    message = f"the message of {reason}"
    return {
        "type": type_, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": SINCE,
    }  # fmt: skip


def conditions_of(reason: Reason) -> list[dict[str, str]]:
    """What the operator writes for a reason (`CONDITIONS_OF`)."""
    note = REASONS[reason].condition
    match reason.polarity:
        case Polarity.AVAILABLE | Polarity.KEEP:
            return [condition(READY, reason)]
        case Polarity.RETRY:
            return [condition(READY, reason, "False"), condition(RECONCILING, reason)]
        case Polarity.ACT:
            return [condition(READY, reason, "False"), condition(STALLED, reason)]
        case Polarity.NOTE:
            return [condition(READY, "Available"), condition(note or "", reason)]


def an(
    kind: str, name: str, conditions: list[dict[str, str]], spec: Any = None, **status: Any
) -> Observed:
    spec = spec if spec is not None else source("anonymous") if kind == "ArtifactIndex" else {}
    written = {"observedGeneration": 1, "conditions": conditions, **status}
    return observed(kind, body_of(name, spec, status=written))


def roots(each: Observed, *others: Observed, now: float = NOW) -> list[Root]:
    world = [each, *others]
    indexes, options = ([one for one in world if one.kind == kind] for kind in KINDS)
    return why.report_of(each, indexes, options, now).roots


@pytest.mark.parametrize(("reason", "kind"), CASES)
def test_each_reason_is_named_with_its_remedy(reason: Reason, kind: str) -> None:
    found = roots(an(kind, "a", conditions_of(reason)))

    if reason.polarity in (Polarity.AVAILABLE, Polarity.KEEP):
        assert found == []
        return
    (root,) = found
    assert root.severity == ("warning" if reason.polarity is Polarity.NOTE else "error")
    assert (root.object.kind, root.object.name) == (kind, "a")
    assert (root.reason, root.since) == (reason, SINCE)
    assert root.message == f"the message of {reason}"
    # A message with a remedy of its own stands alone.
    doc = REASONS[reason]
    told = (None, None) if reason == Reason.INVALID_SPEC else (doc.meaning, doc.remedy)
    assert (root.meaning, root.remedy) == told


@pytest.mark.parametrize("reason", [each for each, kind in CASES if kind == "ArtifactIndex"])
def test_a_file_is_led_back_to_its_index(reason: Reason) -> None:
    index = an("ArtifactIndex", "a", conditions_of(reason))
    file = an(
        "IndexOptions", "uv-config", conditions_of(Reason.INDEXES_NOT_READY),
        indexes=[{"artifactIndex": "a", "uid": "u", "ready": False, "reason": str(reason)}],
    )  # fmt: skip

    (root,) = roots(file, index)

    told = reason.polarity in (Polarity.RETRY, Polarity.ACT) and not reason.of_others
    assert root.reason == (reason if told else Reason.INDEXES_NOT_READY)
    assert root.object.name == ("a" if told else "uv-config")


@pytest.mark.parametrize("reason", [each for each, kind in CASES if kind == "IndexOptions"])
def test_an_index_is_led_back_to_its_file(reason: Reason) -> None:
    index = an("ArtifactIndex", "a", conditions_of(Reason.NOT_WRITTEN))
    file = an("IndexOptions", "uv-config", conditions_of(reason))
    other = an(
        "IndexOptions", "other", conditions_of(Reason.WRITE_FAILED),
        {"indexSelector": {"matchLabels": {"not": "ours"}}},
    )  # fmt: skip

    (root,) = roots(index, file, other)

    told = reason.polarity in (Polarity.RETRY, Polarity.ACT) and not reason.of_others
    assert root.reason == (reason if told else Reason.NOT_WRITTEN)
    assert root.object.name == ("uv-config" if told else "a")


def test_a_reason_of_another_version_keeps_its_message() -> None:
    (root,) = roots(an("ArtifactIndex", "a", [condition(READY, "Unheard", "False")]))

    assert (root.reason, root.message) == ("Unheard", "the message of Unheard")
    assert (root.meaning, root.remedy) == (None, None)


# -- an operator that does not run tells nothing

AVAILABLE = [condition(READY, "Available")]


def times(expires: int, refresh: int) -> dict[str, str]:
    return {"expiresAt": format_time(NOW + expires), "refreshAt": format_time(NOW + refresh)}


@pytest.mark.parametrize(
    ("each", "reasons"),
    [
        (an("ArtifactIndex", "a", AVAILABLE, credential=times(3600, 60)), []),
        (an("ArtifactIndex", "a", AVAILABLE, credential=times(3600, -60)), []),
        (an("ArtifactIndex", "a", AVAILABLE, credential=times(3600, -600)), ["RefreshOverdue"]),
        (
            an("ArtifactIndex", "a", AVAILABLE, credential=times(-1, -600)),
            ["Expired", "RefreshOverdue"],
        ),
        (
            an(
                "ArtifactIndex", "a", [*AVAILABLE, condition("RefreshFailing", "AccessDenied")],
                credential=times(3600, -600),
            ),
            ["AccessDenied"],
        ),
        (
            an(
                "ArtifactIndex", "a", AVAILABLE, {**source("anonymous"), "suspend": True},
                credential=times(3600, -600),
            ),
            [],
        ),
        (an("IndexOptions", "a", AVAILABLE, earliestExpiry=format_time(NOW)), ["Expired"]),
        (observed("ArtifactIndex", body_of("a", source("anonymous"))), ["NotHandled"]),
        (
            observed(
                "IndexOptions",
                body_of("a", {}, generation=2, status={"observedGeneration": 1}),
            ),
            ["NotHandled"],
        ),
        (observed("IndexOptions", body_of("a", {}, status={"conditions": 5})), ["NotHandled"]),
    ],
)  # fmt: skip
def test_what_a_silent_operator_leaves(each: Observed, reasons: list[str]) -> None:
    found = roots(each)

    assert [root.reason for root in found] == reasons
    ours = {"Expired", "NotHandled", "RefreshOverdue"}.intersection(reasons)
    assert sum("kubectl get pods -A -l" in root.message for root in found) == len(ours)


@pytest.mark.parametrize(
    ("kind", "argument"), [("ArtifactIndex", "a"), ("IndexOptions", "indexoptions/a")]
)
def test_what_is_suspended_expires_by_its_own_fault(kind: str, argument: str) -> None:
    life = {"credential": times(-60, -600), "earliestExpiry": format_time(NOW - 60)}
    spec = source("anonymous") if kind == "ArtifactIndex" else {}
    each = an(kind, "a", conditions_of(Reason.SUSPENDED), {**spec, "suspend": True}, **life)

    (root,) = roots(each)

    assert root.reason == "Expired" and "operator" not in root.message
    assert f"`artifact-index resume -n {each.namespace} {argument}`" in root.message


def test_a_suspended_index_is_not_said_to_be_refreshed() -> None:
    spec = {**source("basicAuth"), "suspend": True}
    index = an("ArtifactIndex", "a", AVAILABLE, spec, credential=times(3600, 60))
    options = an("IndexOptions", "o", AVAILABLE, {"suspend": True})
    report = why.report_of(index, [index], [options], NOW)

    assert "selected by IndexOptions o (suspended)" in report.holds
    assert not [fact for fact in report.holds if fact.startswith("refreshed")]
    assert status.report_of([index], [], NOW).indexes[0].refresh_at is None


JUNK: Final[list[Any]] = [None, True, 5, "x", [], ["x", None, {}], {}, {"a": 1}, {"expiresAt": 5}]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("junk", JUNK)
def test_a_status_of_another_version_is_read_as_far_as_it_goes(kind: str, junk: Any) -> None:
    fields = ("observedGeneration", "conditions", "credential", "earliestExpiry", "indexes",
              "outputs", "indexCount", "readyIndexCount", "url")  # fmt: skip
    for field in fields:
        each = observed(kind, body_of("a", {"more": junk}, status={field: junk}))
        indexes, options = ([each] if kind == wanted else [] for wanted in KINDS)

        status.report_of(indexes, options, NOW)
        why.report_of(each, indexes, options, NOW)


def test_what_holds_is_told() -> None:
    index = an("ArtifactIndex", "a", AVAILABLE, source("basicAuth"), credential=times(3600, 60))
    report = why.report_of(index, [index], [an("IndexOptions", "o", AVAILABLE)], NOW)

    assert report.holds == [
        "spec handled (generation 1)",
        "selected by IndexOptions o",
        "logs in with secret/basic",
        f"Available since {SINCE}: the message of Available",
        "good for 1h",
        "refreshed in 1m",
    ]


def test_the_worst_is_told_first() -> None:
    note = an("IndexOptions", "o", conditions_of(Reason.PUBLIC_INDEX_FIRST))
    bad = an("ArtifactIndex", "a", conditions_of(Reason.ACCESS_DENIED))

    report = status.report_of([bad], [note], NOW)

    assert [each.severity for each in report.problems] == ["error", "warning"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("acme", "ArtifactIndex"),
        ("artifactindex/acme", "ArtifactIndex"),
        ("aidx/acme", "ArtifactIndex"),
        ("ArtifactIndexes.artifactindex.dev/acme", "ArtifactIndex"),
        ("indexoptions/acme", "IndexOptions"),
        ("idxopt/acme", "IndexOptions"),
    ],
)
def test_an_argument_names_kind_and_name(text: str, kind: str) -> None:
    assert named(text) == (kind, "acme")


def test_another_kind_is_wrong_usage() -> None:
    with pytest.raises(ValueError, match="give NAME, artifactindex/NAME, indexoptions/NAME"):
        named("secret/acme")
