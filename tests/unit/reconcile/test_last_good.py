"""Outputs that cannot be written as the spec asks: their tokens stay fresh, or are withdrawn."""

import base64
from typing import Any

import pytest

from artifact_index.kube.errors import UNREACHABLE, ApiError
from artifact_index.kube.port import Object
from artifact_index.kube.resources import Resource
from artifact_index.reconcile.cache.objects import ObjectRef
from artifact_index.reconcile.cache.sources.parsing import parse_source_secret
from support.blocked import blocked_at
from support.engine import BROKEN, FORBIDDEN, GAR, WITHDRAWAL, Engine, publish_token
from support.reconcile_builders import HOUR, NAMESPACE, secret_body, source

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

REFUSED = ApiError(422, "Invalid", "admission webhook")
NEW_NAME: dict[str, Any] = {"outputs": [{"kind": "Secret", "name": "new"}]}
ENVIRONMENT: dict[str, Any] = {
    "outputs": [
        {"kind": "Secret", "name": "s"},
        {"kind": "Secret", "name": "env", "formats": ["Environment"]},
    ]
}


def of_secret(name: str) -> dict[str, Any]:
    """The spec of an index whose URL is in the Secret of this name."""
    return {**source("preauthenticated", urlSecretRef={"name": name}), "name": name}


def put_url(engine: Engine, name: str, size: int) -> None:
    """A labelled Secret with a URL of about this many bytes."""
    body = secret_body(name, {"url": f"https://ci:{'x' * size}@{name}.example/simple/"})
    ref = ObjectRef(NAMESPACE, name)
    engine.cache.put_source(ref, parse_source_secret(engine.port.put("secrets", body), ["url"]))


async def rename_to_a_foreign_secret(engine: Engine) -> None:
    """A token in `uv-config`, which gets a new name that is somebody else's."""
    await publish_token(engine)
    engine.port.put("secrets", secret_body("new", {"mine": "x"}))
    engine.options(NEW_NAME)
    await engine.settle()
    assert engine.ready()[:2] == ("False", "TargetNotOwned")


async def renew(engine: Engine, *, after: float = WITHDRAWAL) -> None:
    """Have the token replaced by the next one after these seconds."""
    engine.time += after
    engine.index("gar", GAR, refresh_requested=engine.time)
    await engine.settle()
    assert engine.mints == 2


def restarted(engine: Engine) -> Engine:
    """Another process over the same objects, at the same time."""
    later = Engine(engine.port)
    later.time = engine.time
    return later


async def assert_converged(engine: Engine) -> None:
    """A restart writes and mints nothing."""
    engine.port.writes.clear()
    later = restarted(engine)
    await later.operator.prime()
    await later.settle(*later.cache.all_keys())
    await later.operator.close()
    assert not engine.port.writes and later.mints == 0


async def test_an_output_whose_new_name_is_taken_gets_fresh_tokens(engine: Engine) -> None:
    await rename_to_a_foreign_secret(engine)
    assert "Secret 'uv-config' goes on with the indexes that it holds" in engine.ready()[2]
    assert engine.ready("artifactindexes", "gar")[:2] == ("True", "Available")
    await assert_converged(engine)

    await renew(engine)
    assert "minted-2" in engine.entries()["gar"]

    del engine.port.objects["secrets", NAMESPACE, "new"]
    await engine.settle()
    assert engine.output_names() == {"new"} and engine.ready()[1] == "Available"
    assert "minted-2" in engine.entries("new")["gar"]


async def test_an_index_that_came_later_is_in_no_file_and_not_available(engine: Engine) -> None:
    await rename_to_a_foreign_secret(engine)
    engine.index("open")
    await engine.settle()

    assert set(engine.entries()) == {"pypi", "gar"}
    status, reason, message = engine.ready("artifactindexes", "open")
    assert (status, reason) == ("False", "NotWritten")
    assert "IndexOptions 'uv-config'" in message and "Secret 'new'" in message
    assert "choose another name in spec.outputs" in message
    assert "without ArtifactIndex 'open'" in engine.ready()[2]
    await assert_converged(engine)

    engine.options()
    await engine.settle()
    assert engine.ready("artifactindexes", "open")[:2] == ("True", "Available")


