"""The ways in which a public package can take a private one's place, each with its remedy. Pure.

Every row was shown by running uv (pip and PDM where it is about them): with the setting the public
look-alike gets installed, without it it does not. See tests/clients/test_dependency_confusion.py.
"""

import re
from collections.abc import Sequence, Set
from typing import Final

from artifact_index.api.conditions import DEPENDENCY_CONFUSION_RISK
from artifact_index.api.index_options import IndexOptionsSpec, OutputFormat
from artifact_index.api.reasons import Reason
from artifact_index.formats.registry import without_order
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.status.conditions import Finding

# GitLab's API for PyPI packages, of a project or a group.
_GITLAB: Final = re.compile(
    r"/api/v4/(projects|groups)/[^/]+/(-/)?packages/pypi/simple/?$", re.IGNORECASE
)
_NAMES_IN_MESSAGE: Final = 3

Risk = tuple[str, str]


def confusion_risk(
    spec: IndexOptionsSpec, placed: Sequence[IndexPlan], formats: Set[OutputFormat]
) -> Finding | None:
    """The condition, if there is any risk: all of them in its message, the worst as its reason."""
    risks = [*_uv_risks(spec, placed, formats), *_forwarding(spec, placed)]
    risks += _unordered(spec, placed, formats)
    if not risks:
        return None
    message = "; ".join(text for _, text in risks)
    return Finding(DEPENDENCY_CONFUSION_RISK, "True", risks[0][0], message)


def _uv_risks(
    spec: IndexOptionsSpec, placed: Sequence[IndexPlan], formats: Set[OutputFormat]
) -> list[Risk]:
    """What uv does with the uv.toml. A package that is pinned to an explicit index is safe."""
    searched = [one for one in placed if not _is_explicit(one)]
    if not spec.public_index.enabled or not searched or "UvToml" not in formats:
        return []
    risks: list[Risk] = []
    if not spec.prefer_private:
        risks.append(
            (
                Reason.PUBLIC_INDEX_FIRST,
                "spec.preferPrivate is false, so the public index is searched first and a public "
                "package wins over a private one of the same name; set it to true",
            )
        )
    if spec.index_strategy != "first-index":
        risks.append(
            (
                Reason.UNSAFE_INDEX_STRATEGY,
                f"spec.indexStrategy {spec.index_strategy} may take a public package in place of a "
                "private one, also when the private index refuses the login; use first-index",
            )
        )
    if ignoring := [one for one in searched if _ignores_denial(one)]:
        risks.append(
            (
                Reason.ERROR_CODES_IGNORED,
                f"{_names(ignoring)} ignores 401 or 403, so that a refused login falls through to "
                "the public index; remove them from spec.ignoreErrorCodes",
            )
        )
    if left_out := [one for one in searched if one.entry is None]:
        risks.append(
            (
                Reason.INDEX_OMITTED,
                f"{_names(left_out)} is left out, so that its packages are looked for on the "
                "public index; set spec.whenUnavailable to Block, or another spec.name where it is "
                "taken",
            )
        )
    return risks


def _forwarding(spec: IndexOptionsSpec, placed: Sequence[IndexPlan]) -> list[Risk]:
    """GitLab answers for what it does not have, or does not show to strangers, with PyPI's."""
    risks: list[Risk] = []
    searched = [one for one in placed if not _is_explicit(one)]
    for position, one in enumerate(searched):
        if one.shown_url is None or _GITLAB.search(one.shown_url) is None:
            continue
        remedies = []
        index = one.record.spec
        if index is not None and (index.authenticate == "auto" or index.anonymous is not None):
            remedies.append(
                "a request without a login is forwarded as well: set spec.authenticate to always"
                if index.anonymous is None
                else "a request without a login is forwarded as well: use basicAuth"
            )
        if searched[position + 1 :]:
            remedies.append(
                f"{_names(searched[position + 1 :])} is searched after it: give it the lowest "
                "spec.priority"
            )
        if not spec.public_index.enabled:
            remedies.append(
                "that goes round spec.publicIndex.enabled false: turn off the forwarding of "
                "package requests in GitLab"
            )
        if remedies:
            text = f"{_names([one])} is one of GitLab's, which forwards what it lacks to PyPI"
            risks.append((Reason.REQUESTS_FORWARDED, f"{text}; {'; '.join(remedies)}"))
    return risks


def _unordered(
    spec: IndexOptionsSpec, placed: Sequence[IndexPlan], formats: Set[OutputFormat]
) -> list[Risk]:
    listed = without_order(formats)
    searched = [one for one in placed if not _is_explicit(one)]
    if not listed or not searched or not spec.public_index.enabled:
        return []
    text = (
        f"{' and '.join(listed)} name the public index beside {_names(searched)}, and their "
        "readers take the best version of all and pass over an index that refuses the login; set "
        "spec.publicIndex.enabled to false, or take the format out of spec.outputs"
    )
    return [(Reason.FORMAT_WITHOUT_ORDER, text)]


def is_omitted(placed: IndexPlan) -> bool:
    """Whether the index is left out because the user said `whenUnavailable: Omit`."""
    spec = placed.record.spec
    return spec is not None and spec.when_unavailable == "Omit" and placed.entry is None


def _is_explicit(placed: IndexPlan) -> bool:
    return placed.record.spec is not None and placed.record.spec.explicit


def _ignores_denial(placed: IndexPlan) -> bool:
    spec = placed.record.spec
    return spec is not None and not {401, 403}.isdisjoint(spec.ignore_error_codes)


def _names(placed: Sequence[IndexPlan]) -> str:
    named = ", ".join(repr(one.record.ref.name) for one in placed[:_NAMES_IN_MESSAGE])
    more = len(placed) - _NAMES_IN_MESSAGE
    return f"ArtifactIndex {named}" + (f" and {more} more" if more > 0 else "")
