"""An output that does not fit is not written, and the problem says what is too large."""

from typing import Any

import pytest

from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.outputs import (
    DesiredOutput,
    desired_outputs,
)
from artifact_index.reconcile.plan.sizes import LARGEST_ENVIRONMENT, LARGEST_OUTPUT
from support.reconcile_builders import (
    DIGESTER,
    index,
    index_state,
    options,
    plans_from,
    source,
)

pytestmark = pytest.mark.unit


def basic(url: str, **more: Any) -> dict[str, Any]:
    return {**source("basicAuth", url=url), **more}


def made_of(plans: list[IndexPlan], *formats: str, **spec: Any) -> tuple[list[DesiredOutput], str]:
    outputs = [{"kind": "Secret", "name": "s", "formats": list(formats)}]
    made, problem = desired_outputs(options(spec={"outputs": outputs, **spec}), plans, DIGESTER)
    return made, problem.message if problem else ""


def test_too_large_an_output_is_refused_with_the_size_of_each_file() -> None:
    password = "x" * 16_000
    specs = {f"i{n}": basic(f"https://h{n}.example/simple/") for n in range(40)}
    index_states = [
        index_state(index(name, spec), values={"username": "u", "password": password})
        for name, spec in specs.items()
    ]

    made, problem = made_of(plans_from(*index_states), "UvToml", "Netrc")

    assert made == []
    assert str(LARGEST_OUTPUT) in problem and "uv.toml 6" in problem and "netrc 6" in problem


@pytest.mark.parametrize(("count", "fits"), [(15, True), (17, False)])
def test_variables_end_at_256_kib(count: int, fits: bool) -> None:
    """Each login stands there twice: for uv and for Poetry."""
    password = "x" * 8_000
    index_states = [
        index_state(
            index(f"i{n}", basic(f"https://h{n}.example/simple/")),
            values={"username": "u", "password": password},
        )
        for n in range(count)
    ]

    made, problem = made_of(plans_from(*index_states), "Environment")

    assert bool(made) == fits
    assert fits or (str(LARGEST_ENVIRONMENT) in problem and "variables" in problem)