@pytest.mark.parametrize("taken", [False, True])
async def test_an_output_that_is_deleted_and_cannot_be_written_again_holds_no_index(
    engine: Engine, taken: bool
) -> None:
    await publish_token(engine)
    (output,) = engine.cache.outputs.objects()
    del engine.port.objects["secrets", NAMESPACE, "uv-config"]
    engine.cache.drop_output(output.ref)
    if taken:
        engine.port.put("secrets", secret_body("uv-config", {"mine": "x"}))
    else:
        engine.refuse(FORBIDDEN, lambda verb, plural, _: (verb, plural) == ("create", "secrets"))
    for _ in range(3):
        await engine.settle()
    assert engine.ready()[1] == ("TargetNotOwned" if taken else "WriteFailed")
    assert engine.ready("artifactindexes", "gar")[:2] == ("False", "NotWritten")

    engine.port.objects.pop(("secrets", NAMESPACE, "uv-config"), None)
    engine.refuse(FORBIDDEN, lambda *_: False)
    await engine.settle()
    assert engine.ready("artifactindexes", "gar")[:2] == ("True", "Available")
    assert "minted-1" in engine.entries()["gar"]


async def test_the_withdrawal_reaches_an_output_whose_new_name_is_taken(engine: Engine) -> None:
    await rename_to_a_foreign_secret(engine)
    engine.time += WITHDRAWAL
    engine.drop_index("gar")
    engine.index("open")
    await engine.settle()
    assert engine.entries()["gar"] == blocked_at("uv-config", name="gar", kind="indexoptions")


async def test_a_secret_keeps_its_logins_while_only_a_taken_config_map_is_declared(
    engine: Engine,
) -> None:
    """The spec as it is needs no token; the output that is still there does."""
    await publish_token(engine)
    public = secret_body("new", {"mine": "x"})
    engine.port.put("configmaps", public)
    engine.options({"outputs": [{"kind": "ConfigMap", "name": "new"}]})
    await renew(engine)
    assert engine.ready()[1] == "TargetNotOwned" and "minted-2" in engine.entries()["gar"]

    del engine.port.objects["configmaps", NAMESPACE, "new"]
    await engine.settle()
    assert engine.output_names() == {"new"} and engine.ready()[1] == "Available"
    assert "earliestExpiry" not in engine.status()


async def test_an_output_whose_deletion_is_refused_gets_fresh_tokens(engine: Engine) -> None:
    await publish_token(engine, {"outputs": [{"kind": "Secret", "name": "s"}]})
    engine.options(NEW_NAME)
    engine.refuse(FORBIDDEN, lambda verb, *_: verb == "delete")
    await renew(engine)
    for name in ("s", "new"):
        assert "minted-2" in engine.entries(name)["gar"]
    assert engine.ready("artifactindexes", "gar")[:2] == ("True", "Available")


async def test_of_a_file_that_is_too_large_the_newest_is_left_out(engine: Engine) -> None:
    await publish_token(engine)
    put_url(engine, "huge", 930_000)
    engine.index("huge", of_secret("huge"))
    await engine.settle()

    assert engine.ready()[:2] == ("False", "TargetTooLarge")
    assert "without ArtifactIndex 'huge'" in engine.ready()[2]
    assert engine.ready("artifactindexes", "huge")[:2] == ("False", "NotWritten")
    assert engine.ready("artifactindexes", "gar")[:2] == ("True", "Available")
    await assert_converged(engine)

    await renew(engine)
    assert set(engine.entries()) == {"pypi", "gar"} and "minted-2" in engine.entries()["gar"]
    await assert_converged(engine)


