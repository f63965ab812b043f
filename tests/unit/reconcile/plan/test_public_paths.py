"""A preauthenticated URL in a ConfigMap: only if the spec says that its path is public."""

import tomllib

import pytest

from artifact_index.reconcile.plan.checkpoint import Checkpoint
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.outputs import desired_outputs
from support.blocked import blocked_at
from support.engine import Engine
from support.reconcile_builders import (
    CANARY,
    DIGESTER,
    SECRETS,
    index,
    index_state,
    options,
    plans_from,
    published_after,
    source,
)

pytestmark = pytest.mark.unit

OUTPUTS = [{"kind": "Secret", "name": "s"}, {"kind": "ConfigMap", "name": "c"}]
BOTH = {"outputs": OUTPUTS}
URL = SECRETS["whole-url"]["url"]


def plans(url: str = URL, *, public: bool) -> list[IndexPlan]:
    """A preauthenticated index with this URL, and an index that anybody may see."""
    whole = index("pre", {"name": "whole", **source("preauthenticated", publicPath=public)})
    states = [index_state(whole, values={"url": url}), index_state(index("open"))]
    return plans_from(*states)


@pytest.mark.parametrize(
    ("url", "public"),
    [
        (URL, False),
        ("https://whole.example/token/simple/", True),
        (f"https://u:{CANARY}@whole.example/?key={CANARY}", True),
        (f"https://u:{CANARY}@whole.example/#{CANARY}", True),
    ],
)
def test_a_url_that_may_be_a_secret_as_a_whole_is_refused_in_a_config_map(
    url: str, public: bool
) -> None:
    made, problem = desired_outputs(options(spec=BOTH), plans(url, public=public), DIGESTER)

    assert [output.ref.kind for output in made] == ["Secret"]
    assert problem is not None
    assert (problem.reason, problem.stalled) == ("NotCredentialFree", True)
    for words in ("ConfigMap 'c'", "ArtifactIndex 'pre'", "spec.preauthenticated.publicPath"):
        assert words in problem.message
    assert CANARY not in problem.message and "token" not in problem.message


def test_a_url_with_a_public_path_stands_there_without_its_login() -> None:
    made, problem = desired_outputs(options(spec=BOTH), plans(public=True), DIGESTER)
    assert problem is None
    text = made[1].data["uv.toml"]
    assert "https://whole.example/a/simple/" in text and CANARY not in text


def test_what_an_older_release_wrote_there_is_blocked() -> None:
    """The path leaves the ConfigMap that exists, and builds stop instead of going on without it."""
    made, problem = desired_outputs(
        options(spec=BOTH), plans(public=False), DIGESTER, exists=lambda _: True
    )
    assert problem is not None and problem.reason == "NotCredentialFree"
    config_map = made[1]
    urls = {
        each["name"]: each["url"] for each in tomllib.loads(config_map.data["uv.toml"])["index"]
    }
    assert (
        urls["whole"] == blocked_at("pre", name="whole")
        and urls["open"] == "https://open.example/simple/"
    )
    assert "whole.example" not in str(dict(config_map.data) | dict(config_map.annotations))
    checkpoint = Checkpoint.decode(config_map.annotations["artifactindex.dev/served"])
    assert set(checkpoint.indexes) == {"open"}


def test_a_login_that_stands_in_keeps_what_the_spec_says_of_its_path() -> None:
    served = published_after(plans(public=True))
    for public in (True, False):
        record = index("pre", {"name": "whole", **source("preauthenticated", publicPath=public)})
        kept = plans_from(index_state(record, missing=True), served=served)
        assert kept[0].entry is not None and kept[0].entry.verbatim_url is not None
        assert kept[0].entry.public_path is public


@pytest.mark.looptime(noop_cycles=1)
async def test_an_upgrade_blocks_the_path_and_a_field_brings_it_back(engine: Engine) -> None:
    engine.secret("whole-url")
    spec = {"name": "whole", **source("preauthenticated")}
    engine.index("pre", spec)
    engine.options(BOTH)
    await engine.settle()
    assert "whole.example/a/simple" in str(engine.port.find("configmaps", "builders", "c"))

    engine.index("pre", {"name": "whole", **source("preauthenticated", publicPath=None)})
    await engine.settle()
    assert engine.ready()[:2] == ("False", "NotCredentialFree")
    assert "whole.example" not in str(engine.port.find("configmaps", "builders", "c"))
    assert CANARY in engine.entries("s")["whole"], "the Secret goes on"
    writes = engine.record_writes()
    await engine.settle()
    restarted = Engine(engine.port)
    await restarted.operator.prime()
    await restarted.settle(*restarted.cache.all_keys())
    assert writes == []

    restarted.index("pre", spec)
    await restarted.settle()
    assert restarted.ready()[:2] == ("True", "Available")
    assert "whole.example/a/simple" in str(engine.port.find("configmaps", "builders", "c"))


@pytest.mark.looptime(noop_cycles=1)
@pytest.mark.parametrize("restart", [False, True])
async def test_the_path_leaves_a_config_map_that_is_declared_no_more(
    engine: Engine, restart: bool
) -> None:
    """It cannot be removed as long as the output in its place is not written."""
    engine.secret("whole-url")
    engine.index("pre", {"name": "whole", **source("preauthenticated")})
    engine.options(BOTH)
    await engine.settle()

    engine.index("pre", {"name": "whole", **source("preauthenticated", publicPath=None)})
    engine.options({"outputs": [OUTPUTS[0], {"kind": "ConfigMap", "name": "d"}]})
    if restart:
        engine = Engine(engine.port)
        await engine.operator.prime()
    await engine.settle(*engine.cache.all_keys())
    assert engine.ready()[:2] == ("False", "NotCredentialFree")
    assert "whole.example" not in str(engine.port.find("configmaps", "builders", "c"))
    assert engine.port.find("configmaps", "builders", "d") is None
