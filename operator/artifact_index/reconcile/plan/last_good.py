"""What an output goes on with that cannot be written as its IndexOptions asks. Pure."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace

from artifact_index.api.constants import CHECKPOINT_ANNOTATION, CONTENT_DIGEST_ANNOTATION
from artifact_index.api.index_options import IndexOptionsSpec, Output, OutputKind, PublicIndex
from artifact_index.api.reasons import Reason
from artifact_index.formats.registry import formats_of_keys
from artifact_index.reconcile.cache.env import Env
from artifact_index.reconcile.cache.objects import (
    OptionsObject,
    OutputObject,
    declared_outputs,
    kind_of,
)
from artifact_index.reconcile.plan.blocked import Blocked, blocked_entry, describing
from artifact_index.reconcile.plan.checkpoint import Checkpoint
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.fallback import Published
from artifact_index.sources.policy import Problem


def held_by(output: OutputObject, published: Mapping[str, Published]) -> dict[str, Published]:
    """The usable entries that an output holds, by UID: their names and times, without their texts.

    Its checkpoint tells. If somebody edited the output, everything that is `published` counts.
    """
    checkpoint = _checkpoint_of(output)
    return checkpoint.outline() if checkpoint is not None else dict(published)


def standing_in(
    published: Mapping[str, Published], outputs: Iterable[OutputObject]
) -> dict[str, Published]:
    """Those of the `published` entries, by UID, that one of these outputs holds, unedited."""
    checkpoints = filter(None, map(_checkpoint_of, outputs))
    held = {index.uid for each in checkpoints for index in each.indexes.values()}
    return {uid: entry for uid, entry in published.items() if uid in held}


def is_blocked(plan: IndexPlan) -> bool:
    """Whether builds stop at the index."""
    return plan.entry is not None and plan.entry.blocked


def blocked_by(plans: Iterable[IndexPlan]) -> Blocked:
    """What an output blocks into which these plans go."""
    entries = (plan.entry for plan in plans)
    return {each.name: each.described_by for each in entries if each is not None and each.blocked}


def plans_that_fit(
    plans: Sequence[IndexPlan], held: Container[str], blocked: Blocked
) -> list[Sequence[IndexPlan]]:
    """With which plans an output may go on that cannot have all of them; to be tried in this order.

    Those that it holds and those that are blocked. What the output has `blocked` until now stays so
    where it does not fit, or its packages would be looked for elsewhere. Others are new.
    """
    commands = set(blocked.values())
    back: list[IndexPlan] = []
    stopped: list[IndexPlan] = []
    for plan in plans:
        if is_blocked(plan) or plan.selected.uid in held:
            stopped.append(plan)
        elif plan.name is not None and (
            plan.name in blocked
            or describing(kind_of(plan.selected.ref), plan.selected.ref) in commands
        ):
            entry = blocked_entry(plan.name, plan.selected)
            stopped.append(replace(plan, entry=entry, published=None))
        else:
            continue
        back.append(plan)
    return [each for each in ((back, stopped) if back != stopped else (back,)) if each]


def names_without_tokens(
    held: Mapping[str, Published], blocked: Blocked, plans: Iterable[IndexPlan] = ()
) -> dict[str, str]:
    """The names in an output once its tokens are withdrawn, each by a UID.

    Those of what it holds, and of what it or a plan blocks: the UIDs of those are not known.
    """
    uids = {name: name for name in blocked}
    uids |= {each.entry.name: each.selected.uid for each in filter(is_blocked, plans) if each.entry}
    uids |= {old.entry.name: uid for uid, old in held.items()}
    return {uid: name for name, uid in uids.items()}


def undeclared(options: OptionsObject, owned: Sequence[OutputObject]) -> list[OutputObject]:
    """Those of its outputs that the spec does not name any more."""
    declared = set(declared_outputs(options)) if owned else ()
    return [output for output in owned if output.ref not in declared]


def with_outputs(options: OptionsObject, added: Sequence[OutputObject]) -> OptionsObject:
    """The IndexOptions, as if its spec named these outputs, too."""
    if options.spec is None or not added:
        return options
    outputs = (*options.spec.outputs_of(options.ref.name), *map(_as_declared, added))
    return replace(options, spec=options.spec.model_copy(update={"outputs": outputs}))


def with_only(options: OptionsObject, output: OutputObject) -> OptionsObject:
    """The IndexOptions, as if its spec named this output alone, with the files that it has now.

    Of a spec that cannot be read nothing is known but what the output tells. Its public index is
    known by name only: block it.
    """
    spec = options.spec
    if spec is None:
        checkpoint = _checkpoint_of(output)
        name = checkpoint.public_name if checkpoint is not None else None
        spec = IndexOptionsSpec(
            public_index=PublicIndex(name=name) if name else PublicIndex(enabled=False),
            deletion_policy="Delete" if output.controller is not None else "Retain",
        )
    outputs = (_as_declared(output),)
    return replace(options, spec=spec.model_copy(update={"outputs": outputs}))


def plans_as_published(
    plans: Sequence[IndexPlan],
    published: Mapping[str, Published],
    options: OptionsObject,
    cause: Problem,
    env: Env,
) -> list[IndexPlan]:
    """The plans as far as they came into an output; `published` are the entries by UID.

    `cause` is why the outputs of `options` could not be written as planned. An index is not ready
    if no output holds it, or only with another destination or a token that must be withdrawn by
    now. With another login that is still valid it is ready, and its refresh failing.
    """
    who = f"{options.owner_kind} {options.ref.name!r} could not be written"
    if options.cluster and options.ref.namespace:
        who += f" in namespace {options.ref.namespace!r}"
    why = f"{who}: {cause.reason}: {cause.message}"
    missing = f"no output holds the index as its spec asks; {why}"
    not_ready = Problem(Reason.NOT_WRITTEN, missing, must_act=cause.stalled)
    planned = []
    for plan in plans:
        held = published.get(plan.selected.uid)
        if plan.published is None or is_published(plan, () if held is None else (held,)):
            planned.append(plan)
        elif held is None or not _stands(held, plan.published, env):
            planned.append(
                replace(plan, published=None, problem=plan.problem or not_ready, failing=None)
            )
        else:
            failing = plan.failing or Problem(Reason.NOT_WRITTEN, why)
            planned.append(replace(plan, published=held, failing=failing))
    return planned


def is_published(plan: IndexPlan, held: Iterable[Published]) -> bool:
    """Whether one of these entries, which outputs hold, has the login of the plan, if any."""
    planned = plan.published
    return planned is None or any(
        each is planned or _login(each) == _login(planned) for each in held
    )


def _login(published: Published) -> tuple[object, ...]:
    """What tells two logins apart; the same after a restart."""
    entry = published.entry
    identity = published.destination, published.token, published.issued_at
    return *identity, entry.credential, entry.verbatim_url


def _stands(held: Published, planned: Published, env: Env) -> bool:
    withdraw_at = held.withdraw_at(env.margins)
    is_due = withdraw_at is not None and withdraw_at <= env.clock()
    return held.destination == planned.destination and not is_due


def _checkpoint_of(output: OutputObject) -> Checkpoint | None:
    if output.annotations.get(CONTENT_DIGEST_ANNOTATION) != output.digest:
        return None
    try:
        return Checkpoint.decode(output.annotations.get(CHECKPOINT_ANNOTATION, ""))
    except ValueError:
        return None  # of another version of the operator


def _as_declared(output: OutputObject) -> Output:
    kind: OutputKind = "Secret" if output.ref.kind == "Secret" else "ConfigMap"
    return Output(kind=kind, name=output.ref.name, formats=formats_of_keys(kind, output.keys))
