"""Outputs of a ClusterIndexOptions into which no plan goes: no token may expire in them."""

from collections.abc import Iterable

from artifact_index.reconcile.apply.rendering import rendered_outputs
from artifact_index.reconcile.cache.env import Env
from artifact_index.reconcile.cache.objects import OptionsObject, OutputObject
from artifact_index.reconcile.plan.entries import plan_vanished
from artifact_index.reconcile.plan.fallback import first_withdrawal
from artifact_index.reconcile.plan.last_good import with_only
from artifact_index.reconcile.state.fan_out import FanOut, published_in


async def plan_withdrawals(
    options: OptionsObject, fan_out: FanOut, staying: Iterable[OutputObject], env: Env
) -> float | None:
    """Render what replaces each content of which a token is due; once for all outputs with it.

    Static logins stay. Returns when the next token is due, in POSIX seconds.
    """
    fan_out.withdrawn = {}
    now, times = env.clock(), []
    for digest, output in {output.digest: output for output in staying}.items():
        held = fan_out.held.get(digest, {})
        withdraw_at = first_withdrawal(held, env.margins)
        if withdraw_at is None:
            continue
        if withdraw_at > now:
            times.append(withdraw_at)
            continue
        names = {uid: entry.entry.name for uid, entry in held.items()}
        static = {uid: entry for uid, entry in held.items() if not entry.token}
        plans = plan_vanished(options.ref, names, static, env.margins, now)
        desired, _ = await rendered_outputs(with_only(options, output), plans, env.digester)
        for each in desired:
            fan_out.withdrawn[digest] = each
            fan_out.held[each.digest] = published_in(plans)
    return min(times, default=None)