async def test_only_the_output_that_is_too_large_is_left_behind(engine: Engine) -> None:
    """A quarter of a megabyte is too much for variables, and fits into a file."""
    for name in ("large", "huge"):
        put_url(engine, name, 100_000)
    engine.index("large", of_secret("large"))
    await publish_token(engine, ENVIRONMENT)
    engine.index("huge", of_secret("huge"))
    await renew(engine)

    assert engine.ready()[1] == "TargetTooLarge"
    assert set(engine.entries("s")) == {"pypi", "gar", "large", "huge"}
    assert engine.ready("artifactindexes", "huge")[:2] == ("True", "Available")
    variables = engine.port.find("secrets", NAMESPACE, "env")
    assert variables is not None
    assert {"UV_INDEX_GAR_PASSWORD", "UV_INDEX_LARGE_PASSWORD"} <= variables["data"].keys()
    assert "UV_INDEX_HUGE_PASSWORD" not in variables["data"]
    assert "minted-2" in engine.entries("s")["gar"]
    await assert_converged(engine)


async def test_an_index_that_stopped_builds_does_so_while_it_does_not_fit(engine: Engine) -> None:
    """Left out of the file, its packages would be looked for on the public index."""
    engine.index("huge", of_secret("huge"))
    await publish_token(engine, ready=False)
    blocked = engine.entries()["huge"]
    assert "unavailable.invalid" in blocked
    put_url(engine, "huge", 930_000)
    await engine.settle()
    assert engine.ready()[1] == "TargetTooLarge"
    await renew(engine, after=HOUR)
    assert "minted-2" in engine.entries()["gar"] and engine.entries()["huge"] == blocked


@pytest.mark.parametrize("form", ["UvToml", "PipConf", "PdmToml"])
@pytest.mark.parametrize("named", [True, False])
async def test_an_index_that_stopped_builds_does_so_after_restarts_while_it_does_not_fit(
    engine: Engine, form: str, named: bool
) -> None:
    """Before its status says that it is in no file, and after."""

    def text(name: str = "s") -> str:
        body = engine.port.find("secrets", NAMESPACE, name)
        assert body is not None
        (file,) = body["data"].values()
        return base64.b64decode(file).decode()

    # Without a name in its spec it is blocked under that of its object before its host is known.
    spec = of_secret("acme") if named else source("preauthenticated", urlSecretRef={"name": "acme"})
    engine.index("huge", spec)
    engine.secret("gcp-key")
    engine.index("gar", GAR)
    engine.options({"outputs": [{"kind": "Secret", "name": "s", "formats": [form]}]})
    await engine.settle()
    command = f"kubectl+describe+artifactindex+huge+-n+{NAMESPACE}"
    assert f".unavailable.invalid/{command}/simple/" in text()
    put_url(engine, "acme", 930_000)

    for _ in range(2):
        later = restarted(engine)
        await later.operator.prime()
        await later.settle(*later.cache.all_keys())
        assert later.ready()[:2] == ("False", "TargetTooLarge")
        assert later.ready("artifactindexes", "huge")[:2] == ("False", "NotWritten")
        later.time += HOUR
        later.index("gar", GAR, refresh_requested=later.time)
        await later.settle()
        await later.operator.close()
        assert f"https://acme.unavailable.invalid/{command}/simple/" in text()
        assert "minted-1" in text()
        engine.time = later.time


async def test_what_was_blocked_stays_so_when_nothing_is_selected_any_more(engine: Engine) -> None:
    engine.index("lost", source("basicAuth"))
    await publish_token(engine, ready=False)
    blocked = engine.entries()["basic"]
    engine.options({"indexSelector": {"matchLabels": {"no": "such"}}})
    later = restarted(engine)
    later.time += WITHDRAWAL
    await later.operator.prime()
    await later.settle()
    await later.operator.close()
    assert later.entries()["gar"] == blocked_at("uv-config", name="gar", kind="indexoptions")
    assert later.entries()["basic"].split("/")[2] == blocked.split("/")[2]


