"""A name in `spec.outputs` takes nothing from an object or an IndexOptions that has it already."""

from typing import Any

import pytest

from artifact_index.reconcile.cache.cache import index_key, options_key
from artifact_index.reconcile.cache.objects import (
    ObjectRef,
    OutputRef,
    parse_output,
)
from artifact_index.reconcile.cache.sources.parsing import parse_source_secret
from support.engine import GAR, OPTIONS, Engine
from support.reconcile_builders import DIGESTER, NAMESPACE, secret_body, source

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

SLIP = options_key(ObjectRef(NAMESPACE, "slip"))
STATIC = index_key(ObjectRef(NAMESPACE, "static"))


def naming(*names: str, **spec: Any) -> dict[str, Any]:
    """The spec of an IndexOptions with these outputs."""
    return {"outputs": [{"kind": "Secret", "name": name} for name in names], **spec}


@pytest.fixture
async def served(engine: Engine) -> Engine:
    """`uv-config` serves a token and a password, each of a labelled Secret."""
    for name in ("gcp-key", "basic"):
        engine.secret(name)
    engine.index("gar", GAR)
    engine.index("static", source("basicAuth"))
    engine.options()
    await engine.settle()
    assert engine.ready()[1] == "Available"
    return engine


@pytest.mark.parametrize("selector", [None, {"matchLabels": {"no": "such"}}])
async def test_a_second_options_that_names_source_secrets_stands_alone(
    served: Engine, selector: Any
) -> None:
    before = served.entries()
    spec = naming("gcp-key", "basic")
    served.options({**spec, "indexSelector": selector} if selector else spec, name="slip")
    await served.settle(SLIP, OPTIONS)

    assert served.entries() == before
    reason = "NoIndexes" if selector else "TargetNotOwned"
    assert served.ready(name="slip")[:2] == ("False", reason)
    assert served.ready()[:2] == ("True", "Available")
    for name in ("gar", "static"):
        assert served.ready("artifactindexes", name)[:2] == ("True", "Available")
    # Nor does it after a restart, which has read no Secret yet.
    later = Engine(served.port)
    served.port.writes.clear()
    await later.operator.prime()
    await later.settle(*later.cache.all_keys())
    assert later.entries() == before and not served.port.writes["patch", "secrets"]
    await later.operator.close()


async def test_a_source_that_is_created_as_an_output_is_none_at_once(engine: Engine) -> None:
    """No watch event has come of the Secret: it is our own write."""
    engine.index("static", source("basicAuth", secretRef={"name": "new"}))
    engine.options()
    await engine.settle()
    assert engine.ready("artifactindexes", "static")[1] == "SecretNotFound"

    engine.index("open")
    engine.options(naming("new"), name="slip", uid="uid-of-slip")
    await engine.settle(SLIP)
    assert engine.ready("artifactindexes", "static")[1] == "SourceIsOutput"

    engine.options(naming("other"), name="slip", uid="uid-of-slip")
    await engine.settle(SLIP)
    assert engine.output_names() == {"uv-config", "other"}
    assert engine.ready("artifactindexes", "static")[1] == "SecretNotFound"


@pytest.mark.parametrize("labels", [{}, {"artifactindex.dev/role": "source"}])
async def test_an_output_without_its_label_is_still_no_source(
    served: Engine, labels: dict[str, str]
) -> None:
    """Somebody has taken the label off, or made it that of a source."""
    reads_it = {"urlSecretRef": {"name": "uv-config", "key": "uv.toml"}}
    served.index("loop", source("preauthenticated", **reads_it))
    body = served.port.find("secrets", NAMESPACE, "uv-config")
    assert body is not None
    body["metadata"]["labels"] = labels
    served.cache.drop_output(OutputRef("Secret", NAMESPACE, "uv-config"))
    if labels:
        served.cache.put_source(
            ObjectRef(NAMESPACE, "uv-config"), parse_source_secret(body, body["data"])
        )
    await served.settle()
    assert served.ready("artifactindexes", "loop")[1] == "SourceIsOutput"
    assert "unavailable.invalid" in served.entries()["loop"]


async def test_a_source_that_is_adopted_becomes_an_output(served: Engine) -> None:
    """The annotation on the Secret itself is its owner's consent."""
    body = secret_body("basic", {"username": "a", "password": "b"})
    body["metadata"]["annotations"] = {"artifactindex.dev/adopt": "slip"}
    served.port.put("secrets", body)
    served.options(naming("basic"), name="slip", uid="uid-of-slip")
    await served.settle(SLIP)
    assert served.ready("artifactindexes", "static")[1] == "SourceIsOutput"
    assert "unavailable.invalid" in served.entries()["basic"]


@pytest.mark.parametrize("policy", ["Delete", "Retain"])
async def test_the_owner_of_an_output_keeps_it_from_another_options(
    engine: Engine, policy: str
) -> None:
    engine.index("open")
    engine.options(naming("shared", deletionPolicy=policy), name="zz", uid="uid-of-zz")
    await engine.settle(options_key(ObjectRef(NAMESPACE, "zz")))
    before = engine.port.find("secrets", NAMESPACE, "shared")

    # Older by name and, as it says, by creation.
    engine.options(naming("shared"), created="2020-01-01T00:00:00Z")
    await engine.settle()
    assert engine.ready()[:2] == ("False", "TargetNotOwned") and "'zz'" in engine.ready()[2]
    assert engine.port.find("secrets", NAMESPACE, "shared") == before

    later = Engine(engine.port)
    await later.operator.prime()
    await later.settle(OPTIONS, *later.cache.all_keys())
    assert engine.port.find("secrets", NAMESPACE, "shared") == before
    await later.operator.close()


def test_an_output_is_known_by_any_of_its_marks() -> None:
    for marks in (
        {"labels": {"artifactindex.dev/role": "output"}},
        {"annotations": {"artifactindex.dev/content-digest": "x"}},
    ):
        body = secret_body("x", {"uv.toml": "secret"})
        body["metadata"] |= marks
        parsed = parse_source_secret(body, ["uv.toml"])
        assert parsed.is_output and not parsed.values
        assert parse_output("Secret", body, DIGESTER).keys == {"uv.toml"}
    assert not parse_source_secret(secret_body("x", {"uv.toml": "secret"}), ["uv.toml"]).is_output
