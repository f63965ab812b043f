"""Plans of one index, now and at a later reconcile, for the tests of entries and fallbacks."""

from typing import Any

from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.reconcile.cache.objects import IndexObject
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.fallback import Published
from artifact_index.reconcile.plan.outputs import document_of
from artifact_index.sources.registry import CLOUDS
from support.reconcile_builders import NOW, index_state, plans_from, published_after
from support.rendered import secret_text

MINTED = [cloud.field.removeprefix("spec.") for cloud in CLOUDS]
STATIC = ["preauthenticated", "basicAuth"]


def published_by(record: IndexObject, **how: Any) -> dict[str, Published]:
    """The entries that the outputs hold after one good reconcile."""
    return published_after(plans_from(index_state(record, **how)))


def only(plans: list[IndexPlan]) -> IndexPlan:
    """The one plan."""
    (plan,) = plans
    return plan


def again(
    record: IndexObject, before: dict[str, Published], now: float = NOW, **how: Any
) -> IndexPlan:
    """The plan of the index at a later reconcile."""
    names = {uid: published.entry.name for uid, published in before.items()}
    return only(
        plans_from(index_state(record, now=now, **how), served=before, assigned=names, now=now)
    )


def text_of(*plans: IndexPlan) -> str:
    """The uv.toml of a Secret."""
    return secret_text("UvToml", document_of(IndexOptionsSpec(), plans))


def is_blocked(plan: IndexPlan) -> bool:
    """Whether builds stop at the index."""
    return plan.entry is not None and plan.entry.blocked and plan.published is None