async def test_a_token_beside_a_served_index_that_outgrows_the_file_is_withdrawn(
    engine: Engine,
) -> None:
    put_url(engine, "huge", 10)
    engine.index("huge", of_secret("huge"))
    await publish_token(engine)
    put_url(engine, "huge", 930_000)
    await engine.settle()
    assert engine.ready()[1] == "TargetTooLarge" and "minted-1" in engine.entries()["gar"]
    assert "its first token expires at 2027-01-15T20:00:00Z" in engine.ready()[2]
    assert engine.due_in() == pytest.approx(WITHDRAWAL, abs=5)

    engine.time += WITHDRAWAL
    await engine.settle()
    assert engine.entries()["gar"] == blocked_at("uv-config", name="gar", kind="indexoptions")
    assert "x" * 10 in engine.entries()["huge"]
    assert engine.ready("artifactindexes", "gar")[:2] == ("False", "CredentialExpired")


async def test_what_was_blocked_beside_a_withdrawn_token_stays_blocked(engine: Engine) -> None:
    put_url(engine, "huge", 10)
    engine.index("huge", of_secret("huge"))
    engine.index("lost", source("basicAuth"))
    await publish_token(engine, {"outputs": [{"kind": "Secret", "name": "s"}]}, ready=False)
    put_url(engine, "huge", 930_000)
    engine.time += WITHDRAWAL
    await engine.settle()
    blocked = {name for name, url in engine.entries("s").items() if "unavailable.invalid" in url}
    assert blocked == {"gar", "basic"} and set(engine.entries("s")) == {"pypi", "huge", *blocked}


async def test_the_message_tells_until_when_a_token_lives_in_an_output_that_is_refused(
    engine: Engine,
) -> None:
    await publish_token(engine)
    engine.refuse(REFUSED, lambda verb, plural, _: (verb, plural) == ("patch", "secrets"))
    await renew(engine, after=WITHDRAWAL - HOUR)
    for _ in range(2):
        await engine.settle()

    assert engine.ready()[:2] == ("False", "WriteFailed")
    assert "its first token expires at 2027-01-15T20:00:00Z" in engine.ready()[2]
    assert engine.ready("artifactindexes", "gar")[:2] == ("True", "Available")
    conditions = engine.status("artifactindexes", "gar")["conditions"]
    (failing,) = [each for each in conditions if each["type"] == "RefreshFailing"]
    assert failing["reason"] == "NotWritten" and "Secret 'uv-config'" in failing["message"]
    assert "valid until 2027-01-15T20:00:00Z" in failing["message"]
    assert 0 < engine.due_in() < 121

    engine.time += HOUR
    await engine.settle()
    assert engine.ready("artifactindexes", "gar")[:2] == ("False", "NotWritten")

    engine.refuse(REFUSED, lambda *_: False)
    await engine.settle()
    assert engine.ready("artifactindexes", "gar")[:2] == ("True", "Available")
    assert "minted-2" in engine.entries()["gar"]


