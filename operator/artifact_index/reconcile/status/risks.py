"""Names the ways in which a public package can replace a private one, each with its remedy. Pure.

Running uv (pip and PDM for theirs) has shown each of them: with the setting the public look-alike
gets installed, without it not. See tests/clients/test_dependency_confusion.py.
"""

import re
from collections.abc import Iterator, Sequence, Set
from typing import Final

from artifact_index.api.conditions import DEPENDENCY_CONFUSION_RISK
from artifact_index.api.index_options import OptionsSpec, OutputFormat
from artifact_index.api.reasons import Reason
from artifact_index.formats.registry import without_order
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.status.conditions import DesiredCondition

# GitLab's API for PyPI packages, of a project or a group.
_GITLAB: Final = re.compile(
    r"/api/v4/(projects|groups)/[^/]+/(-/)?packages/pypi/simple/?$", re.IGNORECASE
)
_NAMES_IN_MESSAGE: Final = 3

Risk = tuple[str, str]


def confusion_risk(
    spec: OptionsSpec, plans: Sequence[IndexPlan], formats: Set[OutputFormat]
) -> DesiredCondition | None:
    """The condition if there is any risk: its message names all, its reason is the worst.

    A package that is pinned to an explicit index is safe: only searched indexes count.
    """
    searched = [plan for plan in plans if not (plan.selected.spec and plan.selected.spec.explicit)]
    risks = [
        *_uv_risks(spec, searched, formats),
        *_forwarding(spec, searched),
        *_unordered(spec, searched, formats),
    ]
    if not risks:
        return None
    message = "; ".join(text for _, text in risks)
    return DesiredCondition(DEPENDENCY_CONFUSION_RISK, "True", risks[0][0], message)


def _uv_risks(
    spec: OptionsSpec, searched: Sequence[IndexPlan], formats: Set[OutputFormat]
) -> Iterator[Risk]:
    """Risks of uv with a uv.toml."""
    if not spec.public_index.enabled or not searched or "UvToml" not in formats:
        return
    if not spec.prefer_private:
        yield (
            Reason.PUBLIC_INDEX_FIRST,
            "spec.preferPrivate is false, so the public index is searched first and a public "
            "package wins over a private one of the same name; set it to true",
        )
    if spec.index_strategy != "first-index":
        yield (
            Reason.UNSAFE_INDEX_STRATEGY,
            f"spec.indexStrategy {spec.index_strategy} may take a public package in place of a "
            "private one, also when the private index refuses the login; use first-index",
        )
    if ignoring := [plan for plan in searched if _ignores_denial(plan)]:
        yield (
            Reason.ERROR_CODES_IGNORED,
            f"{names(ignoring)} ignores 401 or 403, so that a refused login falls through to "
            "the public index; remove them from spec.ignoreErrorCodes",
        )
    if left_out := [plan for plan in searched if plan.entry is None]:
        yield (
            Reason.INDEX_OMITTED,
            f"{names(left_out)} is left out, so that its packages are looked for on the "
            "public index; set spec.whenUnavailable to Block",
        )


def _forwarding(spec: OptionsSpec, searched: Sequence[IndexPlan]) -> Iterator[Risk]:
    """GitLab forwards a request for a package that it lacks, or must not show, to PyPI."""
    for position, plan in enumerate(searched):
        if plan.shown_url is None or _GITLAB.search(plan.shown_url) is None:
            continue
        remedies = []
        index = plan.selected.spec
        if index is not None and (index.authenticate == "auto" or not index.source.has_login):
            remedies.append(
                "a request without a login is forwarded as well: set spec.authenticate to always"
                if index.source.has_login
                else "a request without a login is forwarded as well: use basicAuth"
            )
        if later := searched[position + 1 :]:
            remedies.append(
                f"{names(later)} is searched after it: give it the lowest spec.priority"
            )
        if not spec.public_index.enabled:
            remedies.append(
                "that goes round spec.publicIndex.enabled false: turn off the forwarding of "
                "package requests in GitLab"
            )
        if remedies:
            text = f"{names([plan])} is one of GitLab's, which forwards what it lacks to PyPI"
            yield Reason.REQUESTS_FORWARDED, f"{text}; {'; '.join(remedies)}"


def _unordered(
    spec: OptionsSpec, searched: Sequence[IndexPlan], formats: Set[OutputFormat]
) -> Iterator[Risk]:
    listed = without_order(formats)
    if not listed or not searched or not spec.public_index.enabled:
        return
    yield (
        Reason.FORMAT_WITHOUT_ORDER,
        f"{' and '.join(listed)} name the public index beside {names(searched)}, and their "
        "readers take the best version of all and pass over an index that refuses the login; set "
        "spec.publicIndex.enabled to false, or take the format out of spec.outputs",
    )


def is_omitted(plan: IndexPlan) -> bool:
    """Whether the index is left out because the user said `whenUnavailable: Omit`."""
    spec = plan.selected.spec
    return spec is not None and spec.when_unavailable == "Omit" and plan.entry is None


def _ignores_denial(plan: IndexPlan) -> bool:
    spec = plan.selected.spec
    return spec is not None and not {401, 403}.isdisjoint(spec.ignore_error_codes)


def names(plans: Sequence[IndexPlan]) -> str:
    """The first indexes by name, and how many more there are."""
    named = ", ".join(repr(plan.selected.ref.name) for plan in plans[:_NAMES_IN_MESSAGE])
    more = len(plans) - _NAMES_IN_MESSAGE
    return f"ArtifactIndex {named}" + (f" and {more} more" if more > 0 else "")
