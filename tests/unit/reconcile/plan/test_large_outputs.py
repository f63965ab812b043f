"""Many or large entries: what is not even rendered, what is rendered once, and what in a thread."""

import asyncio
import base64
import threading
from collections import Counter
from typing import Any

import pytest

from artifact_index.formats import uv_toml
from artifact_index.formats.document import Document
from artifact_index.formats.pdm_toml import PdmToml
from artifact_index.formats.registry import Rendering
from artifact_index.formats.uv_toml import UvToml
from artifact_index.reconcile.apply import rendering as rendering_module
from artifact_index.reconcile.apply.rendering import rendered_outputs
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.outputs import (
    desired_outputs,
)
from artifact_index.reconcile.plan.sizes import LARGEST_LOGINS, LARGEST_OUTPUT, MOST_ENTRIES
from artifact_index.sources.policy import Problem
from support.reconcile_builders import DIGESTER, index, index_state, options, plans_from, source

pytestmark = pytest.mark.unit

FIVE = ["UvToml", "Netrc", "PipConf", "Pypirc", "PdmToml"]


def outputs(count: int, *formats: str, kind: str = "Secret") -> dict[str, Any]:
    named = [{"kind": kind, "name": f"o{n}", "formats": list(formats)} for n in range(count)]
    return {"outputs": named}


def plans_of(count: int, password: str = "p", *, host: str = "h{}.example") -> list[IndexPlan]:
    values = {"username": "u", "password": password}
    return plans_from(
        *(
            index_state(
                index(f"i{n}", source("basicAuth", url=f"https://{host.format(n)}/simple/")),
                values=values,
            )
            for n in range(count)
        )
    )