async def test_the_old_set_is_tried_where_the_new_one_is_refused(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a policy for hosts."""
    await publish_token(engine)
    engine.index("open")
    patch = engine.port.patch

    async def refuse(*request: Any, **how: Any) -> Any:
        text = request[-1].get("data", {}).get("uv.toml", "")
        if b"open.example" in base64.b64decode(text):
            raise REFUSED
        return await patch(*request, **how)

    monkeypatch.setattr(engine.port, "patch", refuse)
    await renew(engine)
    assert set(engine.entries()) == {"pypi", "gar"} and "minted-2" in engine.entries()["gar"]
    assert engine.ready("artifactindexes", "gar")[1] == "Available"
    assert 0 < engine.due_in() < 121


async def test_after_an_outage_of_the_api_server_nothing_is_written_twice(engine: Engine) -> None:
    await publish_token(engine)
    engine.index("open")
    tries: list[str] = []

    def refuse(verb: str, plural: str, name: str) -> bool:
        if (verb, plural) == ("patch", "secrets"):
            tries.append(name)
        return plural == "secrets"

    engine.refuse(BROKEN, refuse)
    await engine.settle()
    assert tries == ["uv-config"]


async def test_under_a_spec_that_cannot_be_read_tokens_are_withdrawn_in_time(
    engine: Engine,
) -> None:
    engine.secret("basic")
    engine.index("basic", source("basicAuth"))
    await publish_token(engine)
    before = engine.entries()
    engine.options({"indexStrategy": "of-a-newer-version"})
    later = restarted(engine)  # nothing is known but what the output tells
    await later.operator.prime()
    await later.settle()
    assert later.ready()[:2] == ("False", "InvalidSpec") and later.entries() == before
    assert "its first token expires at 2027-01-15T20:00:00Z" in later.ready()[2]
    assert later.due_in() == pytest.approx(WITHDRAWAL, abs=5)

    later.time += WITHDRAWAL
    await later.settle()
    assert later.entries() == before | {
        "gar": blocked_at("uv-config", name="gar", kind="indexoptions"),
        "pypi": blocked_at("uv-config", name="pypi", kind="indexoptions"),
    }
    assert later.cache.outputs_of(ObjectRef(NAMESPACE, "uv-config"))[0].controller is not None
    later.port.writes.clear()
    await later.settle()
    assert not later.port.writes["patch", "secrets"]
    await later.operator.close()


async def test_a_suspended_options_says_that_no_token_is_withdrawn(engine: Engine) -> None:
    await publish_token(engine)
    engine.options({"suspend": True})
    engine.time += WITHDRAWAL
    await engine.settle()
    assert "minted-1" in engine.entries()["gar"]
    assert "no token is withdrawn" in engine.ready()[2]


async def test_an_edited_output_whose_new_name_is_taken_is_repaired(engine: Engine) -> None:
    """Its checkpoint is not believed: all that was published counts."""
    await rename_to_a_foreign_secret(engine)
    body = engine.port.find("secrets", NAMESPACE, "uv-config")
    assert body is not None
    engine.port.put("secrets", {**body, "data": {"uv.toml": "", "stray": "eA=="}})
    await engine.operator.prime()
    await engine.settle()
    assert engine.entries()["gar"].count("minted-1") == 1
    repaired = engine.port.find("secrets", NAMESPACE, "uv-config")
    assert repaired is not None and repaired["data"].keys() == {"uv.toml"}


async def test_a_write_without_an_answer_is_not_undone_when_the_next_one_is_refused(
    engine: Engine,
) -> None:
    """A server that comes back refuses everybody until it has read its permissions again."""
    await publish_token(engine)
    patch = engine.port.patch

    async def unanswered(resource: Resource, *about: Any, **more: Any) -> Object:
        answer = await patch(resource, *about, **more)
        if resource.plural == "secrets":
            raise ApiError(UNREACHABLE, "Unreachable", "connection reset")
        return answer

    engine.index("open")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(engine.port, "patch", unanswered)
        await engine.settle()
    assert set(engine.entries()) == {"pypi", "gar", "open"}

    refusals = iter([True, True])  # before the new token, and with it
    first = ("patch", "secrets")
    engine.refuse(FORBIDDEN, lambda *about: about[:2] == first and next(refusals, False))
    await renew(engine, after=HOUR)
    assert set(engine.entries()) == {"pypi", "gar", "open"}
    engine.refuse(FORBIDDEN, lambda *_: False)
    await engine.settle()
    assert "minted-2" in engine.entries()["gar"] and "open" in engine.entries()
