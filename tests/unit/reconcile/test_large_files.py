"""An IndexOptions with large files, in a whole reconcile and over a restart."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from artifact_index.reconcile import options
from artifact_index.reconcile.apply import planning, rendering
from artifact_index.reconcile.plan.sizes import MOST_ENTRIES
from artifact_index.reconcile.resolve.memo import PLANS
from artifact_index.reconcile.state import restore
from support.engine import Engine
from support.reconcile_builders import source

pytestmark = pytest.mark.unit

FIVE = ["UvToml", "Netrc", "PipConf", "Pypirc", "PdmToml"]
COUNT = PLANS + 1


def with_indexes(engine: Engine, count: int, outputs: int) -> None:
    engine.secret("basic")
    for number in range(count):
        engine.index(f"i{number}", source("basicAuth", url=f"https://h{number}.example/simple/"))
    named = [{"kind": "Secret", "name": f"o{n}", "formats": FIVE} for n in range(outputs)]
    engine.options({"outputs": named})


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The modules that have had something computed in a thread, in order."""
    modules: list[str] = []
    for module in (planning, rendering, restore, options):
        original = module.beside_the_loop

        async def noted(
            work: Callable[[], Any], name: str = module.__name__, original: Any = original
        ) -> Any:
            def checked() -> Any:
                assert threading.current_thread() is not threading.main_thread()
                return work()

            modules.append(name.rpartition(".")[2])
            return await original(checked)

        monkeypatch.setattr(module, "beside_the_loop", noted)
    return modules


async def test_large_files_are_planned_rendered_and_read_back_beside_the_loop(
    engine: Engine, beside: list[str]
) -> None:
    with_indexes(engine, COUNT, 2)
    await engine.settle()
    assert engine.ready()[1] == "Available"
    assert beside == ["planning", "rendering", "options"]
    beside.clear()
    engine.port.writes.clear()

    later = Engine(engine.port)
    await later.operator.prime()
    assert beside == ["restore", "restore"]
    await later.settle(*later.cache.all_keys())
    assert not engine.port.writes
    await later.operator.close()


async def test_small_files_stay_on_the_loop(engine: Engine, beside: list[str]) -> None:
    with_indexes(engine, 5, 2)
    await engine.settle()
    await Engine(engine.port).operator.prime()
    assert engine.ready()[1] == "Available"
    assert beside == []


async def test_too_many_entries_are_stalled_and_the_outputs_stay(engine: Engine) -> None:
    with_indexes(engine, 3, 1)
    await engine.settle()
    before = engine.entries("o0")

    with_indexes(engine, MOST_ENTRIES // 40 + 1, 8)
    await engine.settle()

    status, reason, message = engine.ready()
    assert (status, reason) == ("False", "TargetTooLarge") and "Stalled" in engine.conditions()
    assert f"are {MOST_ENTRIES + 40} entries" in message
    assert engine.entries("o0") == before
    assert engine.entries("o1") == {}
