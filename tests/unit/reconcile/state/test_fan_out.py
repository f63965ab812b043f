"""What a ClusterIndexOptions writes into its namespaces: order, and what is kept."""

from dataclasses import replace

import pytest

from artifact_index.reconcile.cache.objects import OutputObject, OutputRef
from artifact_index.reconcile.state.fan_out import FanOut

pytestmark = pytest.mark.unit

OUTPUT = OutputObject(
    OutputRef("Secret", "team-a", "uv"), "uid", 1, None, labelled=True, annotations={}, adopt=None,
    keys=frozenset(), digest="", secret_type="Opaque", immutable=False,
)  # fmt: skip


def test_a_namespace_without_its_outputs_goes_before_all_that_have_them() -> None:
    fan_out = FanOut(standing={"old"}, withdraw_at=1_000.0)

    assert fan_out.priority_of("new") < fan_out.priority_of("old") == 1_000.0


def test_a_standby_keeps_the_contents_that_stand() -> None:
    fan_out = FanOut()
    standing = [replace(OUTPUT, digest=f"digest-{number}") for number in (0, 998, 999)]
    for number in range(1_000):
        fan_out.hold(f"digest-{number}", {}, {"acme": ""}, lambda: standing)

    assert len(fan_out.held) < 200
    assert {"digest-0", "digest-998", "digest-999"} <= fan_out.held.keys()
    assert fan_out.blocked.keys() == fan_out.held.keys()


def test_what_is_written_while_a_pass_looks_for_differences_is_no_part_of_its_wave() -> None:
    fan_out = FanOut()
    fan_out.settle("done", None, stands=True)

    at_once, again = fan_out.begin({"done": ("new",), "left": ("new",)}, quiet_until=5.0)

    assert (at_once, again, fan_out.pending) == (["left"], [], {"left"})
    assert fan_out.settle("left", None, stands=True) and not fan_out.pending