@pytest.fixture
def not_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be rendered at all."""

    def render(*_: object) -> None:
        pytest.fail("it was rendered")

    monkeypatch.setattr(Rendering, "content_of", render)


def refused(plans: list[IndexPlan], spec: dict[str, Any]) -> Problem:
    made, problem = desired_outputs(options(spec=spec), plans, DIGESTER)
    assert made == []
    assert problem is not None
    assert (problem.reason, problem.stalled) == ("TargetTooLarge", True)
    return problem


# -- bounds


@pytest.mark.usefixtures("not_rendered")
def test_more_entries_than_a_second_renders_are_refused_with_the_numbers() -> None:
    problem = refused(plans_of(501), outputs(8, *FIVE))
    assert problem.message == (
        f"501 indexes in 40 files of 8 outputs are 20040 entries, more than the {MOST_ENTRIES} of "
        "one IndexOptions; select fewer indexes, or split them over two IndexOptions, or list "
        "fewer formats in spec.outputs"
    )


def test_as_many_entries_as_may_be_are_rendered() -> None:
    made, problem = desired_outputs(options(spec=outputs(8, *FIVE)), plans_of(500), DIGESTER)
    assert (len(made), problem) == (8, None)
    assert {frozenset(each.data) for each in made} == {frozenset(made[0].data)}
    assert len(made[0].data) == len(FIVE)


@pytest.mark.usefixtures("not_rendered")
@pytest.mark.parametrize("name", ["UvToml", "PipConf", "PdmToml"])
def test_what_cannot_fit_is_found_before_it_is_rendered(name: str) -> None:
    problem = refused(plans_of(50, "x" * 20_000), outputs(1, name))
    assert "Secret 'o0' would hold at least 10" in problem.message
    assert "for 50 indexes" in problem.message and str(LARGEST_OUTPUT) in problem.message


@pytest.mark.usefixtures("not_rendered")
def test_files_that_do_not_fit_together_are_not_rendered_either() -> None:
    problem = refused(plans_of(50, "x" * 11_000), outputs(1, "UvToml", "PipConf"))
    assert "at least 11" in problem.message


@pytest.mark.usefixtures("not_rendered")
def test_logins_that_only_take_time_are_refused_with_their_size() -> None:
    """Such as those of one host, of which a netrc holds one."""
    problem = refused(plans_of(100, "x" * 90_000, host="h.example"), outputs(1, "Netrc"))
    assert "of 100 indexes have 900" in problem.message and str(LARGEST_LOGINS) in problem.message


def test_one_login_for_a_thousand_indexes_fits_a_netrc() -> None:
    plans = plans_of(1000, "x" * 2_000, host="h.example/{}")
    ((made,), problem) = desired_outputs(options(spec=outputs(1, "Netrc")), plans, DIGESTER)
    assert problem is None
    text = base64.b64decode(made.data["netrc"]).decode()
    assert text.count("x" * 2_000) == 1
    assert len(text) < 30 * 1000 + 3_000


def test_an_output_that_cannot_fit_does_not_stop_the_others() -> None:
    spec = outputs(1, "UvToml")
    spec["outputs"].append({"kind": "ConfigMap", "name": "open"})
    made, problem = desired_outputs(options(spec=spec), plans_of(50, "x" * 20_000), DIGESTER)
    assert [each.ref.name for each in made] == ["open"]
    assert problem is not None and "'o0'" in problem.message


# -- once


def test_equal_files_of_many_outputs_are_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: Counter[tuple[str, bool]] = Counter()
    for form in (UvToml, PdmToml):
        render = form.render

        def counted(self: Any, document: Document, *, sensitive: bool, render: Any = render) -> Any:
            rendered[self.name, sensitive] += 1
            return render(self, document, sensitive=sensitive)

        monkeypatch.setattr(form, "render", counted)
    spec = outputs(3, "UvToml", "PdmToml")
    spec["outputs"] += outputs(2, "PdmToml", "UvToml", kind="ConfigMap")["outputs"]

    made, problem = desired_outputs(options(spec=spec), plans_of(3), DIGESTER)

    assert problem is None
    assert rendered == {(name, how): 1 for name in ("UvToml", "PdmToml") for how in (True, False)}
    alone = [desired_outputs(options(spec=outputs(1, *FIVE)), plans_of(3), DIGESTER) for _ in "ab"]
    assert alone[0] == alone[1]
    assert len({each.digest for each in made}) == 5


# -- in a thread


@pytest.mark.parametrize(
    ("plans", "formats", "in_thread"),
    [
        (plans_of(1), ["UvToml"], False),
        (plans_of(10, "x" * 1_000), ["UvToml"], False),
        (plans_of(200), FIVE, True),
        (plans_of(1, "x" * 100_000), ["UvToml"], True),
    ],
)
async def test_large_outputs_are_rendered_beside_the_loop(
    plans: list[IndexPlan], formats: list[str], in_thread: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def noted(*args: Any, **how: Any) -> Any:
        threads.append(threading.current_thread())
        return desired_outputs(*args, **how)

    monkeypatch.setattr(rendering_module, "desired_outputs", noted)
    record = options(spec=outputs(2, *formats))

    found = await rendered_outputs(record, plans, DIGESTER)

    assert found == desired_outputs(record, plans, DIGESTER)
    assert [thread is not threading.main_thread() for thread in threads] == [in_thread]


async def test_the_loop_goes_on_while_large_outputs_are_rendered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rendering waits here for what only the event loop can do."""
    loop_went_on = threading.Event()

    def waiting(*_: Any, **__: Any) -> tuple[list[Any], None]:
        assert loop_went_on.wait(20)
        return [], None

    monkeypatch.setattr(rendering_module, "desired_outputs", waiting)
    rendering = asyncio.ensure_future(
        rendered_outputs(options(spec=outputs(8, *FIVE)), plans_of(100), DIGESTER)
    )
    asyncio.get_running_loop().call_later(0.01, loop_went_on.set)
    assert await rendering == ([], None)


def test_a_login_of_a_megabyte_is_not_kept() -> None:
    """A password that changes each second would fill the memory otherwise."""
    before = uv_toml._entry_text.cache_info()
    desired_outputs(options(spec=outputs(1, "UvToml")), plans_of(2, "x" * 400_000), DIGESTER)
    assert uv_toml._entry_text.cache_info() == before
